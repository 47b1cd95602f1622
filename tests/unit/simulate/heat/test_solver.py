"""The heat solver as the simulation layer calls it: inputs, schema, members, findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.heat_cases import box

from forgia_hpc.errors import InputError, StoppedError
from forgia_hpc.schema.simulation import Solver
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.heat.case import Case, Convection, History, solve
from forgia_hpc.simulate.heat.findings import findings
from forgia_hpc.simulate.heat.geometry import geometry_of
from forgia_hpc.simulate.heat.restrict import restricted
from forgia_hpc.simulate.heat.solver import HeatSolver, Solving
from forgia_hpc.simulate.member import Finding, Member, Output

AIR = {"law": "radiation", "emissivity": "emissivity", "ambient": "ambient"}
BATH = {"law": "convection", "h": "h", "ambient": "ambient"}
RING: dict[str, Any] = {
    "geometry": "ring",
    "shape": [8, 6],
    "inner": 0.06,
    "outer": "outer",
    "height": "height",
    "material": "stainless_steel_en1993",
    "boundaries": {"z-": "symmetry", "z+": [BATH, AIR], "r-": AIR, "r+": BATH},
    "defaults": {"outer": "120 mm", "initial": 850, "h": 1500, "ambient": "293.15 K"},
    "end_s": 60.0,
    "frames": 4,
}
GIVEN = {"height": 0.1, "emissivity": 0.8}


def opened(**words: Any) -> HeatSolver:
    return HeatSolver(Solver(options={**RING, **words}))


def solved(solver: HeatSolver, level: int = 0, **inputs: float) -> tuple[Solving, Output]:
    member = Member(number=0, id="0" * 16, inputs={**GIVEN, **inputs}, level=level)
    case = solver.prepare(member, Alone(), Path())
    solver.run(case, lambda: False)
    return case, solver.extract(case)


def test_names_in_the_options_are_inputs_with_units_and_defaults() -> None:
    found = {one.name: (one.ucum, one.default) for one in opened().inputs()}
    assert found == {
        "outer": ("m", 0.12),
        "height": ("m", None),
        "initial": ("Cel", 850.0),
        "h": ("W/(m2.K)", 1500.0),
        "ambient": ("Cel", 20.0),
        "emissivity": ("1", None),
    }


def test_the_schema_says_what_members_leave() -> None:
    solver = opened(phases={"composition": {"C": 0.4, "Mn": 0.7}})
    schema = solver.schema()
    _, output = solved(solver)
    assert {one.name for one in schema.fields} == set(output.fields)
    for one in schema.fields:
        assert output.fields[one.name].shape == one.shape(schema.grid, len(output.times))
    assert schema.grid.names == ("z", "r")
    assert {axis.ucum for axis in schema.grid.axes} == {"1"}  # lengths differ from member to member
    laws = [(one.name, one.axes, one.side, one.law, one.parameters) for one in schema.boundaries]
    assert laws[:3] == [
        ("z_low_symmetry", ("z",), "low", "symmetry", ()),
        ("z_high_convection", ("z",), "high", "convection", ("h", "ambient")),
        ("z_high_radiation", ("z",), "high", "radiation", ("emissivity", "ambient")),
    ]
    assert np.allclose(
        sum(output.fields[name] for name in solver.problems.transformation().names), 1
    )


def test_fixed_lengths_give_coordinates_in_metres() -> None:
    solver = HeatSolver(Solver(options={"shape": [4], "lengths": [0.2], "boundaries": _bar()}))
    axis = solver.schema().grid.axes[0]
    assert axis.ucum == "m"
    assert np.allclose(axis.coordinates, [0.025, 0.075, 0.125, 0.175])


def _bar() -> dict[str, Any]:
    return {"x-": "symmetry", "x+": {"law": "fixed", "temperature": 100}}


def test_a_member_cools_towards_its_bath_and_passes_its_checks() -> None:
    solver = opened()
    case, output = solved(solver, h=3000.0)
    last = output.fields["temperature"][-1]
    assert last.dtype == np.float32
    assert 20 < last.min() < last.max() < 850
    assert last[0, 3] > last[-1, 3]  # the top is in the bath, the bottom a plane of symmetry
    found = solver.check(case, output)
    assert [one.check for one in found] == [
        "finite",
        "energy_balance",
        "energy_drift",
        "maximum_principle",
        "monotone_cooling",
        "time_step",
    ]
    assert all(one.passed for one in found)
    milder = solved(solver, h=300.0)[1].fields["temperature"][-1]
    assert (milder > last).all()


@pytest.mark.parametrize("scheme", ["explicit", "implicit"])
def test_a_finer_mesh_comes_back_on_the_coarse_cells_and_differs_by_its_error(scheme: str) -> None:
    solver = opened(scheme=scheme, cfl=0.9 if scheme == "explicit" else 3.0)
    _, coarse = solved(solver)
    case, fine = solved(solver, level=1)
    assert case.case.grid.shape == (16, 12)
    assert fine.where == coarse.where
    off = np.abs(fine.fields["temperature"] - coarse.fields["temperature"]).max()
    assert 0.1 < off < 40  # six cells across the wall
    assert all(one.passed for one in solver.check(case, fine))


def test_voxels_bring_their_mask() -> None:
    words = {"geometry": "voxels", "steps": [[0.05, 0.06], [0.03, 0.04]], "spacing": 0.01}
    boiling = {
        "convection": 500,
        "boils": 100,
        "peak": "peak",
        "peak_at": 250,
        "film": 300,
        "leidenfrost": 500,
    }
    surface = {"law": "boiling", "ambient": 25, **boiling}
    solver = HeatSolver(
        Solver(options={**words, "boundaries": {"surface": surface}, "end_s": 5.0, "frames": 2})
    )
    member = Member(number=0, id="0" * 16, inputs={"initial": 850.0, "peak": 8000.0}, level=1)
    case = solver.prepare(member, Alone(), Path())
    solver.run(case, lambda: False)
    output = solver.extract(case)
    schema = solver.schema()
    assert schema.grid.shape == output.fields["inside"].shape == (8, 6, 6)
    assert schema.boundaries[0].mask is not None
    assert not (schema.boundaries[0].mask & ~output.fields["inside"]).any()
    assert all(one.passed for one in solver.check(case, output))


def test_bad_options_are_named_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        opened(
            shape=[8],
            boundaries={
                "z+": {"law": "convektion"},
                "r+": {"law": "convection", "h": "ambient", "ambient": 20},
            },
            initial="ambient",
            frames=1,
        )
    text = str(caught.value)
    for said in (
        "one number an axis",
        "did you mean convection?",
        "one input has one unit",
        "frames: got 1",
    ):
        assert said in text
    with pytest.raises(InputError, match=r"solver\.options\.meshh: got 1, no such word"):
        opened(meshh=1)
    with pytest.raises(
        InputError, match=r"defaults\.speed: got 1, no place of the options names it"
    ):
        opened(defaults={**RING["defaults"], "speed": 1})


def test_a_members_inputs_are_checked() -> None:
    solver = opened()
    with pytest.raises(InputError, match=r"inputs\.emissivity: got nothing, has no default"):
        solver.prepare(Member(number=0, id="", inputs={"height": 0.1}), Alone(), Path())
    with pytest.raises(InputError, match=r"inputs\.hh: got 1\.0, no such input"):
        solved(solver, hh=1.0)
    with pytest.raises(InputError, match=r"outer - inner: got -0\.0\d+, above 0 m"):
        solved(solver, outer=0.05)


def test_a_member_stops_between_two_steps() -> None:
    solver = opened()
    case = solver.prepare(Member(number=0, id="", inputs=GIVEN), Alone(), Path())
    with pytest.raises(StoppedError):
        solver.run(case, lambda: True)


QUENCH = {
    "boundaries": {side: box().boundaries["x+"] for side in ("x-", "x+", "y-", "y+", "z-", "z+")},
    "initial": 850.0,
    "source": None,
}


def judged(case: Case, history: History) -> dict[str, Finding]:
    output = Output(
        fields={"temperature": history.temperature}, where=history.where, times=history.times
    )
    return {one.check: one for one in findings(case, history, output, Alone())}


def test_findings_see_what_is_wrong() -> None:
    case = box(**QUENCH)
    good = solve(case)
    assert all(one.passed for one in judged(case, good).values())

    def changed(change: Callable[[np.ndarray], None]) -> dict[str, Finding]:
        frames = good.temperature.copy()
        change(frames)
        return judged(case, replace(good, temperature=frames))

    def put(frame: int, value: float) -> Callable[[np.ndarray], None]:
        return lambda frames: frames.__setitem__((frame, 3, 3, 3), value)

    assert not changed(put(1, np.nan))["finite"].passed
    assert not changed(put(1, 850.001))["maximum_principle"].passed
    assert not changed(put(2, 14.999))["maximum_principle"].passed
    assert not changed(put(1, good.temperature[2, 3, 3, 3] - 0.01))["monotone_cooling"].passed
    facts = {**good.facts, "energy_residual": 1e-11}
    assert not judged(case, replace(good, facts=facts))["energy_balance"].passed
    facts = {**good.facts, "energy_drift": 1e-9}
    assert not judged(case, replace(good, facts=facts))["energy_drift"].passed
    assert not judged(case, replace(good, facts={**good.facts, "largest_cfl": 1.2}))[
        "time_step"
    ].passed


def test_cooling_is_asked_of_two_baths_and_not_of_one_that_changes() -> None:
    two = {**QUENCH["boundaries"], "x-": Convection(h=100.0, ambient=300.0)}
    asked = box(**{**QUENCH, "boundaries": two})
    assert "not asked" not in judged(asked, solve(asked))["monotone_cooling"].note
    two["x-"] = Convection(h=100.0, ambient=lambda t: 10.0 * t)
    changing = box(**{**QUENCH, "boundaries": two})
    assert "not asked" in judged(changing, solve(changing))["monotone_cooling"].note


def test_heat_that_comes_in_lifts_the_upper_bound_alone() -> None:
    case = box()
    found = judged(case, solve(case))
    assert found["maximum_principle"].passed
    assert "not bound" in found["maximum_principle"].note
    assert "not asked" in found["monotone_cooling"].note


def test_the_balance_is_a_book_of_its_own() -> None:
    """A cell that is tampered with between two steps shows as heat that nobody gave."""
    case = box(**QUENCH)
    from forgia_hpc.simulate.heat import march

    def leaking(part: Any, t: float, dt: float) -> None:
        plain(part, t, dt)
        part.state[3, 3, 3] -= 1e-6

    plain = march.STEPS["explicit"]
    march.STEPS["explicit"] = leaking
    try:
        found = judged(case, solve(case))
    finally:
        march.STEPS["explicit"] = plain
    assert not found["energy_balance"].passed


def test_a_little_heat_lost_in_every_step_adds_up() -> None:
    """A float32 step may err by 1e-5 of the heat; two hundred that err by 2e-6 to one side may not."""
    case = replace(box(**QUENCH), dtype="f32", step_s=box(**QUENCH).end_s / 200)
    from forgia_hpc.simulate.heat import march

    def leaking(part: Any, t: float, dt: float) -> None:
        plain(part, t, dt)
        part.state *= np.float32(1 - 2e-6)

    plain = march.STEPS["explicit"]
    march.STEPS["explicit"] = leaking
    try:
        found = judged(case, solve(case))
    finally:
        march.STEPS["explicit"] = plain
    assert found["energy_balance"].passed
    assert not found["energy_drift"].passed
    assert all(one.passed for one in judged(case, solve(case)).values())


def test_restriction_keeps_the_mean_by_volume() -> None:
    solver = opened()
    fine = geometry_of(solver.problems.grid({"height": 0.1, "outer": 0.12}, 1))
    coarse = geometry_of(solver.problems.grid({"height": 0.1, "outer": 0.12}, 0))
    values = np.random.default_rng(0).random((3, *fine.shape[1:]))
    where = (slice(0, fine.shape[1]), slice(0, fine.shape[2]))
    back = restricted(values, fine, where, 2)
    whole = [
        float((array * shape.volumes).sum()) for array, shape in ((values, fine), (back, coarse))
    ]
    assert whole[0] == pytest.approx(whole[1], rel=1e-13)


def test_a_grid_that_turns_about_an_axis_says_so_where_its_coordinates_begin_there() -> None:
    assert (
        opened().schema().grid.kind == "cartesian"
    )  # shares of a wall: the axis is not among them
    fixed = {"outer": 0.12, "height": 0.1, "defaults": {"initial": 850, "h": 1500, "ambient": 20}}
    ring = opened(**fixed).schema().grid
    assert (ring.kind, ring.names) == ("cylindrical", ("z", "r"))
    assert ring.axes[1].coordinates[0] == pytest.approx(0.065)
