"""What befell the earlier attempts of a run: those that something else than their walltime cut short."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forgia_hpc.jobs.record import named_nodes, telling_lines, why_cancelled
from forgia_hpc.rundir import Event, RunDir
from forgia_hpc.slurm.control import is_gone


@dataclass
class Attempt:
    """The facts of one attempt by the word of their event, and what Slurm wrote into its logs."""

    begun: Mapping[str, Any]
    restarted: bool = False  # Slurm started the same job again, and not a person another one
    told: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


def history(run: RunDir) -> list[tuple[str, tuple[str, ...]]]:
    """Return a sentence and its evidence for each earlier attempt that is worth one, oldest first."""
    if run.count("batch_started") < 2:
        return []
    earlier = _attempts(run)[:-1]
    return [told for one in earlier for told in _told(one)]


def _attempts(run: RunDir) -> list[Attempt]:
    events = run.events()
    begun = [event for event in events if event.what == "batch_started"]
    found = [Attempt(event.facts) for event in begun]
    for number, one in enumerate(found):
        after = found[number + 1].begun if number + 1 < len(found) else {}
        job = one.begun.get("job_id")
        one.restarted = job is not None and after.get("job_id") == job
        one.lines = telling_lines(run, one.begun.get("logs") or {}, after.get("logs"))
    numbers = {one.begun["attempt"]: one for one in found}
    for event in events:
        if (attempt := numbers.get(_number(event))) is not None:
            attempt.told[event.what] = event.facts
    return found


def _number(event: Event) -> int | None:
    return event.facts.get("attempt")


def _told(one: Attempt) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Say what befell an attempt; what a person saw and answered with `forgia resume` is worth no line."""
    who, ended = f"attempt {one.begun['attempt']}", one.told.get("batch_ended")
    if stall := one.told.get("stalled"):
        yield f"{who} stalled: {_stall(stall)}{_without(one, stall)}", tuple(stall["evidence"])
    elif ended is None:
        yield from _lost(who, one)
    elif ended.get("cause") in ("preemption", "node failure"):
        words = {"preemption": "was preempted", "node failure": "lost its node"}[ended["cause"]]
        yield f"{who} {words}, everything saved", one.lines


def _stall(stall: Mapping[str, Any]) -> str:
    ranks, nodes = stall.get("ranks") or (), stall.get("nodes") or ()
    who = f" {', '.join(map(str, ranks[:8]))}" if ranks else ""
    return f"{stall['verdict']}{who}{_on(nodes)}"


def _on(nodes: Sequence[str]) -> str:
    return f" on {', '.join(nodes[:8])}" if nodes else ""


def _without(one: Attempt, stall: Mapping[str, Any]) -> str:
    gone_on = "resubmitted" in one.told
    return f"; requeued without {', '.join(stall['nodes'])}" if gone_on and stall["nodes"] else ""


def _lost(who: str, one: Attempt) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Tell by evidence how an attempt was lost that left no last word."""
    facts = one.told.get("attempt_lost") or {}
    states: Mapping[str, str] = facts.get("node_states") or {}
    said = tuple(f"node {name}: {state}" for name, state in states.items())
    down = [name for name, state in states.items() if is_gone(state)]
    down += [node for node in named_nodes(one.lines) if node not in down]
    why = why_cancelled(one.lines)
    if why == "NODE FAILURE" or down:
        nodes = down or [facts.get("nodes") or one.begun.get("node") or "a node"]
        yield f"{who} was lost: node {', '.join(nodes)} failed", (*said, *one.lines)
    elif why == "PREEMPTION":
        yield f"{who} was preempted and had not saved", one.lines
    elif one.restarted:
        yield f"{who} left no last word", (*said, *one.lines)
