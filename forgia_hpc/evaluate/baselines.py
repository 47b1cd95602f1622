"""What a model has to beat: the seasonal naive forecast and a linear one. numpy only.

Shapes as in metrics.py: context (series, time), forecasts (series, quantile, horizon), NaN = missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.evaluate.metrics import Array, usable_season

CLIP = 10.0  # scaled units; a target far outside its context must not decide a least-squares fit
PENALTIES = (1.0, 10.0, 100.0, 1000.0)


def seasonal_naive(context: Array, season: NDArray[np.int64], horizon: int, levels: Array) -> Array:
    """Repeat the last season, with Gaussian bands that widen by the square root of the seasons ahead.

    sigma(h) = sigma * sqrt(floor((h - 1) / season) + 1), with sigma² the mean squared seasonal residual of
    the context. Source: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., section 5.5.
    """
    normal = np.array([NormalDist().inv_cdf(level) for level in levels])
    rows = []
    for row, lag in zip(context, usable_season(context, season).tolist(), strict=True):
        ahead = np.arange(horizon)
        residual = row[lag:] - row[:-lag]
        known = residual[np.isfinite(residual)]
        sigma = np.sqrt(np.mean(known**2)) if known.size else 0.0
        width = sigma * np.sqrt(ahead // lag + 1)
        rows.append(_last_season(row, lag)[ahead % lag][None] + normal[:, None] * width[None])
    return np.stack(rows)


def _last_season(row: Array, lag: int) -> Array:
    """Return (lag,): the newest measured value of each phase; the newest of all where a phase has none."""
    known = np.flatnonzero(np.isfinite(row))
    last = np.full(lag, row[known[-1]] if known.size else np.nan)
    phase = (known - row.size) % lag
    last[phase] = row[known]  # ascending, so that the newest of a phase stays
    return last


@dataclass(frozen=True)
class LinearForecast:
    """Every step of the horizon as a linear function of the scaled context (compare NLinear, arXiv 2205.13504)."""

    weights: Array  # (time + 1, horizon); the last row is the intercept
    residual: Array  # (quantile, horizon), scaled units, of windows that were not fitted

    def forecast(self, context: Array) -> Array:
        """Return (series, quantile, horizon) in physical units; a constant context is continued as it is."""
        scaled, last, spread = _scaled(context)
        centre = _with_one(scaled) @ self.weights
        bands = np.sort(centre[:, None, :] + self.residual[None], axis=1)
        return last[:, None, None] + bands * spread[:, None, None]


def fit_linear(context: Array, target: Array, levels: Array) -> LinearForecast | None:
    """Fit by ridge regression on the first four fifths of the rows.

    The rest choose the penalty and give the residual quantiles. Returns None where fewer than 50 rows are usable.
    """
    scaled, last, spread = _scaled(context)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.clip((target - last[:, None]) / spread[:, None], -CLIP, CLIP)
    usable = (spread > 0) & (np.isfinite(wanted).mean(axis=1) > 0.8)
    if usable.sum() < 50:
        return None
    inputs, wanted = _with_one(scaled[usable]), wanted[usable]
    cut = len(inputs) * 4 // 5
    fitted = [_ridge(inputs[:cut], _filled(wanted[:cut]), penalty) for penalty in PENALTIES]
    left = [wanted[cut:] - inputs[cut:] @ weights for weights in fitted]
    best = int(np.argmin([np.nanmean(np.abs(rest)) for rest in left]))
    # A step that no kept row measured has no residual: give it the quantiles of all steps together.
    overall: Array = np.nanquantile(left[best], levels)
    per_step = [
        np.nanquantile(step, levels) if np.isfinite(step).any() else overall
        for step in left[best].T
    ]
    return LinearForecast(weights=fitted[best], residual=np.stack(per_step, axis=1))


def _ridge(inputs: Array, wanted: Array, penalty: float) -> Array:
    shrink = penalty * np.eye(inputs.shape[1])
    shrink[-1, -1] = 0.0
    return np.asarray(np.linalg.lstsq(inputs.T @ inputs + shrink, inputs.T @ wanted, rcond=None)[0])


def _scaled(context: Array) -> tuple[Array, Array, Array]:
    """Return the filled context minus its last value over its spread, and both; spread 0 where it is constant."""
    filled = _filled(context)
    last = filled[:, -1]
    spread = filled.std(axis=1)
    flat = spread <= 1e-9 * np.abs(last)
    spread = np.where(flat, 0.0, spread)
    scaled = (filled - last[:, None]) / np.where(flat | (spread == 0), 1.0, spread)[:, None]
    return np.clip(scaled, -CLIP, CLIP), last, spread


def _filled(rows: Array) -> Array:
    """Carry the last measured value on; before the first one, carry it back; all missing: zero."""
    known = np.isfinite(rows)
    newest = np.maximum.accumulate(np.where(known, np.arange(rows.shape[1]), -1), axis=1)
    first = np.argmax(known, axis=1)
    index = np.where(newest >= 0, newest, first[:, None])
    return np.nan_to_num(np.take_along_axis(rows, index, axis=1), nan=0.0)


def _with_one(rows: Array) -> Array:
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
