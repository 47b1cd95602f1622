"""A sealed chain: its members and their runs, and its line of `forgia status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from forgia_hpc.jobs.standing import LIVE, State, Status
from forgia_hpc.jobs.track import status_of
from forgia_hpc.rundir import RunDir, read_json


def members_of(run: RunDir) -> dict[str, dict[str, Any]]:
    """Return the members of a chain in their order: run, digest, kind, after."""
    listed = read_json(run.path / "chain.json")["members"]
    order = TopologicalSorter({name: one["after"] for name, one in listed.items()}).static_order()
    return {name: listed[name] for name in order}


def member_runs(run: RunDir) -> list[RunDir]:
    """Return the runs of a chain's members in their order."""
    return [RunDir(Path(one["run"])) for one in members_of(run).values()]


def with_members(runs: Sequence[RunDir]) -> list[RunDir]:
    """Return the runs, each chain followed by its members."""
    return [
        each
        for run in runs
        for each in (run, *(member_runs(run) if (run.path / "chain.json").is_file() else ()))
    ]


def lives(status: Status) -> bool:
    """Whether a member is queued or running."""
    return status.state in LIVE


def chain_status(run: RunDir) -> Status:
    """Return a chain as one line of `forgia status`: each member's word."""
    record, members = read_json(run.job), members_of(run)
    states = dict(zip(members, status_of(member_runs(run)), strict=True))
    # held before pending: those behind it wait for it, and it waits for a person
    order = (State.unknown, State.running, State.held, State.pending)
    words = [one.state for one in states.values()]
    live = next((state for state in order if state in words), None)
    bad = next((s for s in words if s not in (*order, State.completed, State.sealed)), None)
    left = State.sealed if State.sealed in words else State.completed
    return Status(
        run=run,
        kind="chain",
        cluster=record["cluster"],
        job_id="",
        state=live or bad or left,
        why=", ".join(f"{name} {_told(name, members, states)}" for name in states)
        + (f"; forgia resume {run.name} releases it" if live is State.held else ""),
        step=words.count(State.completed),
        steps=len(words),
    )


def _told(name: str, members: Mapping[str, Mapping[str, Any]], states: Mapping[str, Status]) -> str:
    """Return a member's state; of one that was dropped before it ran, because of whom."""
    state = states[name].state
    if state is not State.cancelled or states[name].run.events("batch_started"):
        return state.value
    good = {*LIVE, State.completed}  # scancel takes a member too while those before it still run
    bad = [one for one in members[name]["after"] if states[one].state not in good]
    return f"never ran ({', '.join(bad)} did not complete)" if bad else state.value
