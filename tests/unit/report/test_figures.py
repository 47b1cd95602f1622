import math

import pytest

from forgia_hpc.report.figures import (
    count,
    duration,
    moment,
    number,
    percent,
    si,
    significant,
    size,
    unit,
)

GAP = "\u00a0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.41234, "0.412"),
        (-1.5, "−1.50"),
        (99.96, "100"),
        (1234.5, f"1{GAP}234"),
        (1.2e-5, "1.2 × 10⁻⁵"),
        (3e8, "3.0 × 10⁸"),
    ],
)
def test_significant_digits(value, text):
    assert significant(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0123, "12 ms"),
        (12.44, "12.4 s"),
        (59.97, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (3900, "1 h 05 min"),
        (97200, "1 d 03 h"),
        (-5, "−5 s"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_percentages_have_a_true_minus_and_no_minus_zero():
    assert percent(0.314) == f"31{GAP}%"
    assert percent(0.052, sign=True) == f"+5.2{GAP}%"
    assert percent(-0.31, sign=True) == f"−31{GAP}%"
    assert percent(-0.0001, sign=True) == f"0{GAP}%"


def test_counts_sizes_and_units():
    assert count(12345) == f"12{GAP}345"
    assert count(44_236_800) == "44.2 M"
    assert si(999_960, "tokens/s") == "1.00 M tokens/s"
    assert size(2_610_000) == "2.61 MB"
    assert unit("kW.h") == "kW·h"
    assert unit("1") == ""
    assert unit("furlong") == "furlong"


def test_only_finite_numbers_are_numbers():
    refused = [None, "1", True, math.nan, math.inf, [], {}, 10**400]

    assert [number(value) for value in refused] == [None] * len(refused)
    assert number(3) == 3.0


def test_a_time_outside_the_calendar_is_shown_as_it_is():
    assert moment(0) == "1970-01-01 00:00:00 UTC"
    assert moment(1e30) == str(1e30)
