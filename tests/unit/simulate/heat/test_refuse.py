"""A case that can't be solved is refused before a step is taken, everything at once, one line a fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fakes.heat_cases import STEEL, box, ring, voxels

from forgia_hpc.errors import InputError
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.heat.case import (
    Ball,
    Box,
    Case,
    Convection,
    Fixed,
    Radiation,
    Ring,
    Symmetry,
    Table,
    Voxels,
    constant_material,
    solve,
)
from forgia_hpc.simulate.heat.refuse import refuse


class Ranks(Alone):
    def __init__(self, size: int) -> None:
        self.size = size


def lines(case: Case, ranks: int = 1) -> list[str]:
    with pytest.raises(InputError) as caught:
        refuse(case, Ranks(ranks))
    return str(caught.value).splitlines()


def solid(*shape: int) -> Box:
    return Box(shape=shape, lengths=(0.1,) * len(shape))


def test_a_step_that_is_unstable_is_refused_with_the_longest_that_is_not() -> None:
    with pytest.raises(InputError, match=r"step_s: got 5\.0, at most 1\.\d+ s.*unstable"):
        solve(box(step_s=5.0))
    assert "cfl: got 1.5" in lines(box(cfl=1.5))[0]
    assert solve(box(step_s=5.0, scheme="implicit", end_s=5.0, save_times=())).facts["steps"] == 1


HOLE = np.ones((5, 5, 5), np.bool_)
HOLE[2, 2, 2] = False
TWO = np.ones((7,), np.bool_)
TWO[3] = False
SIDES = {side: Symmetry() for side in ("x-", "x+", "y-", "y+", "z-", "z+")}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: box(material=constant_material(-1.0, 1.0)), "conductivity: got -1.0, above 0"),
        (lambda: box(material=constant_material(1.0, 0.0)), "enthalpy: got 0.0, rising"),
        (lambda: box(material=replace(STEEL, conductivity=(1.0,))), "three tables of one length"),
        (lambda: box(material=replace(STEEL, temperature=(0, 9, 8, 8, 10))), "ascending"),
        (lambda: voxels(grid=Voxels(mask=HOLE, spacing=0.01)), "grid.mask"),
        (lambda: voxels(grid=Voxels(mask=TWO, spacing=0.01)), "grid.mask"),
        (lambda: voxels(grid=Voxels(mask=~HOLE & HOLE, spacing=0.01)), "grid.mask"),
        (lambda: box(grid=Box(shape=(4, 4), lengths=(1.0,))), "grid.shape: got [4, 4]"),
        (lambda: box(grid=Box(shape=(4, 0, 4), lengths=(1.0, 1.0, 1.0))), "at least 1"),
        (lambda: box(grid=Box(shape=(4, 4, 4), lengths=(1.0, -1.0, 1.0))), "got -1.0, above 0 m"),
        (lambda: ring(grid=Ring(shape=(4, 4), inner=0.2, outer=0.1, height=1.0)), "outer - inner"),
        (lambda: ring(grid=Ring(shape=(4, 4), inner=-0.1, outer=0.1, height=1.0)), "grid.inner"),
        (lambda: box(boundaries={**SIDES, "top": Symmetry()}), "boundaries.top: got 'top'"),
        (lambda: box(boundaries={"x-": Symmetry()}), "boundaries.z+: got nothing, every side"),
        (lambda: box(boundaries={**SIDES, "x+": Convection(h=-1.0, ambient=0)}), "h: got -1.0"),
        (lambda: box(boundaries={**SIDES, "x+": Radiation(emissivity=2, ambient=0)}), "0 to 1"),
        (lambda: box(boundaries={**SIDES, "x+": Fixed(temperature=-300)}), "at least -273.15"),
        (
            lambda: box(boundaries={**SIDES, "x+": (Fixed(temperature=1), Symmetry())}),
            "a fixed temperature stands alone",
        ),
        (lambda: box(save_times=(3.0, 2.0)), "save_times: got [3.0, 2.0], ascending"),
        (lambda: box(save_times=(9.0,)), "from 0 to end_s = 8 s"),
        (lambda: box(end_s=-1.0, save_times=()), "end_s: got -1.0"),
        (lambda: box(backend="cupy"), "backend: got 'cupy', no such word"),
        (lambda: box(scheme="euler"), "scheme: got 'euler'"),
        (lambda: box(dtype="f16"), "dtype: got 'f16'"),
        (lambda: box(device="cuda"), "of backend torch alone"),
    ],
)
def test_bad_words_are_named(make: Callable[[], Case], said: str) -> None:
    found = lines(make())
    assert any(said in line for line in found), found


def test_a_table_of_h_has_rising_temperatures() -> None:
    falling = Convection(h=Table(temperature=(9.0, 1.0), values=(1.0, 1.0)), ambient=0.0)
    assert "temperatures that rise" in lines(box(boundaries={**SIDES, "x+": falling}))[0]


def test_all_faults_are_said_at_once() -> None:
    case = box(cfl=2.0, backend="cupy", material=constant_material(-1.0, 1.0), end_s=0.0)
    assert len(lines(case)) >= 4


def test_a_mesh_that_does_not_divide_and_more_ranks_than_cells() -> None:
    case = box(grid=solid(3, 3, 3))
    assert lines(case, 28)[0] == "ranks: got 28, at most one a cell: the mesh has 27"
    assert "divides among 7 ranks" in lines(case, 7)[0]
    assert "blocks: got [2, 2, 1], one number an axis (3), 3 ranks in all" in lines(
        box(grid=solid(3, 3, 3), blocks=(2, 2, 1)), 3
    )
    assert (
        "at most one a cell along each axis"
        in lines(box(grid=solid(3, 3, 3), blocks=(4, 1, 1)), 4)[0]
    )
    assert "divide by 2" in lines(box(grid=solid(3, 3, 3), cut=2))[0]
    refuse(box(grid=solid(5, 7, 11)), Ranks(6))  # a remainder is no fault


def test_a_ball_needs_an_outside() -> None:
    found = lines(Case(grid=Ball(shape=(4,), outer=-1.0), material=STEEL, boundaries={"r+": Symmetry()},
                       initial=0.0, end_s=1.0))  # fmt: skip
    assert "grid.outer: got -1.0, above 0 m" in found[0]
