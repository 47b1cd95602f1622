"""NumPy's arrays with the hot loops compiled: the same bits, a dozen times as fast. Needs the extra `fast`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat.arrays import Any3, NumpyArrays, Stencil, Whole
from forgia_hpc.simulate.heat.compiled import kernel
from forgia_hpc.simulate.heat.joined import Joined
from forgia_hpc.simulate.heat.pieces import Pieces
from forgia_hpc.simulate.heat.walls import Patch
from forgia_hpc.simulate.heat.whole import whole_of


class NumbaArrays(NumpyArrays):
    """NumPy's arrays; stencil, walls and material curves are numba's."""

    def stencil(
        self,
        low: tuple[NDArray[Any], ...],
        high: tuple[NDArray[Any], ...],
        body: NDArray[np.bool_] | None,
    ) -> Stencil:
        """Return the sum in one pass over memory."""
        lows, highs = (tuple(one.astype(self.dtype) for one in ends) for ends in (low, high))
        number = self.dtype.type
        if body is None:
            run = kernel("stencil")
            return lambda out, base, u, scale: run(out, base, u, lows, highs, number(scale))
        inside = body.astype(self.dtype)
        run = kernel("masked")
        return lambda out, base, u, scale: run(out, base, u, inside, lows, highs, number(scale))

    def function(self, pieces: Pieces) -> Callable[[Any3], Any3]:
        """Return pieces, compiled."""
        own = pieces.astype(self.dtype)
        run = kernel("pieces")

        def evaluate(x: Any3) -> Any3:
            flat = x if x.ndim == 3 else x.reshape((1, 1, -1))
            out = np.empty(flat.shape, self.dtype)
            run(out, flat, own.knots, own.at, own.a, own.b, own.c)
            return out.reshape(x.shape)

        return evaluate

    def function_and_slope(self, pieces: Pieces) -> Callable[[Any3], tuple[Any3, Any3]]:
        """Return pieces and their slope, compiled."""
        value, slope = self.function(pieces), self.function(pieces.slope)
        return lambda x: (value(x), slope(x))

    def joined(self, patches: Sequence[Patch], shape: tuple[int, int, int]) -> Sequence[Patch]:
        """Return all sides' cells in one row: six sides cost what one does."""
        return [Joined(patches, shape, self.dtype)] if patches else []

    def whole(self, part: Any) -> Whole | None:
        """Return a step in one call, where a constant material lies between walls that stay as they are."""
        return whole_of(part)

    def take(self, field: Any3, key: Any) -> Any3:
        """Return the values in a row."""
        return field.take(key)

    def add(self, field: Any3, key: Any, values: Any3 | float) -> None:
        """Add cell by cell, so that a corner takes its sides' in their order."""
        kernel("scatter")(field, key, values)

    def largest(self, values: Any3) -> float:
        """Return the largest magnitude in one pass."""
        return float(kernel("largest")(np.ravel(values)))

    def halves(self, values: Any3, first: float, second: float) -> tuple[float, float]:
        """Return the sums of both parts in one pass."""
        high, low = kernel("halves")(np.ravel(values), first, second)
        return float(high), float(low)
