"""The longest explicit step: von Neumann's, which is also what keeps every cell between its neighbours."""

from __future__ import annotations

import numpy as np

from forgia_hpc.simulate.heat.case import (
    Boundary,
    Case,
    Convection,
    Fixed,
    Law,
    OfPlace,
    Radiation,
    Table,
)
from forgia_hpc.simulate.heat.geometry import SURFACE, Geometry, Side
from forgia_hpc.simulate.heat.laws import KELVIN, STEFAN_BOLTZMANN
from forgia_hpc.simulate.heat.matter import Matter
from forgia_hpc.simulate.heat.walls import laws_of


def longest_step(case: Case, geometry: Geometry, matter: Matter, hottest: float) -> float:
    """Return s. No cell may give away more in a step than it has over its neighbours and walls."""
    rate = sum(_axis_rate(case, geometry, matter, axis, hottest) for axis in range(3))
    return 1.0 / rate if rate > 0 else np.inf


def _axis_rate(case: Case, geometry: Geometry, matter: Matter, axis: int, hottest: float) -> float:
    """Return the worst cell's rate along an axis, 1/s."""
    low, high = (one[axis] * matter.fastest for one in (geometry.low, geometry.high))
    ends = [one for one in geometry.sides if one.axis == axis]
    wall = {one.high: _wall_rate(case, geometry, matter, one, hottest) for one in ends}
    if geometry.mask is not None and ends:  # a stair may have a wall on either hand of any cell
        return sum(max(float(low.max()), one) for one in wall.values())
    total = low + high
    for at_high, rate in wall.items():
        total[-1 if at_high else 0] += rate
    return float(total.max())


def _wall_rate(case: Case, geometry: Geometry, matter: Matter, side: Side, hottest: float) -> float:
    """Return how fast a cell may lose through a wall, 1/s: all laws' slopes, behind half a cell."""
    behind = matter.most_conductive / side.half
    laws = laws_of(case.boundaries[SURFACE if geometry.mask is not None else side.name])
    slope = sum(_slope(one, hottest) for one in laws)
    passed = behind if np.isinf(slope) else slope * behind / (slope + behind)
    return passed * side.area_per_volume / matter.least_capacity


def _slope(law: Boundary, hottest: float) -> float:
    """Return the largest W/(m2 K) of a law at its surface."""
    if isinstance(law, Fixed):
        return np.inf
    if isinstance(law, Convection):
        return _table_slope(law.h, law.ambient) if isinstance(law.h, Table) else law.h
    if isinstance(law, Radiation):
        return 4 * law.emissivity * STEFAN_BOLTZMANN * (hottest + KELVIN) ** 3
    return 0.0


def _table_slope(h: Table, ambient: Law) -> float:
    """Return the largest |d/dT of h (T - ambient)|: more than h itself where h rises with T, as in boiling."""
    if len(h.values) < 2:
        return max(h.values)
    if not isinstance(ambient, float | int):
        return np.inf  # it may become as cold as it likes
    at, values = np.array(h.temperature), np.array(h.values)
    rises = np.diff(values) / np.diff(at)
    ends = [values[side] + rises * (at[side] - ambient) for side in (slice(-1), slice(1, None))]
    return float(max(values.max(), *(one.max() for one in ends)))


def hottest_of(case: Case, initial: float) -> float:
    """Return the highest temperature that start and surroundings show at the save times; inf if heat comes in."""
    if case.source is not None or case.phases is not None:
        return np.inf
    seen = [initial]
    times = [0.0, case.end_s, *case.save_times]
    for given in case.boundaries.values():
        for law in laws_of(given):
            driver = _temperature(law)
            if isinstance(driver, float | int):
                seen.append(float(driver))
            elif driver is not None:
                seen += [_at(driver, t) for t in times]
    return max(seen)


def _temperature(law: Boundary) -> Law | None:
    if isinstance(law, Fixed):
        return law.temperature
    return law.ambient if isinstance(law, Convection | Radiation) else None


def _at(driver: Law, t: float) -> float:
    """Return a law's value; inf where it differs from place to place."""
    if isinstance(driver, OfPlace) or not callable(driver):
        return np.inf
    return float(driver(t))
