"""Heat that comes from within: a beam that runs over a surface. W/m³."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.simulate.heat.case import Coordinates

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MovingGaussian:
    """A beam along x at constant speed, its power spread as exp(-r²/(2 sigma²)) round its place.

    Its place has the z and y of `start`; a beam on a surface or in a plane of symmetry puts that part of its
    power into the body which lies inside: half for one such plane, a quarter for two. A sigma of a few cells is
    the least that a grid can show.
    """

    power: float  # W that would be absorbed in a whole space
    speed: float  # m/s
    sigma: float  # m
    start: tuple[float, float, float]  # z, y, x in m at time 0
    end_s: float = math.inf  # the beam is off from here

    def __post_init__(self) -> None:
        """Refuse a spread that is none, and a power below 0."""
        for name, good in (("sigma", self.sigma > 0), ("power", 0 <= self.power < math.inf)):
            if not good:
                limit = "above 0 m" if name == "sigma" else "at least 0 W"
                raise InputError(
                    Problem(field=f"source.{name}", got=getattr(self, name), limit=limit)
                )

    def __call__(self, seconds: float, cells: Coordinates) -> Array:
        """Return the power density at the cells' centres."""
        if seconds >= self.end_s:
            return np.zeros(())
        z, y, x = self.start
        centres = (z, y, x + self.speed * seconds)[-len(cells) :]
        parts = [
            np.exp(-((axis - centre) ** 2) / (2 * self.sigma**2))
            for axis, centre in zip(cells, centres, strict=True)
        ]
        peak = self.power / ((2 * math.pi) ** 1.5 * self.sigma**3)
        density = np.asarray(peak)
        for part in parts:
            density = density * part
        return density
