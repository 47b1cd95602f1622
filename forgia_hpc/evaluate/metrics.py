"""How good a forecast is, in numpy and float64. Formulas, sources and edge cases: docs/evaluation.md.

Everywhere: truth (series, horizon), predicted (series, quantile, horizon), levels (quantile,),
context (series, time); NaN is a step that was not measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


def quantile_loss(truth: Array, predicted: Array, levels: Array) -> Array:
    """Return (series, quantile, horizon): twice the pinball loss, NaN where the truth is missing.

    Source: gluonts.evaluation.metrics.quantile_loss; the factor 2 makes the median's loss the absolute error.
    """
    error = truth[:, None, :] - predicted
    level = levels[None, :, None]
    return 2 * np.maximum(level * error, (level - 1) * error)


def usable_season(context: Array, season: Ints) -> Ints:
    """Return the season of each series, or 1 where the context holds no pair of measured steps a season apart.

    Source: gluonts seasonal_error reverts to 1 where the context is no longer than a season.
    """
    return np.array(
        [
            lag if 0 < lag < row.size and np.isfinite(row[lag:] - row[:-lag]).any() else 1
            for row, lag in zip(context, season.tolist(), strict=True)
        ],
        dtype=np.int64,
    )


def seasonal_error(context: Array, season: Ints) -> Array:
    """Return (series,): mean |y(t) - y(t - season)| of the context; NaN where it is undefined or zero.

    Source: gluonts.evaluation.metrics.calculate_seasonal_error. A series that repeats itself exactly has
    error zero and cannot be scaled: it is left out and counted (fev's `_safemean` drops it silently).
    """
    found = np.full(len(context), np.nan)
    for index, lag in enumerate(usable_season(context, season).tolist()):
        steps = np.abs(context[index, lag:] - context[index, :-lag])
        measured = steps[np.isfinite(steps)]
        if measured.size and measured.mean() > 0:
            found[index] = measured.mean()
    return found


def inside(
    truth: Array, predicted: Array, levels: Array, wanted: float
) -> NDArray[np.bool_] | None:
    """Return (series, horizon): is the truth within the central interval that should hold `wanted` of it?

    The interval's ends lie between the levels that are there (linear); None where they lie outside of them.
    """
    low, high = (1 - wanted) / 2, (1 + wanted) / 2
    if low < levels[0] - 1e-9 or high > levels[-1] + 1e-9:
        return None
    floor, ceiling = (_at(predicted, levels, level) for level in (low, high))
    found: NDArray[np.bool_] = (truth >= floor) & (truth <= ceiling)
    return found


def _at(predicted: Array, levels: Array, level: float) -> Array:
    above = int(np.clip(np.searchsorted(levels, level - 1e-9), 1, len(levels) - 1))
    left, right = levels[above - 1], levels[above]
    share = np.clip((level - left) / (right - left), 0.0, 1.0)
    found: Array = predicted[:, above - 1] * (1 - share) + predicted[:, above] * share
    return found


@dataclass(frozen=True)
class Figures:
    """Sums over the series of one window, so that windows add up exactly in any order of ranks."""

    scored: int  # series with a seasonal error above zero and a measured target step
    sql: float  # sum over these of the scaled quantile loss
    mase: float
    loss: float  # sum of quantile losses, averaged over the levels, in physical units
    size: float  # sum of |truth|
    measured: int  # target steps
    inside: dict[str, int]  # per coverage level


def figures(
    truth: Array, predicted: Array, levels: Array, scale: Array, coverage: list[float]
) -> Figures:
    """Return the figures of one window; `scale` (series,) is its seasonal error.

    SQL is fev's: per step the mean over the levels, divided by the series' seasonal error. MASE is
    gluonts': the absolute error of the median over the same. Missing target steps do not count.
    """
    known = np.isfinite(truth)
    kept = np.isfinite(scale) & known.any(axis=1)
    truth, predicted, scale, known = truth[kept], predicted[kept], scale[kept], known[kept]
    loss = np.where(known, quantile_loss(truth, predicted, levels).mean(axis=1), 0.0)
    median = _at(predicted, levels, 0.5)
    error = np.where(known, np.abs(truth - median), 0.0)
    per_series = known.sum(axis=1) * scale
    hits = {
        f"{level:g}": found
        for level in coverage
        if (found := inside(truth, predicted, levels, level)) is not None
    }
    return Figures(
        scored=int(kept.sum()),
        sql=float((loss.sum(axis=1) / per_series).sum()),
        mase=float((error.sum(axis=1) / per_series).sum()),
        loss=float(loss.sum()),
        size=float(np.where(known, np.abs(truth), 0.0).sum()),
        measured=int(known.sum()),
        inside={level: int((found & known).sum()) for level, found in hits.items()},
    )
