"""What only one KIND of job has: completed and checked before anything is sealed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from forgia_hpc import sources
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.code import code_sources
from forgia_hpc.jobs.find import find_run
from forgia_hpc.models.names import check_name
from forgia_hpc.schema.job import (
    CommandJob,
    EvaluateJob,
    Job,
    PrepareJob,
    SimulateJob,
    TrainJob,
)


def complete_kind(
    job: Job, argv: Sequence[str], runs: Path, *, coming: Collection[str] = ()
) -> list[Problem]:
    """Complete and check what only one KIND has. `coming`: paths of runs that are not there yet."""
    if isinstance(job, CommandJob):
        return _program(job, argv)
    if argv:
        return [Problem(field="--", got=" ".join(argv), limit="only a command job takes a program")]
    if isinstance(job, EvaluateJob):
        return [] if job.evaluate.run in coming else _trained(job, runs)
    own: dict[type[Job], Callable[[Any], list[Problem]]] = {
        PrepareJob: _prepare,
        SimulateJob: _ensemble,
        TrainJob: _family,
    }
    if type(job) in own:
        return own[type(job)](job)
    limit, fix = "a chain is many jobs", "forgia submit chain chain=…"
    return [Problem(field="KIND", got=job.kind.value, limit=limit, fix=fix)]


def _program(job: CommandJob, argv: Sequence[str]) -> list[Problem]:
    """Add the words after `--` to the program."""
    job.command.argv = [*job.command.argv, *argv]
    if job.command.argv:
        return []
    fix = "forgia submit command -- python train.py"
    return [Problem(field="command.argv", got=[], limit="a program is needed", fix=fix)]


def _family(job: TrainJob) -> list[Problem]:
    """Find here what a rank would find hours later: a family that is in no table and in no sealed file."""
    try:
        module, _ = check_name(job.model.family)
    except InputError as error:
        return list(error.problems)
    top = module.partition(".")[0]
    if top in {Path(name).stem for name in code_sources(job)} or find_spec(top):
        return []
    limit, fix = f"there is no module {top} on $FORGIA_PATH", "add its folder, or mend the name"
    return [Problem(field="model.family", got=job.model.family, limit=limit, fix=fix)]


def _prepare(job: PrepareJob) -> list[Problem]:
    raw = job.prepare.raw or os.environ.get("FORGIA_RAW", "")
    job.prepare.raw = str(Path(raw).expanduser().resolve()) if raw else ""
    known = sources.named("datasets", "*/card.yaml")
    problems = [
        Problem(
            field="prepare.contributions",
            got=name,
            limit=f"one of {', '.join(sorted(known))}",
            where="datasets/",
        )
        for name in job.prepare.contributions
        if name not in known
    ]
    if not job.prepare.contributions:
        problems.append(
            Problem(
                field="prepare.contributions",
                got=[],
                limit="at least one is needed",
                fix="prepare.contributions=[refinery]",
            )
        )
    return problems


def _ensemble(job: SimulateJob) -> list[Problem]:
    """Find the file of the members from wherever this is asked again; what is in it is read with the members."""
    if job.ensemble.csv:
        job.ensemble.csv = str(Path(job.ensemble.csv).expanduser().resolve())
    return []


def _trained(job: EvaluateJob, runs: Path) -> list[Problem]:
    """Put the path of the judged run in place of its name."""
    if not job.evaluate.run:
        return [
            Problem(
                field="evaluate.run", got="", limit="a train run is needed", fix="evaluate.run=RUN"
            )
        ]
    try:
        run = find_run(job.evaluate.run, runs)
    except InputError as error:
        return [dataclasses.replace(problem, field="evaluate.run") for problem in error.problems]
    if not (run.output / "model" / "model.json").is_file():
        return [
            Problem(
                field="evaluate.run",
                got=run.name,
                limit="it has left no model",
                where=str(run.output),
                fix="forgia status " + run.name,
            )
        ]
    job.evaluate.run = str(run.path)
    return []
