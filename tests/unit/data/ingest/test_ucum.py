"""Units: each fits its quantities, and conversions agree with known pairs."""

import pytest

from forgia_hpc.data.ingest.ucum import QUANTITIES, UNITS, check_unit, fits


def si(code, value):
    return value * UNITS[code].factor + UNITS[code].offset


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Cel", 100), ("K", 373.15)),
        (("[degF]", 212), ("Cel", 100)),
        (("[degR]", 518.67), ("[degF]", 59)),
        (("kW.h", 1), ("MJ", 3.6)),
        (("bar", 1), ("kPa", 100)),
        (("[psi]", 14.695948775), ("Pa", 101325)),
        (("m3/h", 6), ("L/min", 100)),
        (("{rev}/min", 60), ("Hz", 1)),
        (("%", 50), ("1", 0.5)),
    ],
)
def test_known_pairs(one, other):
    assert UNITS[one[0]].dimension == UNITS[other[0]].dimension
    assert si(*one) == pytest.approx(si(*other), rel=1e-9)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_every_quantity_has_a_unit(quantity):
    assert any(quantity in fits(code) for code in UNITS)


def test_an_arbitrary_unit_measures_nothing_physical():
    assert fits("[arb'U]") == ["unknown"]


def test_unknown_unit_and_quantity_are_both_told():
    problems = check_unit("degC", "heat", field="x", where="here")
    assert [problem.field for problem in problems] == ["x.ucum", "x.quantity"]
    (problem,) = check_unit("bar", "temperature", field="x", where="here")
    assert "another dimension" in problem.limit
