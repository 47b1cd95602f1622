from dataclasses import replace

import numpy as np
import pytest
from fakes.telemetry import CHANNELS
from hypothesis import given
from hypothesis import strategies as st

from forgia_hpc.data import storage

CHANNEL = CHANNELS[0]


@given(
    st.lists(st.integers(-(2**31) + 1, 2**31 - 1) | st.none(), min_size=1, max_size=30),
    st.integers(0, 6),
    st.integers(-1000, 1000),
)
def test_decimals_on_the_grid_come_back_as_written(whole, digits, zero):
    channel = replace(CHANNEL, scale=float(f"1e-{digits}"), zero=float(zero))
    texts = [None if n is None else f"{n + zero * 10**digits}e-{digits}" for n in whole]
    values = np.array([np.nan if text is None else float(text) for text in texts])
    assert storage.faults(values, channel) == []
    kind = storage.choose([values], channel)
    stored = storage.encode(values, channel, kind)
    expected = [storage.SENTINELS[kind] if n is None else n for n in whole]
    assert stored.tolist() == expected
    assert stored.dtype == storage.DTYPES[kind]
    decoded = storage.decode(stored, channel, kind)
    np.testing.assert_array_equal(np.isnan(decoded), np.isnan(values))
    largest = np.nanmax(np.abs([*values, zero]), initial=1.0) * 2
    assert np.nanmax(np.abs(decoded - values), initial=0) <= 4 * np.spacing(largest)


@pytest.mark.parametrize(
    ("largest", "kind"), [(32767, storage.I16), (32768, storage.I32), (2**31 - 1, storage.I32)]
)
def test_the_narrowest_integer_is_chosen(largest, kind):
    channel = replace(CHANNEL, scale=0.5, zero=0.0)
    for sign in (1, -1):
        assert storage.choose([np.array([0.0]), np.array([sign * largest / 2])], channel) == kind


@pytest.mark.parametrize(
    ("value", "change", "limit"),
    [
        (20.335, {}, "whole number"),
        (20.33 + 1e-11, {}, "whole number"),
        (1e9, {}, "int32"),
        (np.inf, {}, "finite"),
        (-np.inf, {"scale": None}, "finite"),
        (1e39, {"scale": None}, "float32"),
        (19.99, {"valid_min": 20.0}, "valid_min"),
        (20.01, {"valid_max": 20.0}, "valid_max"),
    ],
)
def test_what_cannot_be_held_is_named_with_row_and_value(value, change, limit):
    values = np.array([20.0, np.nan, value, 20.0, value])
    found = storage.faults(values, replace(CHANNEL, **change))
    assert [(fault.row, fault.value, fault.count) for fault in found] == [(2, value, 2)]
    assert limit in found[0].limit


def test_without_a_scale_values_become_the_nearest_float32():
    channel = replace(CHANNEL, scale=None)
    values = np.array([0.1, np.nan, -1e-30, 3e38])
    stored = storage.encode(values, channel, storage.choose([values], channel))
    np.testing.assert_array_equal(stored, values.astype(np.float32))
