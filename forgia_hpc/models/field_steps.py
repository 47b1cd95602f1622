"""What every model of fields does, whatever its layers are: units, loss, rollout, and what a cell is told.

Everywhere in physical units. Inputs, all of one batch: values (row, step, channel, *grid), NaN where there is
nothing; static (row, channel, *grid); mask (row, *grid), true inside; times (row, step); parameters (row,
parameter); signals (row, step, signal); kinds (row, axis, 2) and boundaries (row, boundary, 5), as
data/fields/boundaries.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from forgia_hpc.models.field_cells import curvature, edges
from forgia_hpc.models.field_shape import LAYOUT, FieldShape

Inputs = dict[str, Tensor]


class Taught(Protocol):
    """The options that say how any of them is taught."""

    @property
    def noise(self) -> float:
        """Added to what the model sees in training, in deviations of an increment."""

    @property
    def noise_floor(self) -> float:
        """Of the solver's own error: what an error may be for nothing."""


class Stepper(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """Windows of fields → the loss of their next steps; or the steps to come. A family gives `_increments`."""

    layout = LAYOUT
    quantiles: tuple[float, ...] = ()

    def __init__(self, taught: Taught, *, context: int, horizon: int, shape: FieldShape) -> None:
        """Take how it is taught, the steps it sees and rolls out in training, and what the dataset gives."""
        super().__init__()
        self.options: Any = taught
        self.shape, self.context, self.horizon = shape, context, horizon
        self._hold_units()

    @property
    def planes(self) -> int:
        """How many numbers a cell is told."""
        shape, axes = self.shape, len(self.shape.axes)
        return len(shape.channels) * (2 + axes) + len(shape.static) + 1 + 2 * axes

    def forward(self, values: Tensor, **inputs: Tensor) -> Tensor:
        """Return the loss: mean |error| of the increments in their deviations, over all steps ahead.

        The model goes on from its own answers, which hold no gradient (push-forward, Brandstetter et al.,
        arXiv 2202.03376): it learns to mend its own errors. What the solver itself does not know costs nothing.
        """
        seen, losses = values[:, : self.context], []
        if self.training and self.options.noise:
            seen = seen + torch.randn_like(seen) * self.increments * self.options.noise
        for step in range(values.shape[1] - self.context):
            end = self.context + step
            predicted = self._increments(seen, {**inputs, **_during(inputs, step, end)})
            first = 0 if step == 0 else self.context - 1  # the older ones were asked before
            truth = values[:, first + step + 1 : end + 1]
            wanted = (truth - seen[:, first:]) / self.increments
            losses.append(self._error(predicted[:, first:], wanted, inputs["mask"]))
            ahead = seen[:, -1] + self.increments * predicted[:, -1].detach()
            seen = torch.cat([seen[:, 1:], ahead[:, None]], 1)
        return torch.stack(losses).mean()

    def forecast(self, values: Tensor, *, steps: int, **inputs: Tensor) -> Tensor:
        """Return (row, steps, channel, *grid): what comes after values (row, context, channel, *grid).

        `times` and `signals` tell the steps to come too; signals are known, as a control is.
        """
        found, seen = [], values
        with torch.no_grad():
            for step in range(steps):
                during = _during(inputs, step, self.context + step)
                ahead = self._increments(seen, {**inputs, **during})[:, -1]
                found.append(seen[:, -1] + self.increments * ahead)
                seen = torch.cat([seen[:, 1:], found[-1][:, None]], 1)
        return torch.stack(found, 1)

    def _error(self, predicted: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
        """Return the mean of |error| beyond the noise floor, over what is there."""
        known = torch.isfinite(wanted) & mask[:, None, None]
        error = (predicted - torch.where(known, wanted, 0.0)).abs()
        if self.shape.noise and self.options.noise_floor:
            error = (error - self.options.noise_floor * self.noise / self.increments).clamp(min=0)
        return (error * known).sum() / known.sum().clamp(min=1)

    def _increments(self, seen: Tensor, inputs: Inputs) -> Tensor:
        """Return float32 (row, context, channel, *grid): the change after each step seen, in its deviations."""
        raise NotImplementedError

    def told(self, seen: Tensor, inputs: Inputs, rings: Tensor) -> Tensor:
        """Return (row, step, plane, *grid): all that a cell is told; zero where nothing is."""
        rows, steps, grid = seen.shape[0], seen.shape[1], tuple(seen.shape[3:])
        mask = inputs["mask"][:, None].to(seen.dtype)
        state = torch.nan_to_num((seen - self.mean) / self.std) * mask[:, None]
        change = state.diff(dim=1, prepend=state[:, :1]) * (self.std / self.increments)
        bent = torch.stack([curvature(each, mask, rings) for each in state.unbind(1)], 1)
        ratio = (self.std / self.increments)[0].repeat(len(grid), *(1,) * len(grid))
        static = torch.nan_to_num((inputs["static"] - self.static_mean) / self.static_std)
        fixed = torch.cat([static * mask, mask, edges(grid, rings)], 1)
        fixed = fixed[:, None].expand(-1, steps, -1, *grid)
        return torch.cat([state, change, bent * ratio, fixed], 2).reshape(rows, steps, -1, *grid)

    def _hold_units(self) -> None:
        """Keep the units beside the weights; they are the shape's, so no checkpoint holds them."""
        shape, axes = self.shape, (1,) * len(self.shape.axes)
        units = {
            "mean": shape.values.mean,
            "std": shape.values.std,
            "increments": shape.increments,
            "noise": shape.noise or (0.0,) * len(shape.channels),
            "static_mean": shape.static_values.mean,
            "static_std": shape.static_values.std,
        }
        for name, numbers in units.items():
            held = torch.tensor(numbers, dtype=torch.float32).reshape(1, -1, *axes)
            self.register_buffer(name, held, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move or convert the module, but keep the units in float32: DeepSpeed calls `module.bfloat16()`."""
        super()._apply(fn, recurse)
        device = self.mean.device
        self._hold_units()
        for name, held in list(self.named_buffers(recurse=False)):
            setattr(self, name, held.to(device))
        return self


def _during(inputs: Inputs, begin: int, end: int) -> Inputs:
    """Return what changes with time, of the steps begin … end: one more than are seen."""
    return {name: inputs[name][:, begin : end + 1] for name in ("times", "signals")}
