"""Steps of our own job, found by name: an srun that is killed leaves a step whose number nobody was told."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

from forgia_hpc import process
from forgia_hpc.digest import sha256_text

ASK_S = 20
STRAYS_S = 2.0  # for what a dead group has left to end; the groups that live are waiting


def step_name(run: str, launch: str) -> str:
    """Return the name of the step of one start of a group; `run` is the run's path."""
    return f"{name_of(run)}.{launch}"


def name_of(run: str) -> str:
    """Return how the names of all steps of a run begin. The points of two sweeps are both called 0, 1, 2."""
    return f"{Path(run).name}-{sha256_text(run)[:6]}"


def end_steps(names: Collection[str], seconds: float) -> None:
    """Kill the steps of this job with these names (or a run's), and wait until they have gone, `seconds` at most.

    Where Slurm does not answer they stay: at the end of the job it ends them itself.
    """
    until = time.monotonic() + seconds
    with contextlib.suppress(process.ProgramMissingError, process.ProgramSilentError):
        while found := _steps(names):
            process.run(["scancel", "--signal=KILL", *found], timeout_s=ASK_S)
            if time.monotonic() > until:
                return
            time.sleep(0.1)


def _steps(names: Collection[str]) -> list[str]:
    """Return the numbers of our job's steps with such names."""
    if (job := os.environ.get("SLURM_JOB_ID")) is None:
        return []
    asked = ["squeue", "--noheader", "--steps", f"--jobs={job}", "--format=%i %j"]
    lines = process.run(asked, timeout_s=ASK_S).stdout.splitlines()
    rows = [line.split(maxsplit=1) for line in lines]
    begins = tuple(f"{name}." for name in names)  # with the dot: launch 1 is not launch 10
    return [row[0] for row in rows if len(row) == 2 and f"{row[1]}.".startswith(begins)]
