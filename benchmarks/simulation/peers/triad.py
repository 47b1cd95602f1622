"""STREAM's triad, a = b + s c, of all ranks at once: the roofline. And our compiled kernel alone.

The way is `triad` (arrays of four times 32 MiB in all, as STREAM demands of a cache of that size; 24 bytes a
number, as STREAM counts), `kernel` (the loop of forgia_hpc/simulate/heat/kernels.py on a rank's share of the
cells), or `cuda copy`. A step is one pass over the arrays.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

PACKAGES = ("numpy", "mpi4py")
CACHE = 32 << 20
TIMES = 4


class Way:
    """Arrays of this rank, and what is done with them."""

    def __init__(self, word: str, cells: int, world: Any) -> None:
        """Make the arrays."""
        self.wait = lambda: None
        if word == "cuda copy":
            self.once, self.numbers = self._copy((2 * cells) ** 3), (2 * cells) ** 3
        elif word == "kernel":
            self.once, self.numbers = _kernel(cells, world.size), cells**3 // world.size
        else:
            self.once, self.numbers = self._triad(TIMES * CACHE // 8 // world.size)
        self.bytes = (16 if word == "cuda copy" else 24) * self.numbers

    def _triad(self, numbers: int) -> tuple[Any, int]:
        import numba  # noqa: PLC0415

        def triad(a: Any, b: Any, c: Any, s: float) -> None:
            for i in range(a.size):
                a[i] = b[i] + s * c[i]

        run = numba.njit(triad)
        a, b, c = np.zeros(numbers), np.arange(numbers) + 0.5, np.arange(numbers) * 0.25
        run(a, b, c, 3.0)
        np.testing.assert_array_equal(a, b + 3.0 * c)
        return lambda: run(a, b, c, 3.0), numbers

    def _copy(self, numbers: int) -> Any:
        import torch  # noqa: PLC0415

        a, b = (torch.zeros(numbers, dtype=torch.float64, device="cuda") for _ in range(2))
        self.wait = torch.cuda.synchronize
        return lambda: a.copy_(b)

    def run(self, steps: int) -> dict[str, float]:
        """Pass so many times."""
        self.wait()
        began = time.perf_counter()
        for _ in range(steps):
            self.once()
        self.wait()
        return {"wall_s": time.perf_counter() - began}

    def compared(self) -> dict[str, float]:
        """Return the bytes that a step moves, of this rank; there is nothing to compare."""
        return {"bytes": float(self.bytes)}


def _kernel(cells: int, ranks: int) -> Any:
    """Return one call of the compiled stencil, on a slab, there and back."""
    from forgia_hpc.simulate.heat.compiled import compiled  # noqa: PLC0415

    shape = (cells // ranks, cells, cells)
    u, out = (np.random.default_rng(0).random([n + 2 for n in shape]) for _ in range(2))
    low = high = tuple(np.ones(n) for n in shape)
    run, both = compiled()["stencil"], [u, out]

    def once() -> None:
        run(both[1], both[0], both[0], low, high, 0.1)
        both.reverse()

    return once
