"""Phases: what holds and quenches give, whatever the steps, on any piece of the grid; hardness by composition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.simulate.heat.case import Table
from forgia_hpc.simulate.heat.composition import Composition, composition, diffusive_phases, maynier
from forgia_hpc.simulate.heat.hardness import Given, Maynier, mixture
from forgia_hpc.simulate.heat.phases import Diffusive, Martensite, Transformation

AT = (500.0, 600.0, 700.0)
PEARLITE = Diffusive(
    name="pearlite",
    start=Table(temperature=AT, values=(10.0, 2.0, 20.0)),
    finish=Table(temperature=AT, values=(100.0, 30.0, 400.0)),
    heat=5e8,
)
BOTH = Transformation((PEARLITE,), Martensite(start_c=300.0, heat=6e8))
C42 = Composition(C=0.41, Mn=0.75, Si=0.25, Cr=1.05, Mo=0.22)


def hold(temperature: float, seconds: float, step: float) -> dict[str, np.ndarray]:
    state, at = BOTH.start((1,)), np.array([temperature])
    for _ in range(round(seconds / step)):
        state, _heat = BOTH.advance(at, at, step, state)
    return BOTH.advance(at, at, 1e-9, state)[0]  # past the rounding of the sum of steps


@pytest.mark.parametrize("step", [0.1, 0.5, 2.0])
@pytest.mark.parametrize(
    ("temperature", "start", "finish"), [(600.0, 2, 30), (500.0, 10, 100), (700.0, 20, 400)]
)
def test_a_hold_begins_and_ends_where_the_ttt_diagram_says(
    temperature, start, finish, step
) -> None:
    assert hold(temperature, start, step)["pearlite"][0] == pytest.approx(0.01, rel=1e-6)
    assert hold(temperature, finish, step)["pearlite"][0] == pytest.approx(0.99, rel=1e-6)


def test_scheil_half_the_start_time_at_each_of_two_temperatures_begins_the_phase() -> None:
    state = BOTH.start((1,))
    for temperature, seconds in ((500.0, 5.0), (600.0, 0.9999)):
        at = np.array([temperature])
        state, _ = BOTH.advance(at, at, seconds, state)
        assert state["pearlite"][0] == 0
    state, _ = BOTH.advance(np.array([600.0]), np.array([600.0]), 0.0002, state)
    assert state["pearlite"][0] == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("step", [0.5, 7.0, 300.0])
def test_martensite_depends_on_the_coldest_moment_alone(step) -> None:
    state, at = BOTH.start((1,)), np.array([450.0])
    path = [*np.arange(450.0, 150.0, -step)[1:], 150.0, 290.0, 160.0]
    for after in path:
        state, _ = BOTH.advance(at, np.array([after]), 1e-6, state)
        at = np.array([after])
    assert state["martensite"][0] == pytest.approx(1 - math.exp(-0.011 * 150), rel=1e-12)


def test_martensite_takes_only_what_pearlite_left() -> None:
    state = hold(600.0, 10.0, 0.5)
    left = float(state["austenite"][0])
    state, _ = BOTH.advance(np.array([600.0]), np.array([200.0]), 1e-6, state)
    assert state["martensite"][0] == pytest.approx(left * (1 - math.exp(-1.1)), rel=1e-6)


def test_fractions_sum_to_1_and_the_heat_is_theirs() -> None:
    rng = np.random.default_rng(0)
    at = rng.uniform(650, 800, 500)
    warm = at >= 700
    state, heat = BOTH.start(at.shape), np.zeros(500)
    for _ in range(200):
        after = at - rng.uniform(0, 8, 500)
        state, gained = BOTH.advance(at, after, 0.7, state)
        heat, at = heat + gained, after
    total = sum(state[name] for name in BOTH.names)
    np.testing.assert_allclose(total, 1.0, atol=1e-12)
    assert min(state[name].min() for name in BOTH.names) >= 0
    np.testing.assert_allclose(heat, 5e8 * state["pearlite"] + 6e8 * state["martensite"], rtol=1e-9)
    np.testing.assert_array_equal(state["rate"] > 0, warm)  # who passed 700 °C on the way


def test_a_cell_has_the_same_bits_in_any_piece_of_the_grid() -> None:
    rng = np.random.default_rng(1)
    start = rng.uniform(250, 800, 40_003)

    def end(piece: slice) -> dict[str, np.ndarray]:
        at, state = start[piece], BOTH.start(start[piece].shape)
        for _ in range(6):
            state, _ = BOTH.advance(at, at - 31.7, 0.9, state)
            at = at - 31.7
        return state

    whole = end(slice(None))
    for piece in (slice(0, 1), slice(3, 10), slice(11, 7_777), slice(7, None), slice(1, None, 3)):
        for name, values in end(piece).items():
            assert values.tobytes() == np.ascontiguousarray(whole[name][piece]).tobytes()


def test_cells_outside_a_body_stay_out_of_it() -> None:
    at = np.array([np.nan, 600.0])
    state, heat = BOTH.advance(at, at, 30.0, BOTH.start((2,)))
    assert state["pearlite"].tolist()[0] == 0
    assert np.isfinite(heat).all()


def test_curves_that_cross_are_refused() -> None:
    with pytest.raises(InputError, match="a finish after the start"):
        Diffusive(name="pearlite", start=PEARLITE.finish, finish=PEARLITE.start)
    with pytest.raises(InputError, match="above 0 1/K"):
        Martensite(start_c=300.0, rate=-0.011)
    with pytest.raises(InputError, match="a name for each phase"):
        Transformation((PEARLITE, PEARLITE))


# --- by composition -------------------------------------------------------------------------------


def test_temperatures_of_42crmo4_by_the_formulas() -> None:
    assert C42.ms == pytest.approx(539 - 173.43 - 22.8 - 12.705 - 1.65)
    assert C42.bs == pytest.approx(637 - 23.78 - 26.25 - 35.7 - 9.02)
    assert C42.ae3 == pytest.approx((1570 - 132.43 - 18.75 + 20 - 3.15 - 32) * 5 / 9)
    assert C42.ae1 == pytest.approx((1333 - 18.75 + 10 + 44.1 - 32) * 5 / 9)
    assert C42.ae1 > Composition(C=0.41, Mn=0.75, Si=0.25, Mo=0.22).ae1  # chromium raises it


def test_alloying_moves_the_noses_to_later_times() -> None:
    plain = {
        one.name: min(one.start.values) for one in diffusive_phases(Composition(C=0.41, Mn=0.6))
    }
    alloyed = {one.name: min(one.start.values) for one in diffusive_phases(C42)}
    assert set(plain) == {"ferrite", "pearlite", "bainite"}
    assert all(alloyed[name] > 2 * plain[name] for name in plain)
    assert alloyed["pearlite"] > 100 * plain["pearlite"]


def test_ferrite_stops_at_its_share_in_equilibrium() -> None:
    ferrite = diffusive_phases(Composition(C=0.385))[0]
    state, at = Transformation((ferrite,)).start((1,)), np.array([650.0])
    for _ in range(100):
        state, _ = Transformation((ferrite,)).advance(at, at, 100.0, state)
    assert state["ferrite"][0] == pytest.approx(0.5, abs=1e-6)


def test_hardness_of_martensite_by_maynier() -> None:
    values = maynier(C42, 30.0)
    wanted = 127 + 949 * 0.41 + 27 * 0.25 + 11 * 0.75 + 16 * 1.05 + 21 * math.log10(30 * 3600)
    assert values["martensite"] == pytest.approx(wanted)
    assert values["martensite"] > values["bainite"] > values["pearlite"] > 0
    cells = {
        name: np.array([share, 0.0]) for name, share in (("martensite", 0.9), ("austenite", 0.1))
    }
    cells["bainite"] = np.array([0.0, 1.0])
    found = Maynier(C42)(cells, np.array([30.0, 30.0]))
    np.testing.assert_allclose(found, [values["martensite"], values["bainite"]])


def test_mixture_wants_a_hardness_for_each_constituent() -> None:
    assert mixture({"a": 0.7, "b": 0.3}, {"a": 200, "b": 300}) == 230
    with pytest.raises(InputError, match="give one for b"):
        mixture({"a": 0.7, "b": 0.3}, {"a": 200})
    assert Given({"a": 100.0})({"a": np.ones(2)}, np.zeros(2)).tolist() == [100, 100]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"Mn": 1}, "composition.C: got nothing, is needed"),
        ({"C": 0.4, "Mm": 1}, "no element that the formulas know"),
        ({"C": 1.4}, "at most 0.8 mass percent"),
        ({"C": -0.1}, "at least 0"),
        ({"C": "much"}, "a number is needed"),
    ],
)
def test_a_composition_that_the_formulas_do_not_know(words, told) -> None:
    with pytest.raises(InputError) as caught:
        composition(words)
    assert told in str(caught.value)
