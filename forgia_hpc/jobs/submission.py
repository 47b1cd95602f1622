"""How a run was handed over: to which job, or as which process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.rundir import Event, RunDir, read_json


def token(run: RunDir, number: int) -> str:
    """Return the name of the Slurm job of a run's submission; the first has the one in the sealed script."""
    return f"forgia-{run.name}" + (f".{number}" if number > 1 else "")


def is_ours(name: str, run: RunDir) -> bool:
    """Whether a job of this name was submitted for the run; its id alone proves nothing."""
    first = token(run, 1)
    return name == first or (name.startswith(f"{first}.") and name[len(first) + 1 :].isdigit())


def sealed_record(run: RunDir) -> dict[str, Any]:
    """Return job.json, as far as a status needs it.

    Raises:
        SealBrokenError: it is no record of ours any more.
    """
    try:
        job = read_json(run.job)
    except InputError as error:
        raise SealBrokenError(str(error)) from error
    needed = ("kind", "cluster", "slurm", "slurm_environment")
    if not isinstance(job, dict) or any(key not in job for key in needed):
        raise SealBrokenError(f"{run.job}: not the record that was sealed")
    return job


def submitted(run: RunDir) -> dict[str, Any]:
    """Return the facts of the newest submission, or nothing.

    A submitter killed before its last line leaves no event; the batch step then tells the same itself.
    """
    told, started = run.events("submitted")[-1:], run.events("batch_started")[-1:]
    if not started or (
        told and (told[0].time_ns > started[0].time_ns or _same(told[0], started[0]))
    ):
        return told[0].facts if told else {}
    facts = started[0].facts
    if facts.get("job_id"):
        return {"job_id": facts["job_id"]}
    return {"pid": facts["pid"], "host": facts["node"], "start_ticks": _ticks_of_batch(run, facts)}


def _same(told: Event, started: Event) -> bool:
    """Whether this batch step is the one that was handed over."""
    key = "job_id" if "job_id" in told.facts else "pid"
    return bool(told.facts[key] == started.facts.get(key))


def _ticks_of_batch(run: RunDir, facts: Mapping[str, Any]) -> str:
    """Return when the process of a batch step started; nothing if the number is another's by now."""
    try:
        words = Path(f"/proc/{facts['pid']}/cmdline").read_bytes().split(b"\0")
        return start_ticks(facts["pid"]) if os.fsencode(run.path) in words else ""
    except OSError:
        return ""


def start_ticks(pid: int) -> str:
    """Return when a process started, in clock ticks since boot: with the pid, its identity."""
    return _stat(pid)[19]


def alive(told: Mapping[str, Any]) -> bool:
    """Whether the process of the submission still lives, and is not another one with its number."""
    try:
        stat = _stat(told["pid"])
    except OSError:
        return False
    return stat[0] != "Z" and stat[19] == told.get("start_ticks")


def living(run: RunDir) -> list[int]:
    """Return the processes of this machine that still work on the run: batch step and ranks, stalled or not."""
    here = str(run.path).encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended meanwhile
        if here in words and any(word.startswith(b"forgia_hpc.node.") for word in words):
            found.append(int(path.name))
    return sorted(found)


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat after the program's name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
