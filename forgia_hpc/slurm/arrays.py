"""What Slurm says of the tasks of arrays: one squeue and one sacct for any number of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.slurm.state import GOING, WAITING, SlurmState, account_rows, ask, queue_rows

_PENDING = re.compile(r"(?P<job>\d+)_\[(?P<tasks>[\d,-]+)(?:%\d+)?\]")


def queued_tasks(environment: Mapping[str, str], prefix: str) -> tuple[int, int]:
    """Return how many jobs with names that begin so, and how many of ours at all, are queued or running.

    Each task of an array counts.

    Raises:
        SlurmSilentError: squeue gave no answer.
    """
    argv = ["squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%j"]
    names = ask(argv, environment).stdout.splitlines()
    return sum(name.startswith(prefix) for name in names), len(names)


def task_states(
    job_ids: Sequence[str], environment: Mapping[str, str]
) -> dict[tuple[str, int], SlurmState]:
    """Return the state of each task by (job, index in the array); one that Slurm no longer knows is absent.

    Raises:
        SlurmSilentError: squeue gave no answer, so nothing may be concluded.
    """
    if not job_ids:
        return {}
    ended = _accounting(job_ids, environment)
    return {**ended, **_queue(job_ids, environment)}


def _queue(
    job_ids: Sequence[str], environment: Mapping[str, str]
) -> dict[tuple[str, int], SlurmState]:
    found = {}
    for task, state, reason, nodes, _, name in queue_rows(job_ids, environment):
        for job, index in tasks_of(task):
            found[job, index] = SlurmState(
                job_id=task,
                name=name,
                state=state,
                reason=reason,
                nodes=nodes,
                source="squeue",
            )
    return found


def _accounting(
    job_ids: Sequence[str], environment: Mapping[str, str]
) -> dict[tuple[str, int], SlurmState]:
    """Return the tasks that have ended by sacct; what it still believes to run is squeue's to tell."""
    found = {}
    for task, state, code, nodes, _, _, name in account_rows(job_ids, environment):
        exit_code, _, number = code.partition(":")
        for job, index in tasks_of(task):
            found[job, index] = SlurmState(
                job_id=task,
                name=name,
                state=state.split()[0],
                nodes=nodes,
                exit_code=int(exit_code),
                signal=int(number or 0),
                source="sacct",
            )
    return {key: one for key, one in found.items() if one.state not in WAITING | GOING}


def tasks_of(text: str) -> Iterator[tuple[str, int]]:
    """Yield (job, index) of `7_3` and of `7_[0-4,9%2]`; of a job that is no array its one task, 0."""
    if found := _PENDING.fullmatch(text):
        for part in found["tasks"].split(","):
            first, _, last = part.partition("-")
            for index in range(int(first), int(last or first) + 1):
                yield found["job"], index
        return
    job, _, task = text.partition("_")
    if not (task or "0").isdigit():
        raise SlurmSilentError(f"Slurm's list of tasks was cut: {text}")
    yield job, int(task or 0)
