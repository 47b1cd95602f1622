"""Judge a trained model: rolling-origin forecasts against two baselines, and anomaly scores against labels.

1. load the model and fit the baselines (every rank the same)
2. deal chunks of windows, then labelled segments, over the ranks
3. gather the figures on rank 0, sort, write <run>/output/evaluation.json
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from forgia_hpc.data.reader import Dataset, open_dataset
from forgia_hpc.data.windows import WindowIndex
from forgia_hpc.errors import InputError, Problem, StoppedError
from forgia_hpc.evaluate.judge import Forecast, Judge, fit_baselines
from forgia_hpc.evaluate.metrics import Array, Figures
from forgia_hpc.evaluate.skill import Judged, score_rows, skill_rows
from forgia_hpc.evaluate.watch import watch, watched
from forgia_hpc.evaluate.windows import Chunk, Ints, chunks, parse_splits
from forgia_hpc.metrics import MetricsFile
from forgia_hpc.rundir import RunDir, read_json, write_json
from forgia_hpc.runtime import artefact
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import World
from forgia_hpc.schema.job import EvaluateJob, TrainJob

FORMAT = "forgia.evaluation/1"

Item = TypeVar("Item")


@dataclass(frozen=True)
class Ranks:
    """This rank, its peers, the wish to stop, and where progress is told."""

    world: World
    stop: StopFlag
    metrics: Path

    def dealt(self, items: Sequence[Item], work: Callable[[Item], Any], what: str) -> list[Any]:
        """Do every item once over all ranks and return, on rank 0, the results in the order of the items.

        Raises:
            StoppedError: some rank was asked to stop; evaluation starts anew next time.
        """
        size, mine = self.world.size, []
        for first in range(0, len(items), size):
            if self.world.any(self.stop.requested):
                raise StoppedError(f"stopped while judging: {first} of {len(items)} {what} done")
            if first + self.world.rank < len(items):
                number = first + self.world.rank
                mine.append((number, work(items[number])))
            self._tell(min(first + size, len(items)), len(items), what)
        parts = self.world.gather(mine) or []
        return [result for _, result in sorted(pair for part in parts for pair in part)]

    def _tell(self, done: int, of: int, what: str) -> None:
        if self.world.is_root:
            with MetricsFile(self.metrics) as metrics:
                metrics.append(done, phase="evaluate", of=of, what=what)


def evaluate(
    job: TrainJob | EvaluateJob, run: RunDir, world: World, stop: StopFlag
) -> dict[str, Any]:
    """Judge the model of this run (or of job.evaluate.run) and write output/evaluation.json.

    Raises:
        StoppedError: asked to stop before it was done.
        InputError: no model, no such split, nothing to judge.
        SealBrokenError: model or data differ from what was saved.
    """
    began = time.monotonic()
    splits = parse_splits(job.evaluate.splits)
    directory = _model_directory(job, run)
    facts = artefact.read_facts(directory)
    levels = _levels(facts.quantiles)
    ranks = Ranks(world, stop, run.metrics)
    with open_dataset(read_json(run.inputs / "grant.json"), verify=job.data.verify) as dataset:
        indexes = [dataset.windows(split, job.data) for split in splits]
        names = indexes[0].names
        linear, notes = fit_baselines(dataset, names, job.data, levels)
        model = _forecast_of(artefact.load(directory, _device(world)))
        judge = Judge(dataset, job.data, levels, job.evaluate.coverage, model, linear)
        judged, examples = _judge_all(job, indexes, judge, ranks)
        anomaly = []
        if job.evaluate.anomaly:
            items, left_out = watched(dataset, names, splits, job.data)
            notes += left_out
            anomaly = ranks.dealt(
                items, lambda item: watch(dataset, item, job.data, levels, model), "segments"
            )
        notes += _notes(indexes, judged, job.evaluate.coverage, levels)
    summary: dict[str, Any] = {}
    if world.is_root:
        content = {
            "format": FORMAT,
            "dataset": facts.dataset or _dataset_name(dataset),
            "model": {
                "name": facts.name,
                "family": facts.family,
                "parameters": facts.parameters,
                "quantiles": list(facts.quantiles),
            },
            "context": job.data.context,
            "horizon": job.data.horizon,
            "scores": score_rows(judged, job.evaluate.coverage),
            "skill": skill_rows(judged),
            "examples": examples,
            "anomaly": anomaly,
            "notes": notes,
        }
        run.output.mkdir(parents=True, exist_ok=True)
        write_json(run.output / "evaluation.json", content)
        summary = _summary(content, len(judged), time.monotonic() - began)
    told: dict[str, Any] = world.broadcast(summary)
    return told
