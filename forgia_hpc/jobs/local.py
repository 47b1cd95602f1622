"""Runs without Slurm's queue: the batch step as a process of this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.allocation import inherited
from forgia_hpc.jobs.submission import start_ticks
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.slurm.executor import allowed


def start_local(run: RunDir, digest: str, *, detached: bool) -> dict[str, Any]:
    """Start the batch step as a process of this machine, with the same allow-listed environment."""
    sealed = read_json(run.job)
    environment = {
        **allowed(os.environ, {}),
        **({"CUDA_VISIBLE_DEVICES": v} if (v := os.environ.get("CUDA_VISIBLE_DEVICES")) else {}),
        **(inherited(os.environ) if sealed.get("allocation") else {}),
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": str(run.code),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    step = "forgia_hpc.node.waves" if sealed["kind"] == "sweep" else "forgia_hpc.node.batch"
    argv = [sealed["python"], "-m", step, str(run.path), "--digest", digest]
    with (run.logs / "batch.out").open("ab") as out, (run.logs / "batch.err").open("ab") as err:
        process = subprocess.Popen(
            argv,
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            cwd=run.path,
            env=environment,
            start_new_session=True,
        )
    facts = {
        "pid": process.pid,
        "start_ticks": start_ticks(process.pid),
        "host": os.uname().nodename,
    }
    run.event("submitted", **facts)
    if not detached:
        _CHILDREN[run.path] = process
    return facts


_CHILDREN: dict[Path, subprocess.Popen[bytes]] = {}


def reap(run: RunDir) -> None:
    """Collect an ended foreground child, so that it is no zombie that looks alive."""
    child = _CHILDREN.get(run.path)
    if child is not None and child.poll() is not None:
        del _CHILDREN[run.path]


def terminate(pid: int, ticks: str) -> None:
    """Send SIGTERM to a process, unless its number is another's by now."""
    try:
        if start_ticks(pid) == ticks:
            os.kill(pid, 15)
    except (ProcessLookupError, FileNotFoundError):
        return  # it has ended meanwhile, which is what was asked
    except PermissionError as error:
        limit = "it belongs to another user"
        raise InputError(Problem(field="RUN", got=f"process {pid}", limit=limit)) from error
