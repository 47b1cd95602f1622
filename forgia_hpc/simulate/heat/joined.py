"""All walls of a block as one patch, for compiled loops: what Linear, Curved and Implicit do, cell by cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat import kernels
from forgia_hpc.simulate.heat.arrays import Any3
from forgia_hpc.simulate.heat.case import Boundary, Flux, OfPlace, Radiation
from forgia_hpc.simulate.heat.compiled import kernel
from forgia_hpc.simulate.heat.encoded import curves, encoded, undriven
from forgia_hpc.simulate.heat.faces import Face
from forgia_hpc.simulate.heat.laws import (
    STEPS,
    TOLERANCE,
    Curved,
    Implicit,
    Linear,
    Sharing,
    Wall,
    driver_of,
    fourth_power,
)
from forgia_hpc.simulate.heat.walls import Patch

Row = NDArray[Any]
_WAYS = {Linear: kernels.LINEAR, Curved: kernels.CURVED, Implicit: kernels.IMPLICIT}


class Joined(Patch):
    """A block's patches in a row, side after side. Slopes are over a side's own where that is a number."""

    def __init__(
        self, patches: Sequence[Patch], shape: tuple[int, int, int], dtype: np.dtype[Any]
    ) -> None:
        """Take the patches, their block's shape, and the state's precision."""
        self.patches = patches
        self.dtype = dtype
        row = _row_of(tuple(face for one in patches for face in one.faces), shape)
        self.sizes = row.sizes
        self.slopes = [getattr(one.wall.flux, "slope", 1.0) for one in patches]
        self.last: tuple[float, Any] = (np.nan, None)
        super().__init__(
            faces=row.faces,
            laws=tuple(law for one in patches for law in one.laws),
            wall=_wall(patches, row, dtype),
            key=row.places,
            areas=row.areas,
            gain=None,
            taken=np.zeros(row.areas.size),
        )

    def gains(self, dt: float) -> Row:
        """Return the state that 1 W/m2 gives each cell in dt; the same again while dt stays."""
        if self.last[0] != dt:
            self.last = (dt, self._row([one.gains(dt) for one in self.patches]))
        return np.asarray(self.last[1])

    def strengths(self, dt: float, unit: float, slope: Row) -> Row:
        """Return the same for a flux that changes by `slope` with each unit of the potential."""
        each = zip(self.patches, self.slopes, strict=True)
        return self._row([one.strengths(dt, unit, own) for one, own in each]) * slope

    def _row(self, values: Sequence[Any]) -> Row:
        """Return one row of a number or an array for each patch."""
        row, at = np.empty(sum(self.sizes), self.dtype), 0
        for value, size in zip(values, self.sizes, strict=True):
            row[at : at + size] = np.ravel(value)
            at += size
        return row


@dataclass(frozen=True, kw_only=True)
class _Row:
    """Faces one after another, whatever their laws."""

    faces: tuple[Face, ...]
    sizes: tuple[int, ...]  # cells of each
    sides: NDArray[np.intp]  # which face each cell is of
    places: NDArray[np.intp]  # of the cells, in a field with rim that is laid out in a row
    areas: NDArray[np.float64]


@lru_cache(maxsize=2)
def _row_of(faces: tuple[Face, ...], shape: tuple[int, int, int]) -> _Row:
    rimmed = tuple(n + 2 for n in shape)
    places = np.arange(math.prod(rimmed)).reshape(rimmed)
    sizes = tuple(one.areas.size for one in faces)
    return _Row(
        faces=faces,
        sizes=sizes,
        sides=np.repeat(np.arange(len(faces)), sizes),
        places=np.concatenate([places[one.key].ravel() for one in faces]),
        areas=np.concatenate([one.areas.ravel() for one in faces]),
    )


def _wall(patches: Sequence[Patch], row: _Row, dtype: np.dtype[Any]) -> Wall:
    """Return the laws of all patches as those of one."""
    walls = [one.wall for one in patches]
    steady = all(one.steady for one in walls)
    given = [value for one in walls for value in one.values(0.0)] if steady else []

    def values(t: float) -> list[Any]:
        return given if steady else [value for one in walls for value in one.values(t)]

    return Wall(values=values, flux=Compiled(patches, row, dtype), steady=steady)


class Compiled:
    """Flux and slope of all walls' cells in one loop."""

    def __init__(self, patches: Sequence[Patch], row: _Row, dtype: np.dtype[Any]) -> None:
        """Take the patches, their cells in a row, and the state's precision."""
        self.fluxes: list[Any] = [one.wall.flux for one in patches]
        self.laws = [one.laws for one in patches]
        self.dtype = dtype
        self.given: list[Any] | None = None
        self.drives = np.zeros((0, 0), dtype)
        self.sizes = row.sizes
        laws = [law for one in self.laws for law in one]
        self.plain = not any(isinstance(driver_of(one), OfPlace) for one in laws)
        self.width = len(row.sizes) if self.plain else row.sides.size
        self.linear = all(isinstance(one, Linear) for one in self.fluxes)
        self.sides = row.sides
        self.numbers = np.array([_numbers(one) for one in self.fluxes], dtype)
        columns = row.sides if self.plain else np.arange(row.sides.size)
        self.how = (row.sides, columns, self._sides(), self._laws(), *self._matter())

    def _sides(self) -> tuple[Any, ...]:
        """Return each side's way, first law and the next side's, and its numbers: total, share, half."""
        firsts = np.array([0, *accumulate(map(len, self._implicit()))])
        ways = np.array([_WAYS[type(one)] for one in self.fluxes])
        return ways, firsts, self.numbers

    def _implicit(self) -> list[tuple[Boundary, ...]]:
        """Return the laws of each side that takes its surface from them; no law of the others."""
        each = zip(self.fluxes, self.laws, strict=True)
        return [laws if isinstance(flux, Implicit) else () for flux, laws in each]

    def _laws(self) -> tuple[Any, ...]:
        """Return the laws, encoded once whatever drives them: a driver may be any callable, hashable or not."""
        laws = (undriven(law) for one in self._implicit() for law in one)
        return encoded(tuple(laws), self.dtype)

    def _matter(self) -> tuple[Any, ...]:
        """Return theta and conductivity in pieces, the tolerance, and how many steps are taken at most."""
        matter = next((one.matter for one in self.fluxes if not isinstance(one, Linear)), None)
        return *curves(matter, self.dtype), self.dtype.type(TOLERANCE[self.dtype.name]), STEPS

    def __call__(self, given: list[Any], temperature: Any3) -> Sharing:
        """Return the flux and its slope over the cells' theta."""
        self.drive(given)
        flux, slope = np.empty_like(temperature), np.empty_like(temperature)
        kernel("surfaces")(flux, slope, temperature, self.drives, self.how)
        return flux, slope

    def drive(self, given: list[Any]) -> Row:
        """Return what drives the sides; the same again while the values stay."""
        if given is not self.given:
            self.given, self.drives = given, self._drives(given)
        return self.drives

    def _drives(self, given: list[Any]) -> Row:
        """Return what drives each side, a row for each of its numbers: (row, side), or (row, cell) of places."""
        most = max(2 * len(one) for one in self.laws)
        drives, law, cell = np.zeros((most, self.width), self.dtype), 0, 0
        for side, (flux, laws) in enumerate(zip(self.fluxes, self.laws, strict=True)):
            size = self.sizes[side]
            columns = slice(side, side + 1) if self.plain else slice(cell, cell + size)
            numbers = _driving(flux, laws, given[law : law + len(laws)])
            for row, value in zip(drives, numbers, strict=False):
                row[columns] = np.ravel(value)
            law, cell = law + len(laws), cell + size
        return drives


def _driving(flux: Any, laws: Sequence[Boundary], values: list[Any]) -> list[Any]:
    """Return a side's numbers: one, or each law's drive and then what each adds to the surface's bracket."""
    if isinstance(flux, Linear):
        return [flux.drive(values)]
    if isinstance(flux, Curved):
        return [values[0]]
    each = list(zip(laws, values, strict=True))
    drives = [fourth_power(value) if isinstance(law, Radiation) else value for law, value in each]
    bounds = [abs(value) * flux.reach if isinstance(law, Flux) else value for law, value in each]
    return drives + bounds


def _numbers(flux: Any) -> tuple[float, float, float]:
    """Return total, share and half of a side's way; 1 where it has none."""
    total, share, half = (getattr(flux, name, 1.0) for name in ("total", "share", "half"))
    return total, share, half
