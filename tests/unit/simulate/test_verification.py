"""The verification suite: exact solutions against published digits, quick cases, what a defect gets."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.simulate.heat.case import Box, constant_material
from forgia_hpc.simulate.member import MemberError
from forgia_hpc.simulate.verification import cooling, exact, manufactured, sampling, series, suite
from forgia_hpc.simulate.verification.figures import Figure, How, Outcome
from forgia_hpc.simulate.verification.mixed import mixed_cases

QUICK = [case for case in suite.CASES if case.quick]


# --- exact solutions ------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["slab", "cylinder", "sphere"])
def test_series_give_the_targets_to_the_last_digit(body) -> None:
    for biot, targets in cooling.THETA[body].items():
        np.testing.assert_allclose(series.theta(body, biot, 0.5, [0, 1]), targets, atol=5.1e-9)
    z = series.eigenvalues(body, 1.0)
    first = z[0], series.weights(body, z)[0]
    np.testing.assert_allclose(first, cooling.FIRST[body], atol=5.1e-7)


@pytest.mark.parametrize("body", ["slab", "cylinder", "sphere"])
@pytest.mark.parametrize("biot", [0.01, 1.0, 300.0])
def test_eigenvalues_are_all_there_and_start_from_1(body, biot) -> None:
    z = series.eigenvalues(body, biot, 400)
    assert np.all(np.diff(z) > 0)
    assert np.all(np.diff(z) < 2 * math.pi)
    np.testing.assert_allclose(series.theta(body, biot, 1e-3, [0.0, 0.3], 400), 1.0, atol=2e-3)


def test_products() -> None:
    assert series.short_cylinder(1, 0.5, 0, 0) == pytest.approx(0.42379732, abs=5e-9)
    assert series.box(1, 0.5, 0, 0, 0) == pytest.approx(0.46104144, abs=5e-9)
    assert series.box(1, 0.5, 1, 1, 1) == pytest.approx(0.12842221, abs=5e-9)


def test_closed_formulas() -> None:
    assert float(exact.half_space(0.0, 1.0, 1.0, 1.0)) == pytest.approx(0.57241642, abs=5e-9)
    assert float(exact.half_space(0.0, 1.0, 1.0, 1e6)) == pytest.approx(1.0, abs=1e-6)
    assert exact.stefan_constant(0.5) == pytest.approx(0.4647859206, abs=5e-11)
    assert exact.martensite([100.0, 200.0, -5.0]) == pytest.approx(
        [0.667129, 0.889197, 0], abs=5e-7
    )
    assert float(exact.stefan_theta(0.0, 1.0, 1.0, 1.0)) == 1.0


def test_nafems_series() -> None:
    assert exact.OscillatingBar()(0.08, 32.0) == pytest.approx(36.60312, abs=5e-6)
    assert exact.OscillatingBar()(0.1, 32.0) == pytest.approx(100 * math.sin(0.8 * math.pi))
    plate = exact.CooledPlate()
    assert plate(0.6, 0.2) == pytest.approx(18.2538, abs=5e-5)
    step = 1e-5
    flux = 52 * (plate(0.6, 0.2) - plate(0.6 - step, 0.2)) / step
    assert -flux == pytest.approx(750 * plate(0.6, 0.2), rel=1e-3)


def test_a_thin_beam_becomes_rosenthals_point() -> None:
    beam = exact.MovingSource()
    assert beam.rosenthal(-1e-3, 1e-3) == pytest.approx(936.620, abs=5e-4)
    assert beam.gaussian((-1e-3, 0.0, 0.0), 0.02, 1e-6) == pytest.approx(936.62, abs=0.1)


def test_the_manufactured_source_is_the_equations() -> None:
    step, place, t = 1e-4, (np.array(0.37), np.array(0.61)), 0.2

    def shifted(dy: float, dx: float, dt: float = 0.0) -> float:
        return float(manufactured.exact(t + dt, (place[0] + dy, place[1] + dx)))

    def flow(dy: float, dx: float) -> float:
        """k dT along a half step."""
        middle = 0.5 * (shifted(0, 0) + shifted(dy, dx))
        return (1 + 0.2 * middle) * (shifted(dy, dx) - shifted(0, 0)) / step**2

    spread = flow(step, 0) + flow(-step, 0) + flow(0, step) + flow(0, -step)
    rate = (shifted(0, 0, step) - shifted(0, 0, -step)) / (2 * step)
    wanted = (1 + 0.3 * shifted(0, 0)) * rate - spread
    assert float(manufactured.source(t, place)) == pytest.approx(wanted, abs=1e-5)


# --- the suite ------------------------------------------------------------------------------------


def test_every_number_of_the_built_in_solver_is_there_with_a_source() -> None:
    names = [case.name for case in suite.CASES]
    assert names == [*(f"V{n}" for n in range(1, 14)), "V16", "V20", "V21", "V22"]
    assert all(case.source and case.title for case in suite.CASES)
    assert next(case for case in suite.CASES if case.name == "V12").note


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_quick_cases_meet_their_targets(case) -> None:
    figures = case.run(How())
    assert figures
    assert [figure for figure in figures if not figure.passed] == []


@pytest.mark.parametrize(
    "defect",
    [
        {"material": constant_material(1.02, 1.0)},
        {"material": constant_material(1.0, 1.02)},
        {"end_s": 0.51, "save_times": (0.51,)},
        {"initial": 1.01},
    ],
)
def test_a_defect_of_2_percent_fails(defect) -> None:
    case = replace(cooling.cooled_body("slab", 1.0, 64, (0.5,)), **defect)
    grid = Box(shape=(64,), lengths=(1.0,))
    got = sampling.at(sampling.solved(case, How()).temperature[-1], grid, 0.0)
    assert not Figure(name="", got=got, target=0.77252638, tolerance=1e-4).passed


def test_a_place_between_cells_and_on_the_wall_is_read_to_third_order() -> None:
    grid = Box(shape=(9, 7), lengths=(1.0, 2.0))
    y, x = sampling.centres(grid)
    field = (y**3)[:, None] - 2 * x**2 * y[:, None] + 5
    for place in ((0.0, 0.0), (1.0, 2.0), (0.31, 1.7)):
        wanted = place[0] ** 3 - 2 * place[1] ** 2 * place[0] + 5
        assert sampling.at(field, grid, *place) == pytest.approx(wanted)


def test_a_number_that_is_none_never_passes() -> None:
    assert not Figure(name="", got=math.nan, target=1.0, tolerance=math.inf).passed
    assert not Figure(name="", got=math.nan, target=1.0, kind="most").passed


def test_a_case_that_breaks_is_told_and_has_not_passed() -> None:
    def broken(_how: How) -> list[Figure]:
        raise MemberError("not_finite", "the temperature is not finite at t = 1 s")

    case = replace(suite.CASES[0], run=broken)
    (outcome,) = suite.verify([case], How())
    assert isinstance(outcome, Outcome)
    assert not outcome.passed
    assert "not finite" in outcome.broke


def test_ranks_are_not_started_from_within_ranks() -> None:
    class Two:
        rank, size = 0, 2

    (case,) = suite.chosen(["V21"])
    (outcome,) = suite.verify([case], How(ranks=Two()))
    assert outcome.skipped
    assert outcome.passed


def test_the_mixed_cases_use_what_they_are_for() -> None:
    names = [name for name, _case in mixed_cases("explicit")]
    assert names == ["block", "ring", "stepped forging"]


def test_an_unknown_case_names_the_near_one() -> None:
    with pytest.raises(InputError, match="did you mean V2"):
        suite.chosen(["V2O"])


# --- the verb -------------------------------------------------------------------------------------


def test_the_verb_prints_figures_and_ends_with_0(forgia) -> None:
    done = forgia("verify", "v11", "V13", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["format"] == "forgia.verify/1"
    assert found["passed"]
    assert [case["name"] for case in found["cases"]] == ["V11", "V13"]
    figure = found["cases"][0]["figures"][0]
    assert figure["target"] == 0.667129
    assert abs(figure["deviation"]) <= figure["tolerance"]


def test_the_verb_refuses_a_case_that_there_is_not(forgia) -> None:
    done = forgia("verify", "V99")
    assert done.returncode == 2
    assert "no such case" in done.stderr
    done = forgia("verify", "--device", "cuda", "V13")
    assert done.returncode == 2
    assert "--backend torch" in done.stderr


def test_a_figure_that_misses_ends_with_3(monkeypatch) -> None:
    from click.testing import CliRunner

    from forgia_hpc.cli.verify import verify

    wrong = Figure(name="theta", got=0.5, target=0.7, tolerance=0.1)
    case = replace(suite.CASES[0], run=lambda _how: [wrong])
    monkeypatch.setattr(suite, "CASES", (case,))
    done = CliRunner().invoke(verify, ["V1"])
    assert done.exit_code == 3
    assert "FAILED" in done.output
    assert "0 of 1 figures of 1 cases met" in done.output
