"""How a channel's numbers are stored: int16, int32 or float32, and the rules that make it exact.

Stored integers decode as int * scale + zero. A value is accepted only when its decoded float64 lies
within 4 units in the last place (float64, at the largest magnitude that takes part) of the value
given: a decimal such as 20.33 survives as written, anything off the grid is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.layout import Channel

STORAGES = ("i16", "i32", "f32")
I16, I32, F32 = range(3)
DTYPES = (np.dtype("<i2"), np.dtype("<i4"), np.dtype("<f4"))
SENTINELS = (-(2**15), -(2**31))  # of I16 and I32: nothing valid was measured
LARGEST = (2**15 - 1, 2**31 - 1)

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Fault:
    """The first value of a row that a channel can't hold, and how many there are."""

    row: int
    value: float
    count: int
    limit: str


def grid(values: Values, channel: Channel) -> Values:
    """Return the whole numbers nearest to the values on the channel's grid, as float64."""
    assert channel.scale is not None
    return np.rint((values - channel.zero) / channel.scale)


def choose(rows: list[Values], channel: Channel) -> int:
    """Return the narrowest storage for all rows of a channel."""
    if channel.scale is None:
        return F32
    largest = max((np.nanmax(np.abs(grid(row, channel)), initial=0) for row in rows), default=0)
    return narrowest(float(largest), channel)


def narrowest(largest: float, channel: Channel) -> int:
    """Return the narrowest storage of a channel whose whole numbers are at most so large."""
    if channel.scale is None:
        return F32
    return I16 if largest <= LARGEST[I16] else I32


def faults(values: Values, channel: Channel) -> list[Fault]:
    """Return what hinders storing these values (time,), one fault a kind."""
    checks = [(np.isinf(values), "must be finite")]
    if channel.valid_min is not None:
        checks.append((values < channel.valid_min, f"valid_min is {channel.valid_min}"))
    if channel.valid_max is not None:
        checks.append((values > channel.valid_max, f"valid_max is {channel.valid_max}"))
    finite = np.where(np.isfinite(values), values, 0.0 if channel.scale is None else channel.zero)
    checks += _storage_checks(finite, channel)
    return [
        Fault(int(np.argmax(bad)), float(values[np.argmax(bad)]), int(bad.sum()), limit)
        for bad, limit in checks
        if bad.any()
    ]


def _storage_checks(finite: Values, channel: Channel) -> list[tuple[NDArray[np.bool_], str]]:
    if channel.scale is None:
        return [(np.abs(finite) > np.finfo(np.float32).max, "float32 overflows")]
    steps = grid(finite, channel)
    decoded = steps * channel.scale + channel.zero
    magnitude = np.maximum(np.abs(finite), np.maximum(np.abs(decoded), abs(channel.zero)))
    off = np.abs(decoded - finite) > 4 * np.spacing(magnitude)
    law = f"must be a whole number * {channel.scale} + {channel.zero}"
    return [(off, law), (np.abs(steps) > LARGEST[I32], "does not fit into int32")]


def encode(values: Values, channel: Channel, storage: int) -> NDArray[np.generic]:
    """Return the stored numbers (time,) of values (time,) that have no faults."""
    if storage == F32:
        return np.where(np.isnan(values), np.nan, values).astype(DTYPES[F32])  # one NaN
    steps = grid(values, channel)
    return np.where(np.isnan(steps), SENTINELS[storage], steps).astype(DTYPES[storage])


def missing(stored: NDArray[np.generic], storage: int) -> NDArray[np.bool_]:
    """Return where nothing valid was measured."""
    gaps: NDArray[np.bool_] = (
        np.isnan(stored) if storage == F32 else np.equal(stored, SENTINELS[storage])
    )
    return gaps


def decode(stored: NDArray[np.generic], channel: Channel, storage: int) -> Values:
    """Return the exact physical values as float64, NaN where missing."""
    if storage == F32:
        return stored.astype(np.float64)
    assert channel.scale is not None
    values = stored.astype(np.float64) * channel.scale + channel.zero
    values[missing(stored, storage)] = np.nan
    return values
