"""NAFEMS T3 and T4. V2, V3."""

from __future__ import annotations

import math
from collections.abc import Sequence

from forgia_hpc.simulate.heat.case import (
    Box,
    Case,
    Convection,
    Fixed,
    Symmetry,
    constant_material,
)
from forgia_hpc.simulate.heat.materials import material
from forgia_hpc.simulate.verification.figures import Figure, How
from forgia_hpc.simulate.verification.sampling import at, solved


def oscillating_bar(how: How) -> Sequence[Figure]:
    """V2: one end at 0, the other at 100 sin(pi t/40)."""
    grid = Box(shape=(100,), lengths=(0.1,))
    case = Case(
        grid=grid,
        material=material("nafems_t3").material,
        boundaries={
            "x-": Fixed(temperature=0.0),
            "x+": Fixed(temperature=lambda t: 100.0 * math.sin(math.pi * t / 40)),
        },
        initial=0.0,
        end_s=32.0,
    )
    got = at(solved(case, how).temperature[-1], grid, 0.08)
    name = "T(x = 0.08 m, t = 32 s)"
    return [Figure(name=name, got=got, target=36.60312, tolerance=0.01, unit="°C")]


def cooled_plate(how: How) -> Sequence[Figure]:
    """V3: the steady temperature: a heat capacity of 1 gets there in 0.1 s. Two grids, and their limit."""
    got = [_plate(cells, how) for cells in (30, 60)]
    limit = got[1] + (got[1] - got[0]) / 3
    return [
        Figure(name="T(0.6, 0.2), 60 x 100", got=got[1], target=18.2538, tolerance=0.02, unit="°C"),
        Figure(name="T(0.6, 0.2), two grids", got=limit, target=18.2538, tolerance=0.01, unit="°C"),
    ]


def _plate(cells: int, how: How) -> float:
    grid = Box(shape=(cells * 5 // 3, cells), lengths=(1.0, 0.6))
    cooled = Convection(h=750.0, ambient=0.0)
    case = Case(
        grid=grid,
        material=constant_material(52.0, 1.0),
        boundaries={
            "x-": Symmetry(),
            "x+": cooled,
            "y-": Fixed(temperature=100.0),
            "y+": cooled,
        },
        initial=0.0,
        end_s=0.1,
        scheme="implicit",
        step_s=5e-3,
    )
    return at(solved(case, how).temperature[-1], grid, 0.2, 0.6)
