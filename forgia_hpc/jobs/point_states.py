"""Where each point of a sweep stands: done by its result, else by its task or allocation."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from forgia_hpc.claims import Claim, claims
from forgia_hpc.errors import ExitCode
from forgia_hpc.jobs import journal
from forgia_hpc.jobs.ending import ending
from forgia_hpc.jobs.history import history
from forgia_hpc.jobs.record import Record, read_record
from forgia_hpc.jobs.standing import State, last_word
from forgia_hpc.jobs.submission import alive, is_ours, sealed_record, submitted
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.slurm.arrays import task_states
from forgia_hpc.slurm.control import clear_hold
from forgia_hpc.slurm.reasons import in_words, is_held
from forgia_hpc.slurm.state import GOING, WAITING, SlurmState
from forgia_hpc.sweepdir import SweepDir, completed

WOKEN = 20  # tasks that one look lets start; each costs two questions
Tasks = Mapping[tuple[str, int], SlurmState]


@dataclass(frozen=True, kw_only=True)
class PointStatus:
    """Where one point stands. job: its task of an array, or the allocation that took it."""

    index: int
    state: State
    why: str = ""
    job: str = ""


def point_states(sweep: SweepDir) -> list[PointStatus]:
    """Return where each point stands; done is only what has left a valid result.

    Raises:
        SlurmSilentError: squeue gave no answer.
    """
    done = {index for index in _begun(sweep) if completed(sweep.point(index))}
    left = [index for index in range(len(sweep.points)) if index not in done]
    finished = [PointStatus(index=index, state=State.completed) for index in sorted(done)]
    tell = _Packed(sweep) if read_json(sweep.manifest)["start"]["allocation"] else _Array(sweep)
    if not sealed_record(sweep)["slurm"]:
        tell = _Packed(sweep)
    return sorted([*finished, *(tell(index) for index in left)], key=lambda one: one.index)


def _begun(sweep: SweepDir) -> list[int]:
    try:
        return [int(entry.name) for entry in os.scandir(sweep.path / "points")]
    except FileNotFoundError:
        return []


def wake(tasks: Tasks, environment: Mapping[str, str]) -> None:
    """Let tasks that were requeued start now: Slurm holds them for two minutes."""
    held = [
        f"{job}_{index}"
        for (job, index), one in tasks.items()
        if one.state in WAITING and one.reason == "BeginTime"
    ]
    for task in held[:WOKEN]:
        clear_hold(task, environment, now=time.time())


class _Array:
    """Points that are tasks of arrays."""

    def __init__(self, sweep: SweepDir) -> None:
        self._sweep, record = sweep, sealed_record(sweep)
        entries = journal.entries(sweep)
        if any(entry.open for entry in entries):
            journal.settle(sweep, record["slurm_environment"])
            entries = journal.entries(sweep)
        self._jobs = {entry.number: entry.job_id for entry in entries if entry.job_id}
        self._tasks = {
            key: one
            for key, one in task_states(
                list(self._jobs.values()), record["slurm_environment"]
            ).items()
            if is_ours(one.name, sweep)
        }
        wake(self._tasks, record["slurm_environment"])
        self._waiting = set(sweep.waiting())
        self._place = {
            point: (self._jobs[chunk.number], position)
            for chunk in sweep.chunks()
            if chunk.number in self._jobs
            for position, point in enumerate(chunk.points)
        }

    def __call__(self, index: int) -> PointStatus:
        """Return where a point stands that has left no result."""
        if index in self._waiting:
            return PointStatus(index=index, state=State.sealed, why="waits for room in the queue")
        if index not in self._place:
            return PointStatus(index=index, state=State.sealed)
        job, position = self._place[index]
        task = f"{job}_{position}"
        told = self._tasks.get((job, position))
        if told and told.state in WAITING | GOING:
            if told.state in GOING:
                return PointStatus(index=index, state=State.running, why=told.nodes, job=task)
            return PointStatus(
                index=index, state=_waiting(told), why=in_words(told.reason), job=task
            )
        state, why = _ending(self._sweep.point(index), told)
        return PointStatus(index=index, state=state, why=why, job=task)


def _waiting(told: SlurmState) -> State:
    return State.held if is_held(told.reason) else State.pending


def _ending(run: RunDir, told: SlurmState | None) -> tuple[State, str]:
    """Say how a point ended that has left no result: by its record, its logs and Slurm, as any run's."""
    if told is not None:
        found = ending(read_record(run) if run.job.is_file() else Record(), told)
        words = (found.why, *(sentence for sentence, _ in history(run)))
        return found.state, "; ".join(filter(None, words))
    word = last_word(run)
    if word is not None:
        stopped = word.facts["exit_code"] == ExitCode.STOPPED
        why = str(word.facts.get("why") or f"exit code {word.facts['exit_code']}")
        return (State.stopped if stopped else State.failed), why
    return State.vanished, "Slurm no longer knows its job, and it left no last word"


class _Packed:
    """Points that allocations take from one list."""

    def __init__(self, sweep: SweepDir) -> None:
        self._sweep, record = sweep, sealed_record(sweep)
        self._claims = claims(sweep)
        self._live: frozenset[str] = frozenset()
        self._waits: SlurmState | None = None
        if not record["slurm"]:
            self._process = bool(submitted(sweep)) and alive(submitted(sweep))
            return
        self._process = False
        entries = journal.entries(sweep)
        if any(entry.open for entry in entries):
            journal.settle(sweep, record["slurm_environment"])
        jobs = [entry.job_id for entry in journal.entries(sweep) if entry.job_id]
        found = task_states(jobs, record["slurm_environment"])
        wake(found, record["slurm_environment"])
        ours = {f"{j}_{i}": one for (j, i), one in found.items() if is_ours(one.name, sweep)}
        self._live = frozenset(task for task, one in ours.items() if one.state in GOING)
        waiting = [replace(one, job_id=t) for t, one in ours.items() if one.state in WAITING]
        # one that starts by itself before one that is held
        self._waits = min(waiting, key=lambda one: is_held(one.reason), default=None)

    def __call__(self, index: int) -> PointStatus:
        """Return where a point stands that has left no result."""
        taken = self._claims.get(index, [])
        newest = taken[-1] if taken else None
        if newest and newest.ended is None and self._holds(newest):
            return PointStatus(index=index, state=State.running, job=newest.holder.job)
        if newest is None or not self._spent(newest):
            if self._waits and not self._live and is_held(self._waits.reason):
                why, job = in_words(self._waits.reason), self._waits.job_id
                return PointStatus(index=index, state=State.held, why=why, job=job)
            if self._process or self._live or self._waits:
                return PointStatus(index=index, state=State.pending, why="waits for its turn")
            if newest is None:
                return PointStatus(index=index, state=State.sealed, why="no allocation is left")
        state, why = _ending(self._sweep.point(index), None)
        if state is State.vanished:
            why = "its allocation ended before it did"
        return PointStatus(index=index, state=state, why=why, job=newest.holder.job)

    def _holds(self, claim: Claim) -> bool:
        if claim.holder.job:
            return claim.holder.job in self._live
        return alive(claim.holder.__dict__)

    def _spent(self, claim: Claim) -> bool:
        """Whether no allocation will take the point again by itself."""
        return bool(claim.ended and claim.ended.get("spent"))
