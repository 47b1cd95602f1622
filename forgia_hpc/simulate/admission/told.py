"""What a probation has left, for those who only read it: light, as the supervisor is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.simulation import Solver, SolverKind
from forgia_hpc.simulate.journal import campaign_of

CASES = (
    "V2",
    "V4",
    "V5",
    "V6",
    "V9",
    "V11",
    "V12",
    "V13",
)  # of the verification suite: two seconds in all
TRIALS = (
    "units",
    "inputs",
    "twin",
    "axes",
    "finer level",
    "sloping properties",
    *CASES,
    "manufactured",
    "order in time",
)


def verification_of(run: RunDir) -> Path:
    """Return where the figures of a passed probation are; made once, by the first group that has passed."""
    return campaign_of(run) / "verification.json"


def trial_of(run: RunDir, launch: str) -> Path:
    """Return where a start of a group keeps its own trial, until it has passed."""
    return campaign_of(run) / f"verification-{launch}.json"


def has_failed(run: RunDir, launch: str) -> bool:
    """Whether this start of a group has found the solver unfit, or ended in its trial."""
    return trial_of(run, launch).is_file()


def trials_of(solver: Solver) -> Sequence[str]:
    """Return what a solver of this kind must have passed before its members were solved."""
    return TRIALS if solver.kind is SolverKind.builtin else ()
