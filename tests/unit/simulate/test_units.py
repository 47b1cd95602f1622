from __future__ import annotations

import math

import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.simulate.units import value_in


@pytest.mark.parametrize(
    ("written", "ucum", "value"),
    [
        ("20 degC", "K", 293.15),
        ("20 °C", "Cel", 20.0),
        ("212 [degF]", "Cel", 100.0),
        ("293.15 K", "Cel", 20.0),
        ("1675 W/(m2.K)", "W/(m2.K)", 1675.0),
        ("1.675 kW/m2/K", "W/(m2.K)", 1675.0),
        ("1675 W/m²/degC", "W.m-2.K-1", 1675.0),  # in a product a degree is a difference
        ("40 mm", "m", 0.04),
        ("4.5cm", "m", 0.045),
        ("2 h", "s", 7200.0),
        ("7.85 g/cm3", "kg/m3", 7850.0),
        ("210 GPa", "MPa", 210000.0),
        ("1.2e-5 /K", "K-1", 1.2e-5),
        ("50 %", "1", 0.5),
        ("-5", "K", -5.0),
        (3, "m", 3.0),
        (0.1, "m", 0.1),
    ],
)
def test_what_people_write_comes_in_the_unit_of_the_solver(
    written: object, ucum: str, value: float
) -> None:
    assert value_in(written, ucum, "x") == value


def test_rounding_of_a_conversion_leaves_no_trace() -> None:
    assert repr(value_in("0.3 mm", "m", "x")) == "0.0003"
    assert value_in("800 degC", "K", "x") == 1073.15


def test_the_same_unit_changes_no_bit() -> None:
    value = math.nextafter(0.3, 1)
    assert value_in(f"{value!r} W/(m2.K)", "W/(m2.K)", "x") == value


@pytest.mark.parametrize(
    ("written", "ucum", "said"),
    [
        ("20 furlong", "m", "'furlong' is none of .*, mm, "),
        ("20 Watt/m", "W/m", "'Watt' is none of"),
        ("20 K", "m", "a unit like m is needed; K measures something else"),
        ("5 W/(m2.K", "W/(m2.K)", "a bracket is not closed"),
        ("5 W)", "W", "a bracket too many"),
        ("5 2m", "m", "a factor of 2 belongs to the value"),
        ("5 m!", "m", "'!' is not understood"),
        ("3 [arb'U]", "m", "is none of"),
        ("warm", "Cel", "a number is needed"),
        ("", "Cel", "a number is needed"),
        (True, "m", "a number is needed"),
        (None, "m", "a number is needed"),
        ([1], "m", "a number is needed"),
    ],
)
def test_what_is_no_value_of_that_unit_is_refused_and_named(
    written: object, ucum: str, said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        value_in(written, ucum, "ensemble.inputs.h")
    assert caught.value.problems[0].field == "ensemble.inputs.h"
