"""NumPy slices as one writes them in an afternoon: slabs along the slowest axis, outermost planes exchanged."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from mode import ALPHA, cosine, errors, factors, step_of, width_of
from mpi4py import MPI

PACKAGES = ("numpy", "mpi4py")


class Way:
    """A slab with a rim."""

    def __init__(self, word: str, cells: int, world: Any) -> None:
        """Take nothing but the size; cells divide by the ranks."""
        self.cells, self.world, self.steps = cells, world, 0
        middles = (np.arange(cells) + 0.5) / cells
        own = np.array_split(middles, world.size)[world.rank]
        self.start = cosine(np.meshgrid(own, middles, middles, indexing="ij", sparse=True))
        none = MPI.PROC_NULL
        self.low = world.rank - 1 if world.rank else none
        self.high = world.rank + 1 if world.rank + 1 < world.size else none

    def run(self, steps: int) -> dict[str, float]:
        """Take so many steps from the start."""
        u = np.pad(self.start, 1)
        self.steps, share = steps, ALPHA * step_of(1 / self.cells) * self.cells**2
        began = time.perf_counter()
        for _ in range(steps):
            self.fill(u)
            c = u[1:-1, 1:-1, 1:-1]
            z = u[2:, 1:-1, 1:-1] + u[:-2, 1:-1, 1:-1]
            y = u[1:-1, 2:, 1:-1] + u[1:-1, :-2, 1:-1]
            x = u[1:-1, 1:-1, 2:] + u[1:-1, 1:-1, :-2]
            u[1:-1, 1:-1, 1:-1] = c + share * (z + y + x - 6 * c)
        self.found = u[1:-1, 1:-1, 1:-1]
        return {"wall_s": time.perf_counter() - began}

    def fill(self, u: np.ndarray) -> None:
        """Set the rim: the neighbour's plane, or at a wall one's own."""
        u[0], u[-1] = u[1], u[-2]
        self.world.Sendrecv(u[1], self.low, recvbuf=u[-1], source=self.high)
        self.world.Sendrecv(u[-2], self.high, recvbuf=u[0], source=self.low)
        u[:, 0], u[:, -1], u[..., 0], u[..., -1] = u[:, 1], u[:, -2], u[..., 1], u[..., -2]

    def compared(self) -> dict[str, float]:
        """Return how far the last pass was off."""
        by = factors(width_of(self.cells), self.steps)
        return errors(self.found, self.start, by, self.world.allreduce)
