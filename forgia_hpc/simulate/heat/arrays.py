"""The reference backend: NumPy. What the other backends must give too, to the last bit in float64.

A field is an array of a block's cells with a rim of one cell around it: the halo. Arithmetic is elementwise and
in one order everywhere, so a cell's value does not depend on the block it lies in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from forgia_hpc.simulate.heat.pieces import Pieces

Any3 = Any  # a backend's array of three axes
Key = tuple[slice, ...] | tuple[NDArray[np.intp], ...]
INNER = (slice(1, -1), slice(1, -1), slice(1, -1))
Whole = Callable[[Any3, Any3, float], None]  # a step in one call: (out, state, dt)
SLAB_BYTES = 1 << 18  # a slab's temporaries stay in the second cache


class Stencil(Protocol):
    """The seven-point sum over a block."""

    def __call__(self, out: Any3, base: Any3, u: Any3, scale: float) -> None:
        """Set out = base + scale * sum of weight * (neighbour - own) of u, inside the rim."""


class Arrays(Protocol):
    """What the solver asks of a backend."""

    dtype: Any

    def array(self, values: NDArray[Any]) -> Any3:
        """Return an array of the backend with these values."""

    def host(self, values: Any3) -> NDArray[Any]:
        """Return the values as NumPy has them; a copy or the same memory."""

    def key(self, key: Key) -> Any:
        """Return indices as the backend takes them."""

    def stencil(
        self,
        low: tuple[NDArray[Any], ...],
        high: tuple[NDArray[Any], ...],
        body: NDArray[np.bool_] | None,
    ) -> Stencil:
        """Return the sum over a block with these weights; `body` (with rim): cells beyond it pass nothing."""

    def function(self, pieces: Pieces) -> Callable[[Any3], Any3]:
        """Return pieces as a function of arrays."""

    def function_and_slope(self, pieces: Pieces) -> Callable[[Any3], tuple[Any3, Any3]]:
        """Return pieces as a function of arrays that gives their slope too."""

    def joined(self, patches: Sequence[Any], shape: tuple[int, int, int]) -> Sequence[Any]:
        """Return a block's patches (walls.Patch), or one that does what they do with the same bits."""

    def take(self, field: Any3, key: Any) -> Any3:
        """Return a field's values at a patch's key."""

    def add(self, field: Any3, key: Any, values: Any3 | float) -> None:
        """Add to a field's values at a patch's key, in the key's order where it names a cell twice."""

    def whole(self, part: Any) -> Whole | None:
        """Return an explicit step of a part (part.Part) in one call, with the same bits; or None."""

    def where(self, condition: Any3, then: Any3 | float, otherwise: Any3 | float) -> Any3:
        """Return `then` where the condition holds."""

    def largest(self, values: Any3) -> float:
        """Return the largest magnitude; not a number if one is none."""

    def halves(self, values: Any3, first: float, second: float) -> tuple[float, float]:
        """Return the sums of the values on the grid of `first`, and of their rests on that of `second`."""

    def wide(self, values: Any3) -> Any3:
        """Return the values in float64."""

    def wide_array(self, values: NDArray[np.float64]) -> Any3:
        """Return an array of the backend with these values, in float64 whatever the precision is."""


class NumpyArrays:
    """NumPy's arrays."""

    def __init__(self, dtype: DTypeLike, device: str = "cpu") -> None:
        """Take float32 or float64."""
        self.dtype = np.dtype(dtype)

    def array(self, values: NDArray[Any]) -> Any3:
        """Return a copy in the backend's precision."""
        return np.array(values, self.dtype)

    def host(self, values: Any3) -> NDArray[Any]:
        """Return the array itself."""
        return np.asarray(values)

    def key(self, key: Key) -> Any:
        """Return the indices."""
        return key

    def stencil(
        self,
        low: tuple[NDArray[Any], ...],
        high: tuple[NDArray[Any], ...],
        body: NDArray[np.bool_] | None,
    ) -> Stencil:
        """Return the sum, slab by slab."""
        return _NumpyStencil(low, high, body, self.dtype)

    def function(self, pieces: Pieces) -> Callable[[Any3], Any3]:
        """Return pieces in the backend's precision."""
        return pieces.astype(self.dtype).__call__

    def function_and_slope(self, pieces: Pieces) -> Callable[[Any3], tuple[Any3, Any3]]:
        """Return pieces and their slope in the backend's precision."""
        own, slope = pieces.astype(self.dtype), pieces.slope.astype(self.dtype)
        return lambda x: (own(x), slope(x))

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
        return np.where(condition, then, otherwise)

    def largest(self, values: Any3) -> float:
        """Return the largest magnitude."""
        return float(np.abs(values).max(initial=0.0))

    def halves(self, values: Any3, first: float, second: float) -> tuple[float, float]:
        """Return the sums; no order shows in them."""
        high = (values + first) - first
        low = ((values - high) + second) - second
        return float(high.sum()), float(low.sum())

    def wide(self, values: Any3) -> Any3:
        """Return the values in float64."""
        return np.asarray(values, np.float64)

    def wide_array(self, values: NDArray[np.float64]) -> Any3:
        """Return a copy in float64."""
        return np.array(values, np.float64)


class _NumpyStencil:
    """Differences along each axis, weighted; a few passes over a slab that fits the cache."""

    def __init__(
        self,
        low: tuple[NDArray[Any], ...],
        high: tuple[NDArray[Any], ...],
        body: NDArray[np.bool_] | None,
        dtype: np.dtype[Any],
    ) -> None:
        self.low, self.high = (
            tuple(_along(one.astype(dtype), axis) for axis, one in enumerate(ends))
            for ends in (low, high)
        )
        self.axes = [axis for axis in (2, 1, 0) if low[axis].any() or high[axis].any()]
        self.open = None if body is None else [_open(body, axis).astype(dtype) for axis in range(3)]
        depth, height, width = (one.size for one in low)
        self.shape = depth, height, width
        self.planes = max(1, SLAB_BYTES // (height * width * dtype.itemsize))
        rows = min(depth, self.planes)
        self.sum, self.part = (np.empty((rows, height, width), dtype) for _ in range(2))
        self.steps = {
            axis: np.empty([n + (axis == at) for at, n in enumerate((rows, height, width))], dtype)
            for axis in self.axes
        }

    def __call__(self, out: Any3, base: Any3, u: Any3, scale: float) -> None:
        """Set out = base + scale * sum, inside the rim."""
        for first in range(0, self.shape[0], self.planes):
            last = min(first + self.planes, self.shape[0])
            inner = (slice(first + 1, last + 1), *INNER[1:])
            total = self._sum(u, first, last)
            np.multiply(total, scale, out=total)
            np.add(base[inner], total, out=out[inner])

    def _sum(self, u: Any3, first: int, last: int) -> Any3:
        """Return ((x part + y part) + z part): high weight * step up - low weight * step down, each."""
        total, part = self.sum[: last - first], self.part[: last - first]
        total[...] = 0.0
        for axis in self.axes:
            up, down = self._differences(u, axis, first, last)
            rows = slice(first, last) if axis == 0 else slice(None)
            np.multiply(up, self.high[axis][rows], out=part)
            np.multiply(down, self.low[axis][rows], out=down)
            np.subtract(part, down, out=part)
            np.add(total, part, out=total)
        return total

    def _differences(self, u: Any3, axis: int, first: int, last: int) -> tuple[Any3, Any3]:
        """Return the steps to the next and from the previous cell along an axis."""
        lower, upper = [list(_rows(first, last)) for _ in range(2)]
        start, stop = (first, last) if axis == 0 else (0, self.shape[axis])
        lower[axis], upper[axis] = slice(start, stop + 1), slice(start + 1, stop + 2)
        n = last - first
        step = self.steps[axis][: n + 1 if axis == 0 else n]
        np.subtract(u[tuple(upper)], u[tuple(lower)], out=step)
        if self.open is not None:
            rows = slice(first, last + 1) if axis == 0 else slice(first, last)
            np.multiply(step, self.open[axis][rows], out=step)
        high = tuple(slice(1, None) if at == axis else slice(None) for at in range(3))
        low = tuple(slice(None, -1) if at == axis else slice(None) for at in range(3))
        return step[high], step[low]


def _rows(first: int, last: int) -> tuple[slice, slice, slice]:
    return slice(first + 1, last + 1), slice(1, -1), slice(1, -1)


def _along(values: NDArray[Any], axis: int) -> NDArray[Any]:
    shape = [1, 1, 1]
    shape[axis] = values.size
    return values.reshape(shape)


def _open(body: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Return which faces across an axis lie between two cells of the body; no rim along the others."""
    inner = [slice(1, -1)] * 3
    low, high = list(inner), list(inner)
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    faces: NDArray[np.bool_] = body[tuple(low)] & body[tuple(high)]
    return faces


BACKENDS = {
    "numpy": "forgia_hpc.simulate.heat.arrays:NumpyArrays",
    "numba": "forgia_hpc.simulate.heat.arrays_numba:NumbaArrays",
    "torch": "forgia_hpc.simulate.heat.arrays_torch:TorchArrays",
}
