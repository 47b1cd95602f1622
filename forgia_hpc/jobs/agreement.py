"""A person's word that a run may go beyond the month's or their own share, kept for its later attempts."""

from __future__ import annotations

from forgia_hpc.jobs.holder import user_name
from forgia_hpc.rundir import RunDir

_EVENT = "share_agreed"


def note_agreed(run: RunDir, *, agreed: bool = True) -> None:
    """Note it with the run, once; nothing where nobody agreed."""
    if agreed and not has_agreed(run):
        run.event(_EVENT, by=user_name())


def has_agreed(run: RunDir) -> bool:
    """Whether somebody has agreed to it: at the first submission, or at a `forgia resume --yes`."""
    return bool(run.events(_EVENT))
