"""What an attempt under Slurm left: its last word, its ranks' words, and Slurm's lines on why it ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from forgia_hpc.rundir import Event, RunDir, read_json
from forgia_hpc.schema.job import Kind

LOGS = ("batch.err", "launcher.log")
_TAIL = 2**16  # bytes
# Slurm's own lines only: a rank's "CUDA out of memory" is another memory
_MEMORY = re.compile(
    r"^(?:slurmstepd|srun).*(?:xceeded (?:job )?memory limit|oom[-_ ]?kill|Out [Oo]f [Mm]emory)"
)
_CANCELLED = re.compile(
    r"^slurmstepd.*\*\*\* (?:JOB|STEP) .* CANCELLED AT \S+(?: DUE TO (?P<why>[A-Z ]+))?"
)
_BUDGET = re.compile(r"^slurmstepd.*REASON: Job is at or exceeds (?P<what>.*minutes of \d+)")
_NODE = re.compile(r"^srun: error: Node failure on (?P<node>\S+)")


@dataclass(frozen=True, kw_only=True)
class Record:
    """What the newest attempt left: its last word, its ranks' words, and telling lines of its logs."""

    begun: bool = False  # there was an attempt
    code: int | None = None  # of batch_ended; None: it left no last word
    why: str = ""
    cause: str = ""  # walltime | preemption | asked, where it stopped
    result: bool = False
    saved: bool = False  # its ranks stopped together, everything saved
    cancel_asked: bool = False
    program: bool = False  # the user's own, and what it saved it knows alone
    lines: tuple[str, ...] = ()


def memory_line(lines: Iterable[str]) -> str:
    """Return Slurm's line that a job outgrew its memory; empty without one."""
    return next((line for line in lines if _MEMORY.search(line)), "")


def used_up(lines: Iterable[str]) -> str:
    """Return which minutes were used up, in Slurm's words; empty where none were."""
    return next((found["what"] for line in lines if (found := _BUDGET.search(line))), "")


def named_nodes(lines: Iterable[str]) -> list[str]:
    """Return the nodes that srun says have failed."""
    return [found["node"] for line in lines if (found := _NODE.search(line))]


def why_cancelled(lines: Iterable[str]) -> str:
    """Return what slurmstepd gave as its reason, PREEMPTION or NODE FAILURE; nothing for a plain cancel."""
    found = [m["why"] or "" for line in lines if (m := _CANCELLED.search(line))]
    return found[-1].strip() if found else ""


def read_record(run: RunDir) -> Record:
    """Read what the newest attempt of a run left."""
    attempt = _newest_attempt(run.events())
    started = next((e.facts for e in attempt if e.what == "batch_started"), {})
    ended = next((e.facts for e in reversed(attempt) if e.what == "batch_ended"), {})
    words = {event.what for event in attempt}
    refused = next((e.facts for e in attempt if e.what == "not_resubmitted"), None)
    why = (
        f"stopped ({ended.get('cause')}); it was not resubmitted: {refused['why']}"
        if refused
        else ""
    )
    return Record(
        begun=bool(attempt),
        code=ended.get("exit_code"),
        why=why or ended.get("why") or "",
        cause=ended.get("cause") or "",
        result=run.result.exists(),
        saved="rank_stopped" in words and "rank_failed" not in words,
        cancel_asked="cancel_asked" in words,
        program=read_json(run.job)["kind"] == Kind.command.value,
        lines=telling_lines(run, started.get("logs") or {}),
    )


def _newest_attempt(events: list[Event]) -> list[Event]:
    """Return what was told since the newest attempt began, without what an earlier one that lived on told then."""
    begun = [place for place, event in enumerate(events) if event.what == "batch_started"]
    if not begun:
        return []
    number = events[begun[-1]].facts.get("attempt")
    return [one for one in events[begun[-1] :] if one.facts.get("attempt", number) == number]


def telling_lines(
    run: RunDir, begun: Mapping[str, Any], until: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Return the lines in which Slurm says why it ended something, between two lengths of the logs."""
    found: list[str] = []
    for name in LOGS:
        path = run.logs / name
        if not path.exists():
            continue
        with path.open("rb") as opened:
            size = path.stat().st_size
            end = size if until is None else int(until.get(name, size))
            begin = max(int(begun.get(name, 0)), end - _TAIL)
            opened.seek(begin)
            lines = opened.read(max(end - begin, 0)).decode(errors="replace").splitlines()
        found += [
            line
            for line in lines
            if any(p.search(line) for p in (_MEMORY, _CANCELLED, _BUDGET, _NODE))
        ]
    return tuple(dict.fromkeys(found[-20:]))
