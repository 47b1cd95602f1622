"""Why a job that waited for others never began: which of them did not complete."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forgia_hpc.errors import ExitCode
from forgia_hpc.jobs.standing import last_word
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.sweepdir import completed


def never_began(run: RunDir, told: Mapping[str, Any]) -> str:
    """Return why Slurm dropped a job before it began; empty where it did begin, or waited for nothing.

    Args:
        run: a run whose job Slurm calls cancelled.
        told: the facts of its submission.
    """
    if run.events("batch_started"):
        return ""
    asked, sent = run.events("cancel_asked"), run.events("submitted")
    if asked and (not sent or asked[-1].time_ns > sent[-1].time_ns):
        return "it never began: forgia cancel"
    bad = [words for name, one in _before(run).items() if (words := _short(name, one))]
    if bad:
        return f"it never began: {', '.join(bad)}"
    edge = str(told.get("after") or "").rpartition(":")[2]
    return f"it never began: job {edge}, which it waited for, did not complete" if edge else ""


def _before(run: RunDir) -> dict[str, Any]:
    """Return the predecessors of a chain's member by name."""
    path = run.inputs / "before.json"
    return read_json(path) if path.is_file() else {}


def _short(name: str, before: Mapping[str, str]) -> str:
    """Return how a predecessor did not complete; empty where it did."""
    other = RunDir(Path(before["run"]))
    if completed(other):
        return ""
    word = last_word(other)
    if word is None:
        began = other.events("batch_started")
        asked = "was cancelled" if other.events("cancel_asked") else "has not completed"
        return f"{name} {asked if began else 'never began either'}"
    return f"{name} {'was stopped' if word.facts['exit_code'] == ExitCode.STOPPED else 'failed'}"
