"""Ours: a Case and its solve, as every member goes.

The way is a backend; for torch a device: `torch cuda`. `numba long`: a cube for every rank, one behind the other.
"""

from __future__ import annotations

import time
from typing import Any

from mode import ALPHA, cosine, errors, factors, step_of, width_of

from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.heat.case import Box, Case, Symmetry, constant_material, solve

PACKAGES = ("numpy", "numba", "mpi4py")


class Clock:
    """Asked between steps whether to stop, it never does; it notes when it was asked first and last.

    On several ranks the solver asks every sixteenth step, so a pass takes sixteen times some, and one.
    """

    def __init__(self, wait: Any, last: int) -> None:
        """Take what waits for a device, and which call is the last on a single rank."""
        self.wait, self.last = wait, last
        self.asked = 0
        self.began = self.now = (0.0, 0.0)

    def __call__(self) -> bool:
        """Note wall and CPU time."""
        self.asked += 1
        if self.asked in (1, self.last):
            self.wait()
        self.now = (time.perf_counter(), time.process_time())
        if self.asked == 1:
            self.began = self.now
        return False

    def spent(self, of: int) -> tuple[float, float]:
        """Return wall and CPU seconds of so many steps, by those between the calls."""
        share = of / (of - 1)
        wall, cpu = (now - began for began, now in zip(self.began, self.now, strict=True))
        return wall * share, cpu * share


class Way:
    """One backend."""

    def __init__(self, word: str, cells: int, world: Any) -> None:
        """Take `numba`, `numpy`, `torch`, `torch cuda` or `numba long`."""
        self.backend, _, how = word.partition(" ")
        self.device = "cuda" if how == "cuda" else "cpu"
        self.cubes = world.size if how == "long" else 1
        self.cells, self.world = cells, world
        self.wait = _waiting(self.backend, self.device)
        self.history: Any = None

    def run(self, steps: int) -> dict[str, float]:
        """Solve; `wall_s` is of the steps between the first and the last, `solve_s` of everything."""
        dt, side = step_of(width_of(self.cells)), Symmetry()
        case = Case(
            grid=Box(
                shape=(self.cubes * self.cells, self.cells, self.cells),
                lengths=(self.cubes, 1.0, 1.0),
            ),
            material=constant_material(ALPHA, 1.0),
            boundaries={f"{axis}{end}": side for axis in "xyz" for end in "-+"},
            initial=cosine,
            end_s=steps * dt,
            step_s=dt,
            backend=self.backend,
            device=self.device,
        )
        clock = Clock(self.wait, steps)
        ranks = self.world if self.world.size > 1 else Alone()  # as a group of one rank
        self.history = solve(case, ranks, clock)
        wall, cpu = clock.spent(steps)
        return {"wall_s": wall, "cpu_s": cpu, "solve_s": self.history.facts["seconds"]}

    def compared(self) -> dict[str, float]:
        """Return how far the last pass was off."""
        start, found = self.history.temperature
        steps = int(self.history.facts["steps"])
        by = factors(width_of(self.cells), steps)
        return errors(found, start, by, self.world.allreduce)


def _waiting(backend: str, device: str) -> Any:
    """Return what waits until a device has done what it was told."""
    if backend != "torch":
        return lambda: None
    import torch  # noqa: PLC0415 - only its own way needs it

    torch.set_num_threads(1)
    return torch.cuda.synchronize if device == "cuda" else lambda: None
