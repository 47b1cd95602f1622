"""The prepare workload: ranks share the contributions, rank 0 seals the consortia that name them."""

from __future__ import annotations

import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from forgia_hpc.data.card import card_from
from forgia_hpc.data.ingest.load import recipe_from_text
from forgia_hpc.data.ingest.report import IngestReport
from forgia_hpc.data.ingest.sealing import seal_contribution, seal_members
from forgia_hpc.errors import InputError, Problem, StoppedError
from forgia_hpc.metrics import MetricsFile
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import World
from forgia_hpc.schema.job import PrepareJob

INPUTS = "prepare.json"  # in inputs/: cards and recipes, as data/ingest/load.py: prepare_inputs made them


def prepare(job: PrepareJob, run: RunDir, world: World, stop: StopFlag) -> dict[str, Any]:
    """Make every contribution of the job and return what was made.

    Raises:
        InputError: everything that was refused, of all contributions.
        StoppedError: asked to stop between two contributions; what is sealed stays.
    """
    inputs = read_json(run.inputs / INPUTS)
    names = list(inputs["contributions"])
    made: dict[str, Any] = {}
    problems: list[Problem] = []
    with MetricsFile(run.metrics) as metrics:
        for first in range(0, len(names), world.size):
            if world.any(stop.requested):
                raise StoppedError(f"stopped after {len(made)} of {len(names)} contributions")
            mine = next(islice(names, first + world.rank, first + world.rank + 1), None)
            for result in world.gather_all(_make(job, run, inputs, mine)):
                problems += [Problem(**problem) for problem in result.pop("problems")]
                made |= result["made"]
            if world.is_root:
                _log(metrics, made, len(names))
    if problems:
        raise InputError(problems)
    return {"contributions": made, "consortia": _seal_consortia(job, run, inputs, world)}


def _make(job: PrepareJob, run: RunDir, inputs: dict[str, Any], name: str | None) -> dict[str, Any]:
    """Make one contribution (None: nothing) and return the figures, or what was refused."""
    if name is None:
        return {"made": {}, "problems": []}
    started = time.perf_counter()
    source = inputs["contributions"][name]
    raw = Path(job.prepare.raw) if job.prepare.raw else None
    try:
        version, report = seal_contribution(
            card_from(source["card"], where=f"inputs/{INPUTS}"),
            recipe_from_text(source["recipe"], where=f"inputs/{INPUTS}: {name}"),
            raw,
            Path(inputs["into"]),
            overwrite=job.prepare.overwrite,
        )
    except InputError as error:
        return {"made": {}, "problems": [_plain(problem) for problem in error.problems]}
    run.event("prepared", contribution=name, version=version, mends=report.totals())
    seconds = time.perf_counter() - started
    return {"made": {name: _figures(version, report, seconds)}, "problems": []}


def _figures(version: str, report: IngestReport, seconds: float) -> dict[str, Any]:
    return {
        "version": version,
        "rows_in": report.rows_in,
        "rows_out": report.rows_out,
        "values": report.values_out,
        "mends": report.totals(),
        "seconds": round(seconds, 3),
    }


def _log(metrics: MetricsFile, made: dict[str, Any], total: int) -> None:
    """Append how far all ranks are: step = contributions made."""
    figures = made.values()
    metrics.append(
        len(made),
        phase="prepare",
        of=total,
        rows=sum(one["rows_in"] for one in figures),
        values=sum(one["values"] for one in figures),
        seconds=sum(one["seconds"] for one in figures),
    )


def _seal_consortia(
    job: PrepareJob, run: RunDir, inputs: dict[str, Any], world: World
) -> dict[str, str]:
    """Seal the consortia on rank 0, once every member is there."""
    versions = {}
    if world.is_root:
        for name, content in inputs["consortia"].items():
            card = card_from(content, where=f"inputs/{INPUTS}")
            versions[name] = seal_members(
                card, Path(inputs["into"]), overwrite=job.prepare.overwrite
            )
            run.event("prepared", consortium=name, version=versions[name])
    return dict(world.broadcast(versions))


def _plain(problem: Problem) -> dict[str, Any]:
    return {**asdict(problem), "got": str(problem.got)}
