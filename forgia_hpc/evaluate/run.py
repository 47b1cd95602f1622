"""Judge a trained model: rolling-origin forecasts against two baselines, and anomaly scores against labels.

1. load the model and fit the baselines (every rank the same)
2. deal chunks of windows, then labelled segments, over the ranks
3. gather the figures on rank 0, sort, write <run>/output/evaluation.json
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from forgia_hpc.data.access.granting import left_out as denied
from forgia_hpc.data.leaks import kept as leaks
from forgia_hpc.data.reader import Dataset, open_dataset
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.evaluate.dealing import Dealing
from forgia_hpc.evaluate.fields import field_headline, judge_fields
from forgia_hpc.evaluate.judge import Forecast, Judge, fit_baselines
from forgia_hpc.evaluate.metrics import Array, Ints
from forgia_hpc.evaluate.notes import notes_on
from forgia_hpc.evaluate.skill import Judged, score_rows, skill_rows
from forgia_hpc.evaluate.watch import watch, watched
from forgia_hpc.evaluate.windows import Chunk, channel_spreads, chunks, parse_splits
from forgia_hpc.models.field_shape import KEY
from forgia_hpc.rundir import RunDir, read_json, write_json
from forgia_hpc.runtime import artefact
from forgia_hpc.runtime.artefact import ModelFacts
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import World
from forgia_hpc.schema.job import EvaluateJob, TrainJob

FORMAT = "forgia.evaluation/1"

Document = dict[str, Any]


def evaluate(
    job: TrainJob | EvaluateJob, run: RunDir, world: World, stop: StopFlag
) -> dict[str, Any]:
    """Judge the model of this run (or of job.evaluate.run), write output/evaluation.json, return its headline.

    Raises:
        StoppedError: asked to stop before it was done.
        InputError: no model, no such split, no window to judge.
        SealBrokenError: model or data differ from what was sealed.
    """
    began = time.monotonic()
    directory = model_directory(job, run)
    facts = artefact.read_facts(directory)
    grant = read_json(run.inputs / "grant.json")
    module = artefact.load(directory, device_of(world))
    judge, headline_of = (
        (judge_fields, field_headline) if KEY in facts.extra else (_judge_telemetry, _headline)
    )
    judged = judge(job, grant, (module, facts), (run, world, stop))
    headline = None
    if world.is_root:
        content = {"format": FORMAT, "model": _described(facts), **judged}
        content["notes"] += _leaks(grant)
        content["notes"] += [f"Not read: {one.got}: {one.limit}." for one in denied(grant)]
        run.output.mkdir(exist_ok=True)
        write_json(run.output / "evaluation.json", content)
        headline = {**headline_of(content), "seconds": round(time.monotonic() - began, 3)}
    told: dict[str, Any] = world.broadcast(headline)
    return told


def _judge_telemetry(
    job: TrainJob | EvaluateJob,
    grant: Document,
    model: tuple[torch.nn.Module, ModelFacts],
    where: tuple[RunDir, World, StopFlag],
) -> Document:
    """Judge a forecaster on the granted telemetry; complete on rank 0 only."""
    module, facts = model
    levels = _levels(facts)
    with open_dataset(grant, verify=job.data.verify, io=job.data.io) as dataset:
        return {
            "dataset": grant.get("identifier") or _identifier(dataset),
            "context": job.data.context,
            "horizon": job.data.horizon,
            **_judge(job, dataset, forecast_of(module), levels, where),
        }


def _judge(
    job: TrainJob | EvaluateJob,
    dataset: Dataset,
    model: Forecast,
    levels: Array,
    where: tuple[RunDir, World, StopFlag],
) -> Document:
    """Return scores, skill, examples, anomaly and notes; complete on rank 0 only."""
    run, world, stop = where
    wish, data = job.evaluate, job.data
    splits = parse_splits(wish.splits)
    indexes = {split: dataset.windows(split, data) for split in splits}
    names = next(iter(indexes.values())).names
    work = [chunk for index in indexes.values() for chunk in chunks(index, wish.max_windows)]
    _some_windows(work, data.dataset, wish.splits)
    items, left_out = watched(dataset, names, splits, data) if wish.anomaly else ([], [])
    total = sum(len(chunk.windows) for chunk in work) + len(items)
    dealing = Dealing(world, stop, run.metrics, total)
    linear, unfitted = fit_baselines(dataset, names, data, levels)
    spreads = {name: channel_spreads(dataset, name, data) for name in names}
    judge = Judge(dataset, data, levels, wish.coverage, model, spreads, linear)

    def forecast(chunk: Chunk) -> Document:
        judged, examples = judge.chunk(indexes[chunk.split], chunk)
        return {"judged": [one.as_json() for one in judged], "examples": examples}

    done = dealing.each(work, forecast, lambda chunk: len(chunk.windows))
    anomaly = dealing.each(
        items, lambda item: watch(dataset, item, data, levels, model), lambda _: 1
    )
    judged = [Judged.from_json(row) for part in done for row in part["judged"]]
    return {
        "scores": score_rows(judged, wish.coverage),
        "skill": skill_rows(judged),
        "examples": _chosen([one for part in done for one in part["examples"]], wish.examples),
        "anomaly": anomaly,
        "notes": notes_on(indexes, judged, wish.coverage) + unfitted + left_out,
    }


def _chosen(examples: list[Document], most: int) -> list[Document]:
    """Return at most `most` examples of each contribution and split, evenly spaced."""
    tasks: dict[tuple[str, str], list[Document]] = {}
    for one in examples:
        tasks.setdefault((one["contribution"], one["split"]), []).append(one)
    return [
        found[(2 * number + 1) * len(found) // (2 * count)]
        for found in tasks.values()
        for count in [min(most, len(found))]
        for number in range(count)
    ]


def model_directory(job: TrainJob | EvaluateJob, run: RunDir) -> Path:
    """Return where the model lies; an evaluate job's must still be the one that was sealed.

    Raises:
        SealBrokenError: it was replaced after the job was submitted.
    """
    # A name means a run beside ours; joining an absolute path keeps the path.
    source = run.path.parent / job.evaluate.run if job.evaluate.run else run.path
    directory = source / "output" / "model"
    sealed = run.inputs / "model.json"
    for name, digest in (read_json(sealed)["files"] if sealed.exists() else {}).items():
        path = directory / name
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "nothing"
        if found != digest:
            raise SealBrokenError(f"{path} is not the file that was sealed with this job")
    return directory


def forecast_of(module: torch.nn.Module) -> Forecast:
    """Return a function in numpy, float64, around a module's forecast in float32 on its own device."""
    device = next(module.parameters()).device

    def forecast(context: Array, group: Ints, horizon: int) -> Array:
        with torch.inference_mode():
            found = module.forecast(
                torch.as_tensor(context, dtype=torch.float32, device=device),
                torch.as_tensor(group, device=device),
                horizon,
            )
        values: Array = found.double().cpu().numpy()
        return values

    return forecast


def device_of(world: World) -> torch.device:
    """Return this rank's GPU, or the CPU where the cluster's profile says so or there is none."""
    if os.environ.get("DS_ACCELERATOR") == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", world.local_rank % torch.cuda.device_count())


def _levels(facts: ModelFacts) -> Array:
    levels = np.array(facts.quantiles, dtype=np.float64)
    if len(levels) < 2 or (np.diff(levels) <= 0).any() or not levels[0] <= 0.5 <= levels[-1]:
        raise InputError(
            Problem(
                field="model.quantiles",
                got=list(facts.quantiles),
                limit="at least two rising levels around 0.5 are needed to judge a forecast",
                where=f"family {facts.family}",
            )
        )
    return levels


def _some_windows(work: list[Chunk], dataset: str, splits: list[str]) -> None:
    if not work:
        raise InputError(
            Problem(
                field="evaluate.splits",
                got=", ".join(splits),
                limit=f"{dataset} has no window of data.min_context + data.horizon steps in them",
                fix="ask for a shorter data.horizon, or for other splits",
            )
        )


def _described(facts: ModelFacts) -> Document:
    return {
        "name": facts.name,
        "family": facts.family,
        "parameters": facts.parameters,
        "quantiles": list(facts.quantiles),
    }


def _headline(content: Document) -> Document:
    """Return the few figures that go into result.json."""
    whole = {
        f"{row['method']}_{row['metric']}_skill": row["skill"]
        for row in content["skill"]
        if (row["contribution"], row["split"]) == ("all", "all")
    }
    windows = sum(row["windows"] for row in content["scores"] if row["method"] == "model")
    known = [row["auc"] for row in content["anomaly"] if row["auc"] is not None]
    return {
        "windows": windows,
        **whole,
        "anomaly_auc": float(np.mean(known)) if known else None,
    }


def _leaks(grant: dict[str, Any]) -> list[str]:
    """Return what the leak watch, run where the dataset lies, found in it."""
    places = [Path(one["directory"]).parent for one in grant.get("contributions", [])]
    return leaks.sentences(places[0], grant["version"]) if places else []


def _identifier(dataset: Dataset) -> str:
    return "+".join(source.manifest.identifier for source in dataset.sources)
