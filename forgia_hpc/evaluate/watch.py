"""Score every step of the labelled stretches: how well do forecast errors point at known faults?

A labelled stretch is a mark of more than one step. Single-step marks (the end of a run, a remaining life) say
when something ended, not where it was wrong, and are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.layout import Mark, Segment, Split
from forgia_hpc.data.reader import Dataset, SegmentFacts
from forgia_hpc.data.writing.admission import INPUT_ROLES
from forgia_hpc.evaluate.anomaly import (
    PcaReference,
    fit_pca,
    forecast_score,
    roc_auc,
    smoothed,
    thinned,
)
from forgia_hpc.evaluate.judge import Forecast
from forgia_hpc.evaluate.metrics import Array
from forgia_hpc.evaluate.windows import CHUNK
from forgia_hpc.schema.data import Data

MOST = 8  # segments a contribution; the longest labelled ones
PCA_ROWS = 20_000

Watched = tuple[str, SegmentFacts]  # contribution, segment


def watched(
    dataset: Dataset, names: tuple[str, ...], splits: list[Split], data: Data
) -> tuple[list[Watched], list[str]]:
    """Return the segments of these splits that a labelled stretch touches, and what was left out."""
    if data.rate_hz or data.select or data.normalise != "none":
        return [], [
            "No anomaly scores: they are of whole segments as sealed, and the model was given a selection of "
            "channels, another rate or normalised values."
        ]
    found: list[Watched] = []
    notes = []
    for name in names:
        marks = _stretches(dataset, name)
        facts = [
            facts
            for split in splits
            for facts in dataset.segments(name, split)
            if _is_mixed(_labels(facts, marks)[data.min_context :])
        ]
        facts.sort(key=lambda one: (-one.steps, one.number))
        if not facts:
            notes.append(
                f"{name}: no anomaly score, because no segment of the splits judged is labelled in part."
            )
        elif len(facts) > MOST:
            notes.append(
                f"{name}: anomaly scores of the {MOST} longest of {len(facts)} labelled segments."
            )
        found += [(name, one) for one in facts[:MOST]]
    return found, notes


def watch(
    dataset: Dataset, item: Watched, data: Data, levels: Array, model: Forecast
) -> dict[str, Any]:
    """Return the report's entry of one segment: smoothed scores, labels, and how well they agree."""
    name, facts = item
    values, rate = _inputs(dataset.segment(name, facts.number))
    marks = _stretches(dataset, name)
    start = data.min_context
    scores = smoothed(_model_scores(values, data, levels, model))
    labels = _labels(facts, marks)[start:]
    reference = _reference(dataset, name, facts.group, marks)
    baseline = smoothed(reference.score(values[:, start:].T)) if reference else None
    thin, stride = thinned(scores)
    return {
        "contribution": name,
        "asset": facts.asset,
        "split": facts.split.value,
        "channel_count": len(values),
        "start": facts.first + start,
        "stride": stride,
        "step_seconds": stride / rate,  # of a score, which stands for `stride` steps
        "scores": [float(f"{score:.6g}") for score in thin],
        "labels": _runs(labels, stride),
        "auc": roc_auc(scores, labels),
        "baseline_auc": None if baseline is None else roc_auc(baseline, labels),
    }


def _model_scores(values: Array, data: Data, levels: Array, model: Forecast) -> Array:
    """Return (step,) raw scores from step min_context on; every step is forecast once, `horizon` at a time."""
    starts = list(range(data.min_context, values.shape[1], data.horizon))
    blocks = [slice(at, at + data.channels) for at in range(0, len(values), data.channels)]
    total = np.zeros(values.shape[1] - data.min_context)
    for block in blocks:
        scores = _block_scores(values[block], starts, data, levels, model)
        total += scores * len(values[block])
    return total / len(values)


def _block_scores(
    values: Array, starts: list[int], data: Data, levels: Array, model: Forecast
) -> Array:
    padded = np.pad(
        values, ((0, 0), (data.context, data.horizon)), constant_values=np.nan
    )  # step s lies at s + context
    channels, parts = len(values), []
    for at in range(0, len(starts), CHUNK):
        few = starts[at : at + CHUNK]
        context = np.concatenate([padded[:, s : s + data.context] for s in few])
        group = np.repeat(np.arange(len(few)), channels)
        predicted = model(context, group, data.horizon)
        for number, start in enumerate(few):
            rows = slice(number * channels, (number + 1) * channels)
            begin = start + data.context
            truth = padded[:, begin : begin + data.horizon]
            parts.append(forecast_score(truth, predicted[rows], levels, context[rows]))
    return np.concatenate(parts)[: values.shape[1] - starts[0]]


def _reference(dataset: Dataset, name: str, group: str, marks: list[Mark]) -> PcaReference | None:
    """Fit the PCA reference on unlabelled training steps of the same group."""
    rows = []
    for facts in dataset.segments(name, Split.train):
        if facts.group == group:
            values, _ = _inputs(dataset.segment(name, facts.number))
            rows.append(values.T[~_labels(facts, marks)])
    if not rows or len({part.shape[1] for part in rows}) > 1:
        return None
    stacked = np.concatenate(rows)
    return fit_pca(stacked[:: max(1, len(stacked) // PCA_ROWS)])


def _inputs(segment: Segment) -> tuple[Array, float]:
    """Return the input channels (channel, step) and the steps a second."""
    rows = [at for at, channel in enumerate(segment.channels) if channel.role in INPUT_ROLES]
    return segment.values[rows], segment.rate_num / segment.rate_den


def _is_mixed(labels: NDArray[np.bool_]) -> bool:
    """Return whether scores can be compared: a segment that is labelled throughout has no normal step."""
    return bool(labels.any() and not labels.all())


def _stretches(dataset: Dataset, name: str) -> list[Mark]:
    return [mark for mark in dataset.marks(name) if mark.last > mark.first]


def _labels(facts: SegmentFacts, marks: list[Mark]) -> NDArray[np.bool_]:
    """Return (step,): does a labelled stretch cover this step of the segment?"""
    found = np.zeros(facts.steps, dtype=np.bool_)
    for mark in marks:
        if mark.asset == facts.asset:
            found[max(mark.first - facts.first, 0) : max(mark.last - facts.first + 1, 0)] = True
    return found


def _runs(labels: NDArray[np.bool_], stride: int) -> list[list[int]]:
    """Return [first, last] of every labelled stretch, counted in scores."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels.astype(np.int8), [0]])))
    return [
        [int(first) // stride, (int(end) - 1) // stride]
        for first, end in zip(edges[::2], edges[1::2], strict=True)
    ]
