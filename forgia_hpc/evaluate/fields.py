"""Judge a surrogate of simulations: rollouts on trajectories it never saw, beside baselines and the solver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from forgia_hpc.data.fields.facts import provenance_of
from forgia_hpc.data.fields.inputs import FieldInputs, cutting_of
from forgia_hpc.data.fields.reader import FieldDataset, open_fields
from forgia_hpc.data.layout import Split
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.evaluate.dealing import Dealing
from forgia_hpc.evaluate.field_limits import limits, something
from forgia_hpc.evaluate.field_rows import (
    REFERENCE,
    by_task,
    cost,
    looked_at,
    notes_on,
    score_rows,
    worst_rows,
)
from forgia_hpc.evaluate.rollout import LEAST_SEEN, Rolled, RolloutJudge, Surrogate
from forgia_hpc.evaluate.skill import skill_of
from forgia_hpc.evaluate.solver_time import member_seconds
from forgia_hpc.evaluate.windows import CHUNK, Chunk, parse_splits, spread
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.artefact import ModelFacts
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import World
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.job import EvaluateJob, TrainJob

CHUNK_BYTES = 256 << 20  # of truth that is read and rolled out together
Document = dict[str, Any]
Where = tuple[RunDir, World, StopFlag]


def judge_fields(
    job: TrainJob | EvaluateJob,
    grant: Document,
    model: tuple[torch.nn.Module, ModelFacts],
    where: Where,
) -> Document:
    """Return scores, skill, worst trajectories, cost and notes; complete on rank 0 only.

    Raises:
        InputError: the model is of other fields, or no trajectory is long enough.
        StoppedError: asked to stop before it was done.
    """
    module = model[0]
    with open_fields(grant, verify=job.data.verify, io=job.data.io) as dataset:
        data = _as_trained(job.data, module)
        horizons, judges = _judges(dataset, data, job, module)
        run, world, stop = where
        work = [
            chunk for judge in judges.values() for chunk in _chunks(judge, job.evaluate.max_windows)
        ]
        dealing = Dealing(world, stop, run.metrics, sum(len(one.windows) for one in work))

        def roll(chunk: Chunk) -> Document:
            rolled, frames = judges[chunk.split].chunk(chunk)
            return {"rolled": [one.as_json() for one in rolled], "frames": frames}

        done = dealing.each(work, roll, lambda chunk: len(chunk.windows))
        told: Document = {
            "dataset": grant.get("identifier")
            or "+".join(source.manifest.identifier for source in dataset.sources),
            "context": module.context,
            "horizon": horizons[-1],
        }
        if world.is_root:
            judged = sum(len(part["rolled"]) for part in done)
            something(judged, data.dataset)
            told |= _document(done, job, (horizons, judges), run)
            whole = sum(len(chunk.windows) for chunk in work)
            shown = [judge.windows for judge in judges.values()]
            told["notes"] += limits(shown, module.shape, whole - judged)
    return told


def _document(
    done: Sequence[Document],
    job: TrainJob | EvaluateJob,
    judging: tuple[Sequence[int], Mapping[Split, RolloutJudge]],
    run: RunDir,
) -> Document:
    """Return the figures of all ranks' windows as evaluation.json has them."""
    horizons, judges = judging
    windows = [Rolled(**row) for part in done for row in part["rolled"]]
    middle = f"vrmse_{horizons[len(horizons) // 2]}"  # first: it is the headline
    metrics = [middle, *(name for at in horizons if (name := f"vrmse_{at}") != middle)]
    judge = next(iter(judges.values()))
    shape, grid = judge.surrogate.module.shape, judge.windows.schema.grid.shape
    return {
        "scores": score_rows(windows, horizons),
        "skill": skill_of(
            by_task(windows),
            metrics,
            REFERENCE,
            lambda own, name: own[name],
            lambda one: (one.contribution, one.member),
        ),
        "worst": worst_rows(windows, middle),
        "cost": cost(windows, _solver(judges, job.evaluate.solver_s, run), shape.noise, grid),
        "frames": looked_at(
            [frame for part in done for frame in part["frames"]], job.evaluate.examples
        ),
        "examples": [],
        "anomaly": [],
        "notes": notes_on(windows, job.evaluate.rollout, horizons),
    }


def field_headline(content: Document) -> Document:
    """Return the few figures that go into result.json: of all windows, each counting once."""
    whole = {
        f"{row['method']}_{row['metric']}_skill": row["skill"]
        for row in content["skill"]
        if (row["contribution"], row["split"]) == ("all", "all")
    }
    found: Document = {}
    for method in ("model", "persistence", "linear"):
        rows = [row for row in content["scores"] if row["method"] == method]
        total = sum(row["windows"] for row in rows)
        for at in rows[0]["vrmse"]:
            mean = sum(row["vrmse"][at] * row["windows"] for row in rows) / total
            found[f"vrmse_{at}" if method == "model" else f"{method}_vrmse_{at}"] = mean
        found["windows"] = total
    return {**found, **whole, "faster": content["cost"]["faster"]}


def _as_trained(data: Data, module: torch.nn.Module) -> Data:
    """Return the words of the windows with those that the model was trained with."""
    shape = module.shape
    return Data(
        dataset=data.dataset,
        steps_in=max(LEAST_SEEN, module.context),
        stride=shape.stride,
        fields=list(data.fields),
    )


def _judges(
    dataset: FieldDataset, data: Data, job: TrainJob | EvaluateJob, module: torch.nn.Module
) -> tuple[tuple[int, ...], dict[Split, RolloutJudge]]:
    """Return the horizons that the trajectories allow, and what judges each split that has any."""
    longest = {split: _longest(dataset, split, data) for split in parse_splits(job.evaluate.splits)}
    there = {split: most for split, most in longest.items() if most >= 1}
    if not there:
        limit = f"no trajectory of {data.dataset} has {data.steps_in + 1} steps in them"
        if not any(source.trajectories(split) for source in dataset.sources for split in longest):
            limit = f"{data.dataset} has no trajectory in them"
        fix = "ask for other splits, or for a shorter data.stride"
        got = ", ".join(job.evaluate.splits)
        raise InputError(Problem(field="evaluate.splits", got=got, limit=limit, fix=fix))
    most, wished = min(there.values()), sorted(set(job.evaluate.rollout))
    horizons = tuple(at for at in wished if at <= most)
    if len(horizons) < len(wished):
        horizons = (*horizons, most) if most not in horizons else horizons
    surrogate = Surrogate(module, horizons)
    cutting = cutting_of(data, horizons[-1])
    windows = {split: dataset.windows(split, cutting) for split in there}
    judges = {
        split: RolloutJudge(one, FieldInputs(one, module.shape), surrogate)
        for split, one in windows.items()
    }
    return horizons, judges


def _longest(dataset: FieldDataset, split: Split, data: Data) -> int:
    """Return the steps that a model can be asked ahead on the longest trajectory of a split."""
    lengths = [
        len(source.index.times_of(row))
        for source in dataset.sources
        for row in source.trajectories(split)
    ]
    return (max(lengths) - 1) // data.stride + 1 - data.steps_in if lengths else 0


def _chunks(judge: RolloutJudge, most: int) -> list[Chunk]:
    """Return the work of one split; the pieces hang on the data only, for rounding hangs on them."""
    index = judge.windows
    cells = len(index.channels)
    for size in index.schema.grid.shape:
        cells *= size
    size = max(1, min(CHUNK, CHUNK_BYTES // (8 * cells * index.cutting.steps)))
    return [
        Chunk(contribution, index.split, windows[at : at + size], at // size)
        for contribution, count in enumerate(index.counts)
        for windows in [spread(count, most)]
        for at in range(0, len(windows), size)
    ]


def _solver(
    judges: Mapping[Split, RolloutJudge], told: float | None, run: RunDir
) -> dict[str, float]:
    """Return member → seconds that its solver took for one step of the model.

    As its provenance says; else as `told`; else as the campaign that made the data says of the median one.
    """
    found = {}
    for split, judge in judges.items():
        for source in judge.windows.sources:
            whole = told or member_seconds(run, source.manifest.version)
            steps = {
                source.index.trajectories["member"][row].decode(): len(source.index.times_of(row))
                for row in source.trajectories(split)
            }
            facts = provenance_of(source, split)
            for member, count in steps.items():
                seconds = facts.get(member, {}).get("seconds", whole)
                if isinstance(seconds, int | float) and count > 1:
                    found[member] = float(seconds) / (count - 1) * judge.windows.cutting.stride
    return found
