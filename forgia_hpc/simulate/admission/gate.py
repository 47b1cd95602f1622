"""The gate of a campaign: nothing is solved for the dataset before the sealed solver has passed its probation."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.errors import JobFailedError
from forgia_hpc.rundir import RunDir, make_once, read_json, write_json
from forgia_hpc.schema.job import SimulateJob
from forgia_hpc.schema.simulation import Solver, SolverKind
from forgia_hpc.simulate.admission.told import trial_of, verification_of
from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.member import Finding, Member
from forgia_hpc.simulate.members import Members

FORMAT = "forgia.verification/1"


def put_on_trial(
    job: SimulateJob, run: RunDir, members: Members, ranks: Communicator, whole: Any
) -> None:
    """Try the built-in solver, unless a group of this run has done so; all ranks of a group together.

    Asked once a start, before a member is begun: a cold compile is on no member's clock. Other kinds of solver
    are their owners' to verify: nothing is asked of them here.

    Raises:
        JobFailedError: the solver is not what it says; output/campaign/verification-<launch>.json has each figure.
    """
    if job.solver.kind is not SolverKind.builtin:
        return
    passed = verification_of(run)
    if ranks.bcast(_has_passed(passed, members.solver) if ranks.rank == 0 else None):
        return
    from forgia_hpc.simulate.admission.probation import tried  # noqa: PLC0415 - SciPy
    from forgia_hpc.simulate.admission.probe import Probe, refusal  # noqa: PLC0415

    own = trial_of(run, os.environ["FORGIA_LAUNCH"])
    if ranks.rank == 0:  # whoever dies of it has failed
        write_json(own, _told(members.solver, [], passed=False))
    with tempfile.TemporaryDirectory(prefix="forgia-probation-") as scratch:
        trials = tried(Probe(job.solver, members, ranks, whole, Path(scratch)), job.ensemble.inputs)
    why = ranks.bcast(refusal(trials) if ranks.rank == 0 else None)
    if ranks.rank == 0:
        told = _told(members.solver, [one.as_json() for one in trials], passed=not why)
        _leave(passed, own, told)
    if why:
        raise JobFailedError(f"the solver failed its probation, so nothing is admitted: {why}")


def member_audits(
    solver: Solver, schema: Schema, member: Member, numbers: Mapping[str, Array]
) -> list[Finding]:
    """Return what a member's numbers say against what was asked, without the solver's own code."""
    if solver.kind is not SolverKind.builtin:
        return []
    from forgia_hpc.simulate.admission.audit import asked_of, audits  # noqa: PLC0415 - SciPy

    asked = asked_of(solver.options, schema, member.inputs)
    return list(audits(asked, schema, numbers, level=member.level))


def _told(solver: str, trials: list[Any], *, passed: bool) -> dict[str, Any]:
    where = {"launch": os.environ["FORGIA_LAUNCH"], "node": os.uname().nodename}
    return {"format": FORMAT, **where, "solver": solver, "passed": passed, "trials": trials}


def _leave(passed: Path, own: Path, told: dict[str, Any]) -> None:
    """Leave the figures: of a pass in a file that no other group can take back, of a failure in our own."""
    if told["passed"]:
        make_once(passed, told)
        own.unlink()
    else:
        write_json(own, told)


def _has_passed(path: Path, solver: str) -> bool:
    return path.is_file() and read_json(path)["solver"] == solver
