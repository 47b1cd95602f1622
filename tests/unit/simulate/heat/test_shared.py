"""What members of a campaign share is made once, and only that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from forgia_hpc.schema.simulation import Solver
from forgia_hpc.simulate.heat.case import (
    Box,
    Case,
    Convection,
    Material,
    Radiation,
    Symmetry,
    Table,
    solve,
)
from forgia_hpc.simulate.heat.geometry import geometry_of
from forgia_hpc.simulate.heat.problem import Problems
from forgia_hpc.simulate.heat.solver import HeatSolver

BOILING = {"law": "boiling_water", "convection": 500}
BATH = {"law": "convection", "h": "h", "ambient": 20}
AIR = {"law": "radiation", "emissivity": 0.8, "ambient": "air"}
WORDS: dict[str, Any] = {
    "geometry": "ring",
    "shape": [8, 6],
    "inner": 0.06,
    "outer": 0.12,
    "height": 0.1,
    "boundaries": {"z-": "symmetry", "z+": [BATH, AIR], "r-": BOILING, "r+": BATH},
}
ONE = {"initial": 850.0, "h": 500.0, "air": 20.0}
OTHER = {**ONE, "h": 900.0}


def test_a_law_without_inputs_is_made_once_and_one_with_inputs_for_each_member() -> None:
    problems = Problems(WORDS)
    first, second = (problems.case(given, 0).boundaries for given in (ONE, OTHER))
    assert first["r-"] == second["r-"]
    assert first["r-"][0] is second["r-"][0]  # type: ignore[index]
    assert first["z+"] == (
        Convection(h=500.0, ambient=20.0),
        Radiation(emissivity=0.8, ambient=20.0),
    )
    assert second["r+"] == (Convection(h=900.0, ambient=20.0),)
    assert list(first) == list(WORDS["boundaries"])


@pytest.mark.parametrize(
    ("words", "given", "same"),
    [({}, {}, True), ({"outer": "outer"}, {"outer": 0.12}, False)],
)
def test_a_mesh_is_made_once_a_level_where_no_input_changes_it(
    words: Mapping[str, Any], given: Mapping[str, float], same: bool
) -> None:
    problems = Problems({**WORDS, **words})
    cases = [problems.case({**ONE, **given}, level) for level in (0, 1, 0)]
    assert (cases[0].grid is cases[2].grid) == same
    assert cases[0].grid == cases[2].grid
    assert cases[1].grid.shape == (16, 12)
    assert geometry_of(cases[0].grid) is geometry_of(cases[2].grid)


def test_what_is_wrong_with_one_member_is_not_said_of_the_next() -> None:
    solver = HeatSolver(Solver(options={**WORDS, "outer": "outer"}))
    assert solver.refuses({**ONE, "outer": 0.12}, 1) == ""
    assert "outer - inner: above 0 m" in solver.refuses({**ONE, "outer": 0.05}, 1)
    assert "is known from" in solver.refuses({**ONE, "initial": 2000.0, "outer": 0.12}, 1)
    assert solver.refuses({**ONE, "outer": 0.12}, 1) == ""


def test_lists_and_arrays_describe_a_case_as_well_as_tuples() -> None:
    def case(hold: Any) -> Case:
        steel = Material(
            name="steel",
            temperature=hold([0.0, 500.0, 1000.0]),
            conductivity=hold([30.0, 31.0, 32.0]),
            enthalpy=hold([0.0, 2e9, 4e9]),
        )
        bath = Convection(h=Table(temperature=hold([0, 1000]), values=hold([10, 20])), ambient=20.0)
        return Case(
            grid=Box(shape=hold([8]), lengths=hold([0.1])), material=steel,
            boundaries={"x-": bath, "x+": bath},
            initial=800.0, end_s=10.0, save_times=hold([0.0, 10.0]),
        )  # fmt: skip

    wanted = solve(case(tuple)).temperature
    assert (solve(case(list)).temperature == wanted).all()
    assert (solve(case(np.array)).temperature == wanted).all()


def test_what_drives_a_wall_may_be_any_callable() -> None:
    """A plain dataclass has no hash: numba's laws are made once all the same, numpy's were never asked for one."""

    @dataclass
    class Ramp:
        rise: float

        def __call__(self, t: float) -> float:
            return 20.0 + self.rise * t

    steel = Material(
        name="steel",
        temperature=(0.0, 500.0, 1000.0),
        conductivity=(15.0, 20.0, 25.0),
        enthalpy=(0.0, 2e9, 4.5e9),
    )
    found = [
        solve(Case(
            grid=Box(shape=(8,), lengths=(0.01,)), material=steel, initial=300.0, end_s=1.0,
            boundaries={"x-": Convection(h=500.0, ambient=Ramp(5.0)), "x+": Symmetry()}, backend=backend,
        )).temperature
        for backend in ("numpy", "numba")
    ]  # fmt: skip
    assert (found[0] == found[1]).all()
    assert (found[0][-1] != found[0][0]).any()
