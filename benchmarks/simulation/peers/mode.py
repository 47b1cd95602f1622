"""The problem of all ways: one Fourier mode in a unit cube, and what becomes of it, exactly.

Alpha 0.1 m2/s, steps of 0.9 of the longest stable one. Cosine with insulated walls where values lie in the middle
of cells; sine with walls at 0 where they lie on points. Either way a step multiplies the mode by the same number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

ALPHA = 0.1


def width_of(cells: int, *, points: bool = False) -> float:
    """Return the distance of two values, m: of cells, or of points between two walls."""
    return 1.0 / (cells + points)


def step_of(width: float) -> float:
    """Return dt, s."""
    return 0.9 * width**2 / (6 * ALPHA)


def factors(width: float, steps: int) -> tuple[float, float]:
    """Return what so many steps make of the mode: as the scheme does, and as nature does."""
    dt = step_of(width)
    once = 1.0 - 3 * ALPHA * dt * (2 / width * math.sin(math.pi * width / 2)) ** 2
    return once**steps, math.exp(-3 * ALPHA * math.pi**2 * dt * steps)


def cosine(coordinates: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mode of cells."""
    z, y, x = (np.cos(np.pi * one) for one in coordinates)
    found: np.ndarray = z * y * x
    return found


def sine(coordinates: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mode of points."""
    z, y, x = (np.sin(np.pi * one) for one in coordinates)
    found: np.ndarray = z * y * x
    return found


def errors(
    found: np.ndarray, start: np.ndarray, by: tuple[float, float], total: Callable[[Any], Any]
) -> dict[str, float]:
    """Return the relative L2 distance from the scheme's own exact solution, and from nature's."""
    whole = math.sqrt(total(float((start**2).sum())))
    scheme, nature = (
        math.sqrt(total(float(((found - factor * start) ** 2).sum()))) / (factor * whole)
        for factor in by
    )
    return {"off_scheme": scheme, "off_exact": nature}
