"""What a model has to beat: the seasonal naive forecast and a linear one. numpy only.

Shapes as in metrics.py: context (series, time), forecasts (series, quantile, horizon), NaN = missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from forgia_hpc.evaluate.metrics import Array, Ints, usable_season

CLIP = 10.0  # scaled units; a target far outside its context must not decide a least-squares fit
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
LAGS = 256  # newest steps of the context that a linear forecast looks at
ROWS = 50  # fewer usable training rows are no fit


def seasonal_naive(context: Array, season: Ints, horizon: int, levels: Array) -> Array:
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
    """Every step of the horizon as a linear function of the scaled context and its seasonal naive forecast.

    Compare NLinear (arXiv 2205.13504). The naive forecast is among the inputs because a machine with a cycle
    that no training machine had is beyond any fixed function of the lags.
    """

    weights: Array  # (lag + horizon + 1, horizon); the last row is the intercept
    residual: Array  # (quantile, horizon), scaled units, of windows that were not fitted

    def forecast(self, context: Array, season: Ints) -> Array:
        """Return (series, quantile, horizon) in physical units; a constant context is continued as it is."""
        inputs, last, spread = _inputs(context, season, self.weights.shape[1])
        centre = inputs @ self.weights
        bands = np.sort(centre[:, None, :] + self.residual[None], axis=1)
        return last[:, None, None] + bands * spread[:, None, None]


def fit_channels(
    channels: Sequence[str], context: Array, season: Ints, target: Array, levels: Array
) -> dict[str, LinearForecast]:
    """Return a linear forecast for each channel name that has enough rows.

    Per channel, because one map for a motor's current and an oil's temperature fits neither.
    """
    found = {}
    for channel in dict.fromkeys(channels):
        rows = [at for at, name in enumerate(channels) if name == channel]
        fitted = fit_linear(context[rows], season[rows], target[rows], levels)
        if fitted:
            found[channel] = fitted
    return found


def fit_linear(context: Array, season: Ints, target: Array, levels: Array) -> LinearForecast | None:
    """Fit by ridge regression on all rows; None where fewer than ROWS rows are usable.

    A fit on the first four fifths, tried on the last one, chooses the penalty and gives the residual quantiles.
    """
    inputs, last, spread = _inputs(context, season, target.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.clip((target - last[:, None]) / spread[:, None], -CLIP, CLIP)
    usable = (spread > 0) & (np.isfinite(wanted).mean(axis=1) > 0.8)
    if usable.sum() < ROWS:
        return None
    inputs, wanted = inputs[usable], wanted[usable]
    cut = len(inputs) * 4 // 5
    left = [
        wanted[cut:] - inputs[cut:] @ _ridge(inputs[:cut], _filled(wanted[:cut]), penalty)
        for penalty in PENALTIES
    ]
    best = int(np.argmin([np.nanmean(np.abs(rest)) for rest in left]))
    weights = _ridge(inputs, _filled(wanted), PENALTIES[best])
    return LinearForecast(weights=weights, residual=_quantiles(left[best], levels))


def _quantiles(residual: Array, levels: Array) -> Array:
    """Return (quantile, horizon); a step that no row measured takes the quantiles of all steps together."""
    overall: Array = np.nanquantile(residual, levels)
    per_step = [
        np.nanquantile(step, levels) if np.isfinite(step).any() else overall for step in residual.T
    ]
    return np.stack(per_step, axis=1)


def _ridge(inputs: Array, wanted: Array, penalty: float) -> Array:
    shrink = penalty * np.eye(inputs.shape[1])
    shrink[-1, -1] = 0.0
    return np.asarray(
        np.linalg.solve(inputs.T @ inputs + shrink, inputs.T @ wanted), dtype=np.float64
    )


def _inputs(context: Array, season: Ints, horizon: int) -> tuple[Array, Array, Array]:
    """Return (series, lag + horizon + 1) in units of each context's spread around its last value, and both.

    The spread is 0 where the context is constant.
    """
    filled = _filled(context[:, -LAGS:])
    last = filled[:, -1]
    spread = filled.std(axis=1)
    flat = spread <= 1e-9 * np.abs(last)
    naive = seasonal_naive(context, season, horizon, np.array([0.5]))[:, 0]
    both = np.concatenate([filled, naive], axis=1) - last[:, None]
    scaled = np.nan_to_num(both / np.where(flat, 1.0, spread)[:, None], nan=0.0)
    clipped = np.clip(scaled, -CLIP, CLIP)
    inputs = np.concatenate([clipped, np.ones((len(filled), 1))], axis=1)
    return inputs, last, np.where(flat, 0.0, spread)


def _filled(rows: Array) -> Array:
    """Carry the last measured value on; before the first one, carry it back; all missing: zero."""
    known = np.isfinite(rows)
    newest = np.maximum.accumulate(np.where(known, np.arange(rows.shape[1]), -1), axis=1)
    first = np.argmax(known, axis=1)
    index = np.where(newest >= 0, newest, first[:, None])
    return np.nan_to_num(np.take_along_axis(rows, index, axis=1), nan=0.0)
