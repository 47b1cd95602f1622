"""The same arithmetic in PyTorch: on a GPU, or on the CPU's threads.

Elementwise, one rounding an operation, so the bits are NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.simulate.heat.arrays import INNER, Any3, Key, Stencil, Whole
from forgia_hpc.simulate.heat.pieces import Pieces


class TorchArrays:
    """PyTorch's tensors on one device."""

    def __init__(self, dtype: DTypeLike, device: str = "cpu") -> None:
        """Take float32 or float64, and cpu or cuda.

        Raises:
            InputError: there is no such device here.

        """
        if device == "cuda" and not torch.cuda.is_available():
            limit = "no GPU that torch can use is here"
            raise InputError(Problem(field="device", got=device, limit=limit, fix="device=cpu"))
        self.dtype = np.dtype(dtype)
        self.device = torch.device(device)
        self.own = torch.float64 if self.dtype == np.float64 else torch.float32

    def array(self, values: NDArray[Any]) -> Any3:
        """Return a copy on the device."""
        return torch.tensor(np.ascontiguousarray(values), dtype=self.own, device=self.device)

    def host(self, values: Any3) -> NDArray[Any]:
        """Return the values as NumPy has them."""
        found: NDArray[Any] = values.cpu().numpy()
        return found

    def key(self, key: Key) -> Any:
        """Return indices on the device."""
        if isinstance(key[0], slice):
            return key
        return tuple(torch.as_tensor(one, device=self.device) for one in key)

    def stencil(
        self,
        low: tuple[NDArray[Any], ...],
        high: tuple[NDArray[Any], ...],
        body: NDArray[np.bool_] | None,
    ) -> Stencil:
        """Return the sum, an axis at a time."""
        return _TorchStencil(self, low, high, body)

    def function(self, pieces: Pieces) -> Callable[[Any3], Any3]:
        """Return pieces on the device."""
        knots, at, a, b, c = (
            self.array(one) for one in (pieces.knots, pieces.at, pieces.a, pieces.b, pieces.c)
        )

        def evaluate(x: Any3) -> Any3:
            i = torch.searchsorted(knots, x.contiguous(), right=True)
            d = x - at[i]
            return a[i] + d * (b[i] + d * c[i])

        return evaluate

    def function_and_slope(self, pieces: Pieces) -> Callable[[Any3], tuple[Any3, Any3]]:
        """Return pieces and their slope on the device."""
        value, slope = self.function(pieces), self.function(pieces.slope)
        return lambda x: (value(x), slope(x))

    def joined(self, patches: Sequence[Any], shape: tuple[int, int, int]) -> Sequence[Any]:
        """Return the patches as they are."""
        return patches

    def take(self, field: Any3, key: Any) -> Any3:
        """Return the values; a side's are a view."""
        return field[key]

    def add(self, field: Any3, key: Any, values: Any3 | float) -> None:
        """Add to a patch's cells; each patch names a cell once."""
        field[key] = field[key] + values

    def whole(self, part: Any) -> Whole | None:
        """Return nothing: stencil and walls are done one after another."""
        return None

    def where(self, condition: Any3, then: Any3 | float, otherwise: Any3 | float) -> Any3:
        """Return `then` where the condition holds."""
        return torch.where(condition, then, otherwise)

    def largest(self, values: Any3) -> float:
        """Return the largest magnitude."""
        return float(values.abs().max()) if values.numel() else 0.0

    def halves(self, values: Any3, first: float, second: float) -> tuple[float, float]:
        """Return the sums; no order shows in them."""
        high = (values + first) - first
        low = ((values - high) + second) - second
        return float(high.sum()), float(low.sum())

    def wide(self, values: Any3) -> Any3:
        """Return the values in float64."""
        return values.to(torch.float64)

    def wide_array(self, values: NDArray[np.float64]) -> Any3:
        """Return a copy on the device in float64."""
        return torch.tensor(values, dtype=torch.float64, device=self.device)


class _TorchStencil:
    """Differences along each axis, weighted, as NumPy's stencil adds them up."""

    def __init__(
        self,
        arrays: TorchArrays,
        low: tuple[NDArray[Any], ...],
        high: tuple[NDArray[Any], ...],
        body: NDArray[np.bool_] | None,
    ) -> None:
        self.axes = [axis for axis in (2, 1, 0) if low[axis].any() or high[axis].any()]
        shapes = [[-1 if one == axis else 1 for one in range(3)] for axis in range(3)]
        self.low, self.high = (
            [arrays.array(one).reshape(shape) for one, shape in zip(ends, shapes, strict=True)]
            for ends in (low, high)
        )
        shape = tuple(one.size for one in low)
        self.total, self.part, self.down = (arrays.array(np.zeros(shape)) for _ in range(3))
        self.steps = {  # kept: fresh memory for each would cost ten times the arithmetic
            axis: arrays.array(np.zeros([n + (one == axis) for one, n in enumerate(shape)]))
            for axis in self.axes
        }
        self.open = None if body is None else self._open(arrays.array(body))

    def __call__(self, out: Any3, base: Any3, u: Any3, scale: float) -> None:
        """Set out = base + scale * sum, inside the rim."""
        self.total.zero_()
        for axis in self.axes:
            step = self._differences(u, axis)
            n = step.shape[axis] - 1
            torch.mul(step.narrow(axis, 1, n), self.high[axis], out=self.part)
            torch.mul(step.narrow(axis, 0, n), self.low[axis], out=self.down)
            self.part -= self.down
            self.total += self.part
        self.total *= scale
        torch.add(base[INNER], self.total, out=out[INNER])

    def _differences(self, u: Any3, axis: int) -> Any3:
        """Return the differences across an axis' faces; 0 where a face is not inside the body."""
        own = u[_across(axis)]
        n, step = own.shape[axis] - 1, self.steps[axis]
        torch.sub(own.narrow(axis, 1, n), own.narrow(axis, 0, n), out=step)
        if self.open is not None:
            step *= self.open[axis]
        return step

    def _open(self, body: Any3) -> dict[int, Any3]:
        """Return 1 for each face between two cells of the body."""
        cells = {axis: body[_across(axis)] for axis in self.axes}
        sizes = {axis: one.shape[axis] - 1 for axis, one in cells.items()}
        return {
            axis: one.narrow(axis, 1, sizes[axis]) * one.narrow(axis, 0, sizes[axis])
            for axis, one in cells.items()
        }


def _across(axis: int) -> tuple[slice, ...]:
    """Return own cells, with the rim along one axis."""
    return tuple(slice(None) if one == axis else slice(1, -1) for one in range(3))
