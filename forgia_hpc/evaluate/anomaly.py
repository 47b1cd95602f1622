"""How unusual was a step? The model's score, a PCA reference, and their agreement with known labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.evaluate.metrics import Array, quantile_loss

SMOOTHING = 16  # steps; the exponentially weighted mean's span
KEPT_VARIANCE = 0.9


def forecast_score(truth: Array, predicted: Array, levels: Array, context: Array) -> Array:
    """Return (horizon,): the mean over the channels of log(1 + loss / width of the predicted band).

    truth (channel, horizon), predicted (channel, quantile, horizon), context (channel, time).
    The quantile loss grows with the distance from the band on either side; its width makes channels
    comparable. A band narrower than 1e-3 of the context's spread counts as that wide: a constant channel
    must not shout over the others.
    """
    loss = quantile_loss(truth, predicted, levels).mean(axis=1)
    width = predicted[:, -1] - predicted[:, 0]
    floor = 1e-3 * np.array([_spread(row) for row in context])
    score = np.log1p(loss / np.maximum(width, floor[:, None]))
    return mean_of_known(score)


def _spread(row: Array) -> float:
    known = row[np.isfinite(row)]
    return max(float(np.std(known)) if known.size else 0.0, 1e-12)


def mean_of_known(rows: Array) -> Array:
    """Return the mean over axis 0 of what is known; NaN where nothing is."""
    known = np.isfinite(rows)
    count = known.sum(axis=0)
    total = np.where(known, rows, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def smoothed(scores: Array, span: int = SMOOTHING) -> Array:
    """Return the causal exponentially weighted mean, weight 2 / (span + 1); a missing score keeps the last one."""
    weight, level = 2 / (span + 1), np.nan
    found = np.empty_like(scores)
    for index, score in enumerate(scores):
        if np.isfinite(score):
            level = score if np.isnan(level) else level + weight * (score - level)
        found[index] = level
    return np.nan_to_num(found, nan=0.0)


@dataclass(frozen=True)
class PcaReference:
    """Hotelling's T² in the main components plus the squared residual Q outside of them, each over its mean.

    Source: Jackson & Mudholkar, Technometrics 21 (1979) 341-349; the usual monitor of process industry.
    """

    mean: Array  # (channel,)
    spread: Array  # (channel,)
    components: Array  # (channel, kept)
    variance: Array  # (kept,)
    q_mean: float

    def score(self, rows: Array) -> Array:
        """Return (step,) for rows (step, channel); a missing reading counts as the channel's mean."""
        scaled = np.nan_to_num((rows - self.mean) / self.spread, nan=0.0)
        inner = scaled @ self.components
        t2 = (inner**2 / self.variance).mean(axis=1)
        q = ((scaled - inner @ self.components.T) ** 2).sum(axis=1) / self.q_mean
        total: Array = np.log1p(t2 + q)
        return total


def fit_pca(rows: Array) -> PcaReference | None:
    """Fit on rows (step, channel) of normal operation; None where no channel varies or too few rows are there."""
    rows = rows[np.isfinite(rows).any(axis=1)]
    if len(rows) < 3 * rows.shape[1]:
        return None
    mean = np.nan_to_num(mean_of_known(rows), nan=0.0)
    centred = np.nan_to_num(rows - mean, nan=0.0)
    spread = centred.std(axis=0)
    if not (spread > 0).any():
        return None
    spread = np.where(spread > 0, spread, 1.0)
    scaled = centred / spread
    values, vectors = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = int(np.searchsorted(np.cumsum(values) / values.sum(), KEPT_VARIANCE)) + 1
    components = vectors[:, :kept]
    residual = scaled - scaled @ components @ components.T
    q_mean = max(float((residual**2).sum(axis=1).mean()), 1e-9)
    return PcaReference(mean, spread, components, np.maximum(values[:kept], 1e-12), q_mean)


def roc_auc(scores: Array, labels: NDArray[np.bool_]) -> float | None:
    """Return the chance that a labelled step scores above an unlabelled one, ties half; None with one class only.

    The Mann-Whitney U statistic (Hanley & McNeil, Radiology 143 (1982) 29-36).
    """
    positive, negative = int(labels.sum()), int((~labels).sum())
    if not positive or not negative:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2  # the mean rank of equal scores
    above = rank[inverse][labels].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))


def thinned(scores: Array, most: int = 500) -> tuple[list[float], int]:
    """Return at most `most` maxima of equal stretches, and the steps of a stretch."""
    stride = -(-len(scores) // most) if len(scores) else 1
    return [float(scores[at : at + stride].max()) for at in range(0, len(scores), stride)], stride
