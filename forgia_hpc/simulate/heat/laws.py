"""What enters through a wall: fluxes of all laws of one side, from the temperature of the cells at it.

Between a cell's centre and the wall lies half a cell: theta(T_surface) - theta(T_cell) = half * flux(T_surface).
Flux, fixed temperature and constant h give the surface at once; tables and radiation by Newton's steps, each cell
on its own, so that its bits do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from forgia_hpc.simulate.heat.arrays import Any3, Arrays
from forgia_hpc.simulate.heat.case import (
    Boundary,
    Convection,
    Fixed,
    Flux,
    Law,
    Radiation,
    Symmetry,
    Table,
)
from forgia_hpc.simulate.heat.matter import Matter
from forgia_hpc.simulate.heat.pieces import of_table

STEFAN_BOLTZMANN = 5.670374419e-8  # W/(m2 K4), CODATA 2018
KELVIN = 273.15
STEPS = 60  # of Newton or bisection: bisection alone is through in these
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}  # of the bracket of a surface's temperature

Sharing = tuple[Any3, Any]  # a flux, W/m2, and its slope: an array or a number
Value = Callable[[float], Any]  # of the time: a number, or an array over the wall


@dataclass(frozen=True, kw_only=True)
class Wall:
    """A side's laws ready to use: values(t) are evaluated once a step, flux(values, T) for its cells.

    Where all laws are numbers, values(t) is the same list at all times, and not made again.
    """

    values: Callable[[float], list[Any]]
    flux: Callable[[list[Any], Any3], Sharing]  # and d flux / d theta of the cell, at most 0
    steady: bool


def wall_of(
    laws: Sequence[Boundary], half: float, matter: Matter, place: Callable[[Law], Value]
) -> Wall | None:
    """Return the wall of a side, or None where nothing passes. `place` makes a law a function of time."""
    laws = [one for one in laws if not isinstance(one, Symmetry)]
    if not laws:
        return None
    drivers = [one for one in map(driver_of, laws) if one is not None]
    values = [place(one) for one in drivers]
    steady = all(isinstance(one, float | int) for one in drivers)
    given = [value(0.0) for value in values] if steady else []

    def at(t: float) -> list[Any]:
        return given if steady else [value(t) for value in values]

    return Wall(values=at, flux=_flux_of(laws, half, matter), steady=steady)


def _flux_of(laws: Sequence[Boundary], half: float, matter: Matter) -> Linear | Curved | Implicit:
    if isinstance(laws[0], Fixed):
        return _fixed(half, matter) if matter.constant else Curved(half, matter)
    if all(isinstance(one, Flux) for one in laws):
        return Linear(drive=sum, total=0.0, share=1.0, slope=0.0)
    if matter.constant and all(_linear(one) for one in laws):
        return _constant_h(laws, half / matter.conductivity_unit, half)
    return Implicit(laws, half, matter)


def driver_of(law: Boundary) -> Law | None:
    """Return what of a law may change in time; None if it has nothing."""
    if isinstance(law, Fixed):
        return law.temperature
    if isinstance(law, Flux):
        return law.into
    if isinstance(law, Convection | Radiation):
        return law.ambient
    return None


def _linear(law: Boundary) -> bool:
    return isinstance(law, Flux) or (isinstance(law, Convection) and not isinstance(law.h, Table))


@dataclass(frozen=True, kw_only=True)
class Linear:
    """(drive - total T) share: what a flux, a constant h or a fixed temperature makes of a constant material."""

    drive: Callable[[list[Any]], Any]  # of the laws' values
    total: float
    share: float
    slope: float  # d flux / d theta of the cell, at most 0

    def __call__(self, given: list[Any], temperature: Any3) -> Sharing:
        """Return the flux, and its slope over the cells' theta."""
        return (self.drive(given) - self.total * temperature) * self.share, self.slope


class Curved:
    """A fixed temperature behind half a cell of a material with tables."""

    def __init__(self, half: float, matter: Matter) -> None:
        """Take m from the cells' centres to the wall, and the material."""
        self.matter = matter
        self.share = 1.0 / half
        self.slope = -self.share

    def __call__(self, given: list[Any], temperature: Any3) -> Sharing:
        """Return the flux, and its slope over the cells' theta."""
        surface = given[0] + 0.0 * temperature
        step = self.matter.theta(surface) - self.matter.theta(temperature)
        return step * self.share, self.slope


def _fixed(half: float, matter: Matter) -> Linear:
    number = matter.arrays.dtype.type

    def drive(given: list[Any]) -> Any:
        surface = given[0]
        # a number is rounded as an array's would be, before and after the product
        return (
            float(matter.theta(number(surface)))
            if isinstance(surface, float)
            else matter.theta(surface)
        )

    return Linear(drive=drive, total=matter.theta(1.0), share=1.0 / half, slope=-1.0 / half)


def _constant_h(laws: Sequence[Boundary], resistance: float, half: float) -> Linear:
    """Return sum h (T_a - T_s) + fluxes, with the half cell's resistance taken in."""
    h = [
        float(one.h) if isinstance(one, Convection) and not isinstance(one.h, Table) else None
        for one in laws
    ]
    total = sum(one or 0.0 for one in h)
    share = 1.0 / (1.0 + total * resistance)

    def drive(given: list[Any]) -> Any:
        # an h of 0 is an insulated wall, and no flux of as many W/m2 as the bath has °C
        return sum(
            value if one is None else one * value for one, value in zip(h, given, strict=True)
        )

    return Linear(drive=drive, total=total, share=share, slope=-total * share * resistance / half)


class Implicit:
    """The surface's temperature from F(T) = theta(T) - theta(T_cell) - half * flux(T) = 0."""

    def __init__(self, laws: Sequence[Boundary], half: float, matter: Matter) -> None:
        """Take the laws of one side, m from the cells' centres to it, and the material."""
        self.laws = laws
        self.half = half
        self.matter = matter
        self.arrays = matter.arrays
        self.tables = [_table(one, matter.arrays) for one in laws]
        self.reach = half / matter.least_conductive  # K, that a surface may lie off for 1 W/m2
        self.tolerance = TOLERANCE[matter.arrays.dtype.name]

    def __call__(self, given: list[Any], temperature: Any3) -> Sharing:
        """Return the flux, and its slope over the cells' theta."""
        surface, flux, slope = self._surface(given, temperature)
        resist = self.matter.conductivity(surface) - self.half * slope
        resist = self.arrays.where(resist > 0.0, resist, 1.0)
        steep = slope / resist
        return flux, self.arrays.where(steep < 0.0, steep, 0.0 * steep)

    def _surface(self, given: list[Any], cell: Any3) -> tuple[Any3, Any3, Any3]:
        """Newton, or a halving of the bracket where Newton leaves it; a cell that is done stays as it is."""
        where = self.arrays.where
        low, high = self.bracket(given, cell)
        width = high - low
        theta = self.matter.theta(cell)
        surface, done = cell + 0.0, width < 0.0
        for _ in range(STEPS):
            flux, slope = self._flux(given, surface)
            miss = self.matter.theta(surface) - theta - self.half * flux
            resist = self.matter.conductivity(surface) - self.half * slope
            low, high = where(miss < 0.0, surface, low), where(miss > 0.0, surface, high)
            step = miss / where(resist > 0.0, resist, 1.0)
            small = (abs(step) <= self.tolerance * width) & (resist > 0.0)
            newton = surface - step
            inside = (newton > low) & (newton < high) & (resist > 0.0)
            tried = where(inside | small, newton, 0.5 * (low + high))
            surface, done = where(done, surface, tried), done | small | (miss == 0.0)
            if bool(done.all()):
                break
        flux, slope = self._flux(given, surface)
        return surface, flux, slope

    def bracket(self, given: list[Any], cell: Any3) -> tuple[Any3, Any3]:
        """Return temperatures between which the surface must be: all ambients, and what fluxes add."""
        where = self.arrays.where
        low, high, extra = cell + 0.0, cell + 0.0, 0.0 * cell
        for law, value in zip(self.laws, given, strict=True):
            if isinstance(law, Flux):
                extra = extra + abs(value) * self.reach
            else:
                other = value + 0.0 * cell
                low, high = where(other < low, other, low), where(other > high, other, high)
        return low - extra, high + extra

    def _flux(self, given: list[Any], surface: Any3) -> Sharing:
        """Return the sum of all laws at a surface's temperature, and its slope."""
        flux, slope = 0.0 * surface, 0.0 * surface
        for law, value, table in zip(self.laws, given, self.tables, strict=True):
            if isinstance(law, Flux):
                flux = flux + value
            elif isinstance(law, Radiation):
                part, steep = _radiation(law.emissivity, value, surface)
                flux, slope = flux + part, slope + steep
            elif isinstance(law, Convection):
                h, steep = table(surface) if table else (law.h, 0.0)
                drive = value - surface
                flux, slope = flux + h * drive, slope + (steep * drive - h)
        return flux, slope


def _table(law: Boundary, arrays: Arrays) -> Callable[[Any3], Sharing] | None:
    """Return h and its slope over the surface's temperature."""
    if not isinstance(law, Convection) or not isinstance(law.h, Table):
        return None
    return arrays.function_and_slope(of_table(law.h))


def _radiation(emissivity: float, ambient: Any, surface: Any3) -> Sharing:
    strength = emissivity * STEFAN_BOLTZMANN
    hot = surface + KELVIN
    square = hot * hot
    flux = strength * (fourth_power(ambient) - square * square)
    return flux, -4.0 * strength * (square * hot)


def fourth_power(celsius: Any) -> Any:
    """Return the fourth power of the absolute temperature, K4, by products alone."""
    kelvin = celsius + KELVIN
    square = kelvin * kelvin
    return square * square
