"""Forecast a chunk of windows by every method and measure each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reader import Dataset
from forgia_hpc.data.reading.windows import Batch, WindowIndex
from forgia_hpc.errors import JobFailedError
from forgia_hpc.evaluate.baselines import LinearForecast, fit_channels, seasonal_naive
from forgia_hpc.evaluate.metrics import Array, Ints, figures, seasonal_error
from forgia_hpc.evaluate.skill import Judged
from forgia_hpc.evaluate.windows import Chunk, training_rows
from forgia_hpc.schema.data import Data

# context (series, time) and group (series,) and horizon → (series, quantile, horizon), all float64
Forecast = Callable[[Array, Ints, int], Array]

TRAINING_WINDOWS = 1024  # of a contribution, for the linear baseline
LEAST_SCALE = 0.01  # of the channel's standard deviation in training
SHOWN_CONTEXT = 128  # steps of an example
SHOWN_LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Judge:
    """The methods and what they are asked."""

    dataset: Dataset
    data: Data
    levels: Array
    coverage: list[float]
    model: Forecast
    spreads: dict[str, dict[tuple[int, str], float]]  # contribution → group and channel
    linear: dict[str, dict[str, LinearForecast]]  # contribution → channel, as far as fitted

    def chunk(self, index: WindowIndex, chunk: Chunk) -> tuple[list[Judged], list[dict[str, Any]]]:
        """Return the figures of every window of a chunk, and one example where a series can be scored."""
        name = index.names[chunk.contribution]
        batch = index.read(chunk.contribution, chunk.windows)
        context, truth = batch.context.astype(np.float64), batch.target.astype(np.float64)
        scale = np.maximum(seasonal_error(context, batch.season), self._floor(name, batch))
        forecasts = self._forecasts(name, batch, context)
        judged = []
        for row, window in enumerate(chunk.windows.tolist()):
            mine = np.flatnonzero(batch.group == row)
            measured = {
                method: figures(truth[mine], found[mine], self.levels, scale[mine], self.coverage)
                for method, found in forecasts.items()
            }
            series = tuple(f"{batch.asset[at]}/{batch.channel[at]}" for at in mine)
            judged.append(Judged(name, chunk.split.value, window, series, measured))
        good = np.flatnonzero(np.isfinite(scale) & np.isfinite(truth).any(axis=1))
        if not len(good):
            return judged, []
        at = int(good[chunk.number % len(good)])  # another channel in the next chunk
        return judged, [self._example(name, chunk.split, batch, forecasts, at)]

    def _forecasts(self, name: str, batch: Batch, context: Array) -> dict[str, Array]:
        horizon = batch.target.shape[1]
        model = self.model(context, batch.group, horizon)
        known = np.isfinite(batch.context).any(axis=1)
        if not np.isfinite(model[known]).all():
            raise JobFailedError(
                f"the model's forecast for {name} is not finite: its weights are broken, or it diverged"
            )
        found = {
            "model": model,
            "seasonal_naive": seasonal_naive(context, batch.season, horizon, self.levels),
        }
        if name in self.linear:
            found["linear"] = self._linear(name, batch, context, found["seasonal_naive"])
        return found

    def _floor(self, name: str, batch: Batch) -> Array:
        """Return (series,): the least seasonal error that counts.

        A channel that stood still but for one tick has an error near zero; when it then jumps, that one window
        outweighed all others of a contribution a thousandfold.
        """
        spreads, segments = self.spreads[name], self.dataset.source(name).index.segments
        groups = segments["group"][batch.segment].tolist()
        found = [spreads[key] for key in zip(groups, batch.channel, strict=True)]
        return LEAST_SCALE * np.array(found)

    def _linear(self, name: str, batch: Batch, context: Array, instead: Array) -> Array:
        """Return the linear forecast; a channel that has none (it was constant in training) takes `instead`."""
        found = instead.copy()
        for channel, linear in self.linear[name].items():
            rows = np.array([at for at, one in enumerate(batch.channel) if one == channel], int)
            if len(rows):
                found[rows] = linear.forecast(context[rows], batch.season[rows])
        return found

    def _example(
        self, name: str, split: Split, batch: Batch, forecasts: dict[str, Array], at: int
    ) -> dict[str, Any]:
        index = self.dataset.source(name).index
        segment = index.segments[int(batch.segment[at])]
        unit = next(
            entry.channel.ucum
            for entry in index.channels
            if entry.group == segment["group"] and entry.channel.name == batch.channel[at]
        )
        middle = int(np.argmin(np.abs(self.levels - 0.5)))
        nearest = {level: int(np.argmin(np.abs(self.levels - level))) for level in SHOWN_LEVELS}
        return {
            "contribution": name,
            "split": split.value,
            "asset": batch.asset[at],
            "channel": batch.channel[at],
            "unit": unit,
            "step_seconds": float(segment["rate_den"]) / float(segment["rate_num"]),
            "context": _listed(batch.context[at, -SHOWN_CONTEXT:].astype(np.float64)),
            "truth": _listed(batch.target[at].astype(np.float64)),
            "quantiles": {
                f"{self.levels[row]:g}": _listed(forecasts["model"][at, row])
                for row in nearest.values()
            },
            "naive": _listed(forecasts["seasonal_naive"][at, middle]),
        }


def fit_baselines(
    dataset: Dataset, names: tuple[str, ...], data: Data, levels: Array
) -> tuple[dict[str, dict[str, LinearForecast]], list[str]]:
    """Return the linear forecasts of each contribution, and a sentence for each that has none."""
    found, notes = {}, []
    for name in names:
        rows = training_rows(dataset, name, data, TRAINING_WINDOWS)
        fitted = rows and fit_channels(
            rows.channel,
            rows.context.astype(np.float64),
            rows.season,
            rows.target.astype(np.float64),
            levels,
        )
        if fitted:
            found[name] = fitted
        else:
            notes.append(
                f"{name}: no linear baseline, because its train split was not granted or is too short."
            )
    return found, notes


def _listed(values: Array) -> list[float | None]:
    """Return a list for JSON, six significant digits, null where missing."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
