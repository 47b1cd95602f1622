import math

from hypothesis import given
from hypothesis import strategies as st

from forgia_hpc.report.svg import (
    Frame,
    Scale,
    band_paths,
    clock_unit,
    nice_ticks,
    path,
    tick_labels,
)

UNIT = Scale(0, 10, 0, 10)


@given(
    st.floats(-1e9, 1e9, allow_nan=False),
    st.floats(1e-3, 1e9, allow_nan=False),
    st.integers(3, 8),
)
def test_ticks_lie_inside_and_are_few(low, span, at_most):
    ticks = nice_ticks(low, low + span, at_most)

    assert 1 <= len(ticks) <= max(at_most, 2)
    slack = 1e-6 * max(abs(low), span)
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)


def test_tick_labels_share_their_decimals():
    assert tick_labels([0.0, 0.25, 0.5]) == ["0.00", "0.25", "0.50"]
    assert tick_labels([-10.0, 0.0, 10.0]) == ["−10", "0", "10"]


def test_missing_values_lift_the_pen():
    drawn = path([(0, 1.0), (1, 2.0), (2, None), (3, 4.0)], UNIT, UNIT)

    assert drawn == "M0.0 1.0l0 0L1.0 2.0M3.0 4.0l0 0"


def test_a_band_is_closed_around_each_known_stretch():
    lower = [(0, 1.0), (1, None), (2, 1.0), (3, 1.0)]
    upper = [(0, 2.0), (1, 2.0), (2, 3.0), (3, 3.0)]

    drawn = band_paths(lower, upper, UNIT, UNIT)

    assert drawn.count("M") == drawn.count("Z") == 2
    assert drawn.endswith("M2.0 3.0L3.0 3.0L3.0 1.0L2.0 1.0Z")


def test_a_log_scale_puts_equal_ratios_at_equal_distances():
    scale = Scale(1, 100, 0, 10, log=True)

    assert math.isclose(scale(10), 5)
    assert scale(0) == 0  # below the range: the edge, no crash


def test_spans_get_the_unit_that_people_say():
    assert clock_unit(0.01) == (1e-3, "ms")
    assert clock_unit(48 * 3600) == (3600, "h")
    assert clock_unit(40 * 86400) == (86400, "d")


def test_a_flat_line_can_be_drawn():
    frame = Frame((0, 0), (1, 1))
    frame.y_axis()
    frame.x_axis("step")
    frame.line([(0, 1.0)], "accent")

    assert "nan" not in frame.draw("flat")
