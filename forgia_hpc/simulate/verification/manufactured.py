"""A solution made up, and the heat source and walls that it needs: k(T), c(T), four kinds of wall. For V20.

T = 3 + exp(-t) cos(1.3 x + 0.4) sin(0.9 y + 0.7) in °C; k = 1 + 0.2 T; rho c = 1 + 0.3 T.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat.case import (
    Box,
    Case,
    Convection,
    Coordinates,
    Fixed,
    Flux,
    Material,
    OfPlace,
    Radiation,
    Table,
)

Array = NDArray[np.float64]
_A, _P, _B, _Q = 1.3, 0.4, 0.9, 0.7
_KELVIN, _SIGMA = 273.15, 5.670374419e-8  # CODATA 2018
_EMISSIVITY = 0.8
_H = 2.0


def exact(t: float, where: Coordinates) -> Array:
    """Return the temperature at (y, x)."""
    y, x = where
    return np.asarray(3 + math.exp(-t) * np.cos(_A * x + _P) * np.sin(_B * y + _Q))


def _slopes(t: float, where: Coordinates) -> tuple[Array, Array]:
    """Return dT/dx and dT/dy."""
    y, x = where
    fade = math.exp(-t)
    along = -_A * fade * np.sin(_A * x + _P) * np.sin(_B * y + _Q)
    across = _B * fade * np.cos(_A * x + _P) * np.cos(_B * y + _Q)
    return along, across


def source(t: float, where: Coordinates) -> Array:
    """Return rho c dT/dt - div(k grad T)."""
    temperature = exact(t, where)
    part = temperature - 3
    along, across = _slopes(t, where)
    spread = -(_A**2 + _B**2) * part
    conductivity, capacity = 1 + 0.2 * temperature, 1 + 0.3 * temperature
    return np.asarray(-capacity * part - conductivity * spread - 0.2 * (along**2 + across**2))


def _entering(t: float, where: Coordinates, axis: int, sign: int) -> Array:
    """Return the heat that enters through a wall: k dT/dn, n outward."""
    slope = _slopes(t, where)[axis]
    return np.asarray(sign * (1 + 0.2 * exact(t, where)) * slope)


def _half_convected(t: float, where: Coordinates) -> Array:
    return np.asarray(exact(t, where) + _entering(t, where, 1, -1) / (2 * _H))


def _half_radiated(t: float, where: Coordinates) -> Array:
    power = _entering(t, where, 1, -1) / (2 * _EMISSIVITY * _SIGMA)
    return np.asarray(((exact(t, where) + _KELVIN) ** 4 + power) ** 0.25 - _KELVIN)


def _by_table(t: float, where: Coordinates) -> Array:
    """Return the fluid's temperature for h = 1 + 0.5 T of the surface."""
    surface = exact(t, where)
    return np.asarray(surface + _entering(t, where, 1, +1) / (1 + 0.5 * surface))


def material() -> Material:
    """Return k and the enthalpy T + 0.15 T² from 0 to 6 °C, in steps too small to show."""
    at = np.linspace(0.0, 6.0, 1201)
    return Material(
        name="manufactured",
        temperature=tuple(at.tolist()),
        conductivity=tuple((1 + 0.2 * at).tolist()),
        enthalpy=tuple((at + 0.15 * at**2).tolist()),
    )


def case(cells: int, scheme: str, end_s: float, step_s: float | None = None) -> Case:
    """Return the unit square with a fixed wall, a flux, convection with radiation, and a table of h."""
    return Case(
        grid=Box(shape=(cells, cells), lengths=(1.0, 1.0)),
        material=material(),
        boundaries={
            "x-": Fixed(temperature=OfPlace(function=exact)),
            "x+": Flux(into=OfPlace(function=lambda t, where: _entering(t, where, 0, +1))),
            "y-": (
                Convection(h=_H, ambient=OfPlace(function=_half_convected)),
                Radiation(emissivity=_EMISSIVITY, ambient=OfPlace(function=_half_radiated)),
            ),
            "y+": Convection(
                h=Table(temperature=(0.0, 6.0), values=(1.0, 4.0)),
                ambient=OfPlace(function=_by_table),
            ),
        },
        initial=lambda where: exact(0.0, where),
        end_s=end_s,
        scheme=scheme,
        step_s=step_s,
        source=source,
    )
