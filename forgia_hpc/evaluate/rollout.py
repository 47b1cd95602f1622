"""Roll a surrogate out over windows of simulations, beside two baselines, and measure each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from forgia_hpc.data.fields.inputs import FieldInputs
from forgia_hpc.data.fields.layout import BOUNDARIES
from forgia_hpc.data.fields.windows import FieldBatch, FieldWindows
from forgia_hpc.errors import JobFailedError
from forgia_hpc.evaluate.field_metrics import (
    BANDS,
    Array,
    band_errors,
    drift,
    rmse,
    volumes,
    vrmse,
)
from forgia_hpc.evaluate.windows import Chunk

SHOWN = 48  # points along an axis of an example
STILLS = 5  # steps of an example that are kept as pictures
LEAST_SEEN = 2  # the linear baseline needs two steps, whatever the model sees

Numbers = dict[str, float]


@dataclass(frozen=True)
class Rolled:
    """One window: what each method was off by. Floats survive JSON to the last bit."""

    contribution: str
    split: str
    window: int
    member: str
    step: int  # of the trajectory, the first that is predicted
    figures: dict[str, Numbers]  # method → vrmse_1, low_1, drift_1 …
    curve: dict[str, list[float]]  # method → VRMSE of every step
    errors: list[float]  # RMSE of the model at the middle horizon, a channel, in its units
    seconds: float  # that a step of the model took

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can carry to another rank."""
        return asdict(self)


@dataclass(frozen=True)
class Surrogate:
    """A model of fields and how far ahead it is asked."""

    module: torch.nn.Module
    horizons: tuple[int, ...]  # rising

    @property
    def seen(self) -> int:
        """Steps of a window before the first that is predicted."""
        return max(LEAST_SEEN, int(self.module.context))

    def rolled(self, inputs: Mapping[str, Any]) -> tuple[Array, float]:
        """Return (row, step, channel, *grid) and the seconds of a step and row."""
        device = next(self.module.parameters()).device
        tensors = {name: torch.from_numpy(each).to(device) for name, each in inputs.items()}
        values = tensors.pop("values")
        late = self.seen - self.module.context  # steps that only the baseline looks at
        for name in ("times", "signals"):
            tensors[name] = tensors[name][:, late:]
        steps = values.shape[1] - self.seen
        began = time.perf_counter()
        with torch.inference_mode():
            found = self.module.forecast(values[:, late : self.seen], steps=steps, **tensors)
        predicted: Array = found.double().cpu().numpy()
        return predicted, (time.perf_counter() - began) / steps / len(predicted)


@dataclass(frozen=True)
class RolloutJudge:
    """One split: its windows, and the model that is judged on them."""

    windows: FieldWindows
    inputs: FieldInputs
    surrogate: Surrogate

    def chunk(self, chunk: Chunk) -> tuple[list[Rolled], list[dict[str, Any]]]:
        """Return the figures of the windows of a chunk, and the first, last and worst of them to look at.

        A window is left out in which the truth has, at some step, not one number that could be foreseen.
        """
        name = self.windows.names[chunk.contribution]
        pairs = np.stack([np.full(len(chunk.windows), chunk.contribution), chunk.windows], 1)
        batch = self.windows.gather(pairs)
        inputs = self.inputs.of(batch)
        predicted, seconds = self.surrogate.rolled(inputs)
        truth = self._foreseeable(batch)
        self._check(name, truth, predicted)
        rings = (inputs["kinds"] == BOUNDARIES.index("periodic")).all(-1)
        some = np.asarray(np.isfinite(truth).any(tuple(range(3, truth.ndim))))
        rows = [row for row in range(len(some)) if some[row].all()]  # at every step and channel
        found = {
            row: self._judge(
                name, chunk, (batch, row), (truth[row], predicted[row]), (rings[row], seconds)
            )
            for row in rows
        }
        if not found:
            return [], []
        worst = max(rows, key=lambda row: float(np.mean(found[row].curve["model"])))
        return list(found.values()), [
            self._frame(found[row], (batch, row), predicted[row])
            for row in sorted({rows[0], rows[-1], worst})
        ]

    def _foreseeable(self, batch: FieldBatch) -> Array:
        """Return the truth (row, step, channel, *grid), NaN outside and where a step that was seen has a hole.

        From a hole neither the model nor a baseline can go on.
        """
        seen = self.surrogate.seen
        known = np.isfinite(batch.values[:, :seen]).all(1, keepdims=True)
        if batch.mask is not None:
            known = known & batch.mask[:, None, None]
        found: Array = np.where(known, batch.values[:, seen:].astype(np.float64), np.nan)
        return found

    def _check(self, name: str, truth: Array, predicted: Array) -> None:
        if not np.isfinite(predicted[np.isfinite(truth)]).all():
            raise JobFailedError(
                f"the model's rollout for {name} is not finite: its weights are broken, or it diverged"
            )

    def _judge(
        self,
        name: str,
        chunk: Chunk,
        where: tuple[FieldBatch, int],
        pair: tuple[Array, Array],
        rest: tuple[Any, float],
    ) -> Rolled:
        (batch, row), (truth, predicted), (rings, seconds) = where, pair, rest
        seen = self.surrogate.seen
        before = batch.values[row, :seen].astype(np.float64)
        counts = volumes(self.windows.schema.grid)
        if batch.mask is not None:
            counts = counts * batch.mask[row]
        methods = {"model": predicted, **baselines(before, len(truth))}
        curves = {method: vrmse(truth, each, counts) for method, each in methods.items()}
        figures = {
            method: self._figures(truth, each, (counts, rings), curves[method])
            for method, each in methods.items()
        }
        middle = self.surrogate.horizons[len(self.surrogate.horizons) // 2] - 1
        source = self.windows.sources[chunk.contribution]
        return Rolled(
            contribution=name,
            split=chunk.split.value,
            window=int(chunk.windows[row]),
            member=source.index.trajectories["member"][batch.trajectory[row]].decode(),
            step=int(batch.step[row]) + seen * self.windows.cutting.stride,
            figures=figures,
            curve={method: each.mean(1).tolist() for method, each in curves.items()},
            errors=rmse(truth, predicted, counts)[middle].tolist(),
            seconds=seconds,
        )

    def _figures(
        self, truth: Array, predicted: Array, where: tuple[Any, Any], curve: Array
    ) -> Numbers:
        """Return the mean over the channels of each figure at each horizon.

        A band counts the channels that have waves; without any it is left out.
        """
        counts, rings = where
        rows = [horizon - 1 for horizon in self.surrogate.horizons]
        deviation = np.array(self.surrogate.module.shape.values.std)
        lost = drift(truth[rows], predicted[rows], counts, deviation).mean(1)
        bands = band_errors(truth[rows], predicted[rows], counts, rings)
        found: Numbers = {}
        for at, horizon in enumerate(self.surrogate.horizons):
            found[f"vrmse_{horizon}"] = float(curve[horizon - 1].mean())
            found[f"drift_{horizon}"] = float(lost[at])
            waves = bands[at][np.isfinite(bands[at]).all(-1)]  # (channel that has any, band)
            if len(waves):
                found |= {
                    f"{name}_{horizon}": float(one)
                    for name, one in zip(BANDS, waves.mean(0), strict=True)
                }
        return found

    def _frame(
        self, one: Rolled, where: tuple[FieldBatch, int], predicted: Array
    ) -> dict[str, Any]:
        """Return one channel of a window at a few steps, in truth and by the model."""
        batch, row = where
        seen, schema = self.surrogate.seen, self.windows.schema
        values = batch.values[row].astype(np.float64)
        ahead = np.unique(np.linspace(1, len(predicted), STILLS).round().astype(int)).tolist()
        chosen = schema.chosen(self.windows.cutting.fields)
        return {
            "contribution": one.contribution,
            "split": one.split,
            "member": one.member,
            "step": one.step,
            "channel": self.windows.channels[0],
            "unit": schema.fields[chosen[0]].ucum,
            "ahead": ahead,
            "start": _slice(values[seen - 1, 0]),
            "truth": [_slice(values[seen + at - 1, 0]) for at in ahead],
            "model": [_slice(predicted[at - 1, 0]) for at in ahead],
            "curve": one.curve,
            "window": one.window,
        }


def baselines(seen: Array, steps: int) -> dict[str, Array]:
    """Return (step, channel, *grid) of persistence and of the straight line through the last two steps."""
    ahead = np.arange(1, steps + 1).reshape(-1, *(1,) * (seen.ndim - 1))
    last = seen[-1:]
    return {
        "persistence": np.repeat(last, steps, axis=0),
        "linear": last + ahead * (last - seen[-2:-1]),
    }


def _slice(cells: Array) -> list[Any]:
    """Return at most SHOWN x SHOWN points of a field, of the middle of what is deeper; null where nothing is."""
    while cells.ndim > 2:
        cells = cells[len(cells) // 2]
    thin = cells[tuple(slice(None, None, -(-size // SHOWN)) for size in cells.shape)]
    rows = np.atleast_2d(thin)
    return [
        [float(f"{value:.5g}") if np.isfinite(value) else None for value in row] for row in rows
    ]
