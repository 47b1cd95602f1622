"""The prepare workload: ranks share small contributions and read large ones together; rank 0 seals consortia."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from forgia_hpc.data.card import card_from
from forgia_hpc.data.ingest.gather import Means
from forgia_hpc.data.ingest.load import recipe_from_text
from forgia_hpc.data.ingest.report import IngestReport
from forgia_hpc.data.ingest.sealing import raw_bytes, seal_contribution, seal_members
from forgia_hpc.errors import InputError, Problem, StoppedError
from forgia_hpc.metrics import MetricsFile
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import World
from forgia_hpc.schema.job import PrepareJob

LARGE_BYTES = 64 << 20  # raw files that all ranks read together: a few stretches for each
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
        for turn in _turns(job, inputs, world):
            if world.any(stop.requested):
                raise StoppedError(f"stopped after {len(made)} of {len(names)} contributions")
            together = len(turn) == 1 and world.size > 1
            mine = turn[0] if together else next(iter(turn[world.rank : world.rank + 1]), None)
            found = _make(job, run, inputs, mine, world if together else None)
            for result in [found] if together else world.gather_all(found):
                problems += [Problem(**problem) for problem in result.pop("problems")]
                made |= result["made"]
            if world.is_root:
                _log(metrics, made, len(names))
    if problems:
        raise InputError(problems)
    return {"contributions": made, "consortia": _seal_consortia(job, run, inputs, world)}


def _turns(job: PrepareJob, inputs: dict[str, Any], world: World) -> list[list[str]]:
    """Return the contributions of each turn: one that all ranks read, or a small one for each rank."""
    raw = Path(job.prepare.raw) if job.prepare.raw else None
    large: list[str] = []
    small: list[str] = []
    for name, source in inputs["contributions"].items():
        recipe = recipe_from_text(source["recipe"], where=f"inputs/{INPUTS}: {name}")
        (large if raw_bytes(recipe, raw) > LARGE_BYTES else small).append(name)
    dealt = [small[at : at + world.size] for at in range(0, len(small), world.size)]
    return [*dealt, *([name] for name in large)]


def _make(
    job: PrepareJob, run: RunDir, inputs: dict[str, Any], name: str | None, world: World | None
) -> dict[str, Any]:
    """Make one contribution (None: nothing), alone or with all ranks; return the figures, or what was refused."""
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
            means=None if world is None else Means(world=world),
        )
    except InputError as error:
        return {"made": {}, "problems": [_plain(problem) for problem in error.problems]}
    if world is None or world.is_root:
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
