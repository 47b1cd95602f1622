"""Materials: what the standard prints, what an own material may hold, and what is refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.simulate.heat.latent import Latent, sensible, with_latent
from forgia_hpc.simulate.heat.library import ENTRIES
from forgia_hpc.simulate.heat.materials import material
from forgia_hpc.simulate.heat.tables import table

STEEL = {"density": 7800, "conductivity": 30, "specific_heat": 600}


def said(words, field="material") -> str:
    with pytest.raises(InputError) as caught:
        material(words, field)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "temperature", "conductivity", "heat"),
    [  # worked by hand from the clauses of EN 1993-1-2
        ("carbon_steel_en1993", 20.0, 53.334, 439.80176),
        ("carbon_steel_en1993", 400.0, 40.68, 605.88),
        ("carbon_steel_en1993", 735.0, 29.5245, 5000.0),
        ("carbon_steel_en1993", 1000.0, 27.3, 650.0),
        ("stainless_steel_en1993", 20.0, 14.854, 455.484672),
        ("stainless_steel_en1993", 1000.0, 27.3, 573.0),
    ],
)
def test_formulas_of_the_standard(name, temperature, conductivity, heat) -> None:
    entry = ENTRIES[name]
    at = np.array([temperature])
    assert entry.conductivity(at)[0] == pytest.approx(conductivity, rel=1e-9)
    assert entry.specific_heat(at)[0] == pytest.approx(heat, rel=1e-9)


def test_enthalpy_holds_the_peak_of_the_specific_heat() -> None:
    found = material("carbon_steel_en1993").material
    fine = np.linspace(20, 1200, 400_001)
    whole = 7850 * np.trapezoid(ENTRIES["carbon_steel_en1993"].specific_heat(fine), fine)
    assert found.enthalpy[-1] - found.enthalpy[0] == pytest.approx(whole, rel=1e-6)
    assert np.all(np.diff(found.enthalpy) > 0)
    assert material("carbon_steel_en1993").transforms


def test_the_split_steel_leaves_the_standards_heat_of_transformation_to_the_phases() -> None:
    whole, split = (material(f"carbon_steel_en1993{end}").material for end in ("", "_split"))
    left = whole.enthalpy[-1] - split.enthalpy[-1]
    assert left == pytest.approx(6.66e8, rel=1e-3)
    assert np.interp(600.0, split.temperature, split.enthalpy) == pytest.approx(
        np.interp(600.0, whole.temperature, whole.enthalpy), rel=1e-6
    )
    assert not material("carbon_steel_en1993_split").transforms


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_every_material_has_a_source_and_sound_tables(name) -> None:
    found = material(name)
    assert found.source
    assert found.low < found.high
    assert min(found.material.conductivity) > 0
    assert np.all(np.diff(found.material.temperature) > 0)
    assert np.all(np.diff(found.material.enthalpy) > 0)


def test_constant_properties_stay_two_knots() -> None:
    assert len(material("nafems_t3").material.temperature) == 2
    assert material(STEEL).material.constant


def test_an_own_material_with_slopes_keeps_the_integral_of_its_specific_heat() -> None:
    words = {
        **STEEL,
        "conductivity": [[0, 50], [1000, 25]],
        "specific_heat": [[0, 450], [1000, 850]],
    }
    found = material({**words, "range": [0, 1000]}).material
    at = 333.0
    enthalpy = np.interp(at, found.temperature, found.enthalpy)
    assert enthalpy == pytest.approx(7800 * (450 * at + 0.2 * at**2), rel=3e-4)


def test_latent_heat_between_two_temperatures_and_at_one() -> None:
    at = np.array([0.0, 2000.0])
    heat = sensible(at, 1.0, np.ones_like)
    knots, spread = with_latent(at, heat, 1.0, [Latent(heat=100.0, low=1400, high=1500)])
    assert np.interp(1450.0, knots, spread) == pytest.approx(1450 + 50)
    assert spread[-1] == pytest.approx(2100)
    knots, jump = with_latent(at, heat, 1.0, [Latent(heat=100.0, low=1500, high=1500)])
    assert knots.tolist() == [0, 1500, 1500, 2000]
    assert jump.tolist() == [0, 1500, 1600, 2100]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("carbon_stel_en1993", "no such material; did you mean carbon_steel_en1993?"),
        ({**STEEL, "conductivity": -3}, "material.conductivity: got -3.0, above 0"),
        ({**STEEL, "conductivity": [[0, 9], [50, -1]]}, "got -1.0, above 0 (at 50 °C)"),
        ({**STEEL, "specific_heat": [[50, 9], [0, 8]]}, "got [50.0, 0.0], temperatures that rise"),
        ({**STEEL, "specific_heat": "much"}, "a number, or rows [temperature in °C, value]"),
        ({**STEEL, "conductivity": [[0, float("nan")]]}, "finite numbers only"),
        ({**STEEL, "densty": 3}, "material.densty: got 3, no such word; did you mean density?"),
        ({"density": 7800}, "material.conductivity: got nothing, is needed"),
        ({**STEEL, "latent": [{"heat": -1, "low": 1, "high": 2}]}, "at least 0 J/kg"),
        ({**STEEL, "latent": [{"heat": 1, "low": 3, "high": 2}]}, "the lower one first"),
        ({**STEEL, "range": [900, 20]}, "the lower one first"),
    ],
)
def test_what_is_refused_says_why(words, told) -> None:
    assert told in said(words)


def test_a_temperature_out_of_the_range_of_validity_names_the_source() -> None:
    steel = material("carbon_steel_en1993")
    steel.within([20.0, 1200.0], "initial")
    with pytest.raises(InputError, match=r"initial: got 1350.0, .* 20 to 1200 °C \(EN 1993-1-2"):
        steel.within([850.0, 1350.0], "initial")


def test_a_table_of_one_number_holds_everywhere() -> None:
    assert table(5, "h").values == (5.0,)
    assert table({20: 1, 100: 3}, "h").temperature == (20.0, 100.0)
