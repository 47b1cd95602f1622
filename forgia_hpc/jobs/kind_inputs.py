"""What jobs that make a dataset take along: recipes and cards, or frozen members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from forgia_hpc.config.replaced import lost_words
from forgia_hpc.data.ingest.load import prepare_inputs
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import Job, PrepareJob, SimulateJob
from forgia_hpc.schema.simulation import SolverKind


def recipes_of(job: Job, root: Path, _wish: Any, problems: list[Problem]) -> dict[str, Any]:
    """Return the cards and recipes that a prepare job takes along."""
    if not isinstance(job, PrepareJob) or any("prepare" in problem.field for problem in problems):
        return {}
    return {"prepare": prepare_inputs(job.prepare.contributions, root)}


def ensemble_of(job: Job, root: Path, _wish: Any, problems: list[Problem]) -> dict[str, Any]:
    """Return the frozen members of a simulate job, and the card of the dataset that they make."""
    if not isinstance(job, SimulateJob):
        return {}
    from forgia_hpc.jobs.ensemble import ensemble_inputs  # noqa: PLC0415 - no other KIND needs NumPy

    try:
        return ensemble_inputs(job, root)
    except InputError as error:  # wrong on any machine, so a dry run refuses it too
        problems += error.problems
        return {}


def programs_gone(job: Job) -> list[Problem]:
    """Return the programs of a simulate job that this machine has not; a container's are not looked for."""
    if not isinstance(job, SimulateJob) or job.solver.kind is not SolverKind.command:
        return []
    if job.container.image:
        return []
    from forgia_hpc.simulate.command.named import missing_programs  # noqa: PLC0415 - as above

    return missing_programs(job.solver.program)


def member_warnings(job: Job, inputs: Mapping[str, Any], words: Sequence[str]) -> list[Problem]:
    """Return what of the frozen members may surprise: empty parts, rows passed over, a scale that is gone."""
    if not isinstance(job, SimulateJob) or "members" not in inputs:
        return []
    repeated = _repeated(job.ensemble.csv) if job.ensemble.csv else []
    return [*_empty_parts(inputs), *repeated, *lost_words(job, words)]


def _repeated(file: str) -> list[Problem]:
    from forgia_hpc.simulate.rows import repeated  # noqa: PLC0415 - as above

    if not (lines := repeated(Path(file))):
        return []
    limit = f"{len(lines)} row(s) repeat earlier ones, first line {lines[0]}; each member is solved once"
    return [Problem(field="ensemble.csv", got=file, limit=limit)]


def _empty_parts(inputs: Mapping[str, Any]) -> list[Problem]:
    shares = inputs["members"]["design"]["split"]
    got = inputs["members"]["members"]["split"]
    if not (empty := [name for name, share in shares.items() if share and name not in got]):
        return []
    limit = f"no member is in {', '.join(empty)}: a model has nothing to be chosen or judged by"
    fix = "more members, or other shares: ensemble.split={train: 0.5, valid: 0.25, test: 0.25}"
    return [Problem(field="ensemble.split", got=_words(shares), limit=limit, fix=fix)]


def _words(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:g}" for name, share in shares.items())
