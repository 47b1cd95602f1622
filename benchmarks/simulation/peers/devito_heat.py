"""Devito: the same scheme from its symbolic form, compiled by gcc; points between walls at 0, so a sine.

The way is how it is parallel: `mpi` (DEVITO_MPI=1, a thread a rank) or `threads` (OpenMP, one process).
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
from mode import ALPHA, errors, factors, sine, step_of, width_of

PACKAGES = ("devito", "numpy", "mpi4py")


class Way:
    """One operator."""

    def __init__(self, word: str, cells: int, world: Any) -> None:
        """Compile it: a minute, less from Devito's cache."""
        os.environ |= {"DEVITO_MPI": "1", "DEVITO_LOGGING": "ERROR"}
        os.environ["DEVITO_LANGUAGE"] = "openmp" if word == "threads" else "C"
        from devito import Eq, Grid, Operator, TimeFunction, solve  # noqa: PLC0415 - reads the environment

        self.cells, self.world, self.steps = cells, world, 0
        self.width = width_of(cells, points=True)
        extent = ((cells - 1) * self.width,) * 3
        self.u = TimeFunction(
            name="u",
            grid=Grid(shape=(cells,) * 3, extent=extent, comm=world, dtype=np.float64),
            space_order=2,
        )
        heat = Eq(self.u.dt, ALPHA * self.u.laplace)
        self.operator = Operator([Eq(self.u.forward, solve(heat, self.u.forward))])
        self.dt = step_of(self.width)
        places = (np.arange(cells) + 1) * self.width
        self.whole = sine(np.meshgrid(places, places, places, indexing="ij", sparse=True))
        self.begin()
        self.start = np.array(self.u.data[0])
        self.operator.apply(time_m=0, time_M=1, dt=self.dt)  # compiles

    def begin(self) -> None:
        """Set the start; walls are the halo's zeros."""
        self.u.data_with_halo[:] = 0.0
        self.u.data[0] = self.whole

    def run(self, steps: int) -> dict[str, float]:
        """Take so many steps from the start."""
        self.begin()
        self.steps = steps
        self.world.Barrier()
        began = time.perf_counter()
        self.operator.apply(time_m=0, time_M=steps - 1, dt=self.dt)
        return {"wall_s": time.perf_counter() - began}

    def compared(self) -> dict[str, float]:
        """Return how far the last pass was off."""
        found = np.array(self.u.data[self.steps % 2])
        return errors(found, self.start, factors(self.width, self.steps), self.world.allreduce)
