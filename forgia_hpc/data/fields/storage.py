"""How a field's numbers are stored: float32, float64, or int16 with a declared error."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.layout import Array, Field
from forgia_hpc.data.integrity import LEAF_BYTES

DTYPES: dict[str, np.dtype[Any]] = {
    "f32": np.dtype("<f4"),
    "f64": np.dtype("<f8"),
    "i16": np.dtype("<i2"),
}
SENTINEL = -(2**15)  # of i16: no number here (outside a mask, for one)
LARGEST = 2**15 - 1


def affine(low: float, high: float) -> tuple[float, float, float]:
    """Return (scale, zero, max_abs_err) with which i16 covers low to high most finely."""
    scale = (high - low) / (2 * LARGEST) or 1.0
    largest = max(abs(low), abs(high))
    return scale, (low + high) / 2, scale / 2 + 4 * float(np.spacing(largest))


LARGEST_F64 = 1e150  # the sum of squared deviations of 10^8 such numbers is still a float64


def fault(values: Array, field: Field) -> str:
    """Return why these values can't be stored as the field says; empty where they can.

    f32 takes any number that is not too large (float64 is rounded to the nearest); NaN may stand where there
    is nothing.
    """
    if np.isinf(values).any():
        return "infinite"
    largest = float(np.nanmax(np.abs(values), initial=0))
    if field.storage == "f64":
        return "" if largest <= LARGEST_F64 else f"{largest}: its square overflows (statistics)"
    if field.storage == "f32":
        return "" if largest <= float(np.finfo(np.float32).max) else f"{largest}: float32 overflows"
    assert field.scale is not None
    with np.errstate(invalid="ignore"):
        steps = np.rint((values.astype(np.float64) - field.zero) / field.scale)
        if (np.abs(steps) > LARGEST).any():
            return f"{largest}: outside what int16 * {field.scale} + {field.zero} holds"
        error = np.nanmax(np.abs(steps * field.scale + field.zero - values), initial=0)
    limit = f"declared max_abs_err is {field.max_abs_err}"
    return "" if error <= field.max_abs_err else f"an error of {error}; {limit}"


def encode(values: Array, field: Field) -> Array:
    """Return the numbers to store for values that have no fault."""
    if field.storage != "i16":
        return values.astype(DTYPES[field.storage], copy=False)
    assert field.scale is not None
    steps = np.rint((values.astype(np.float64) - field.zero) / field.scale)
    return np.where(np.isnan(steps), SENTINEL, steps).astype(DTYPES["i16"])


def decode(stored: Array, field: Field) -> NDArray[np.float64]:
    """Return the exact values, NaN where there is nothing."""
    if field.storage != "i16":
        return stored.astype(np.float64)
    assert field.scale is not None
    values = stored.astype(np.float64) * field.scale + field.zero
    values[stored == SENTINEL] = np.nan
    return values


def decode_into(
    stored: Array, field: Field, out: NDArray[np.float32], *, gaps: bool = True
) -> None:
    """Write the float32 values of `stored` into `out`, what a batch holds; an axis of 1 is spread."""
    if field.storage != "i16":
        out[...] = stored
        return
    assert field.scale is not None
    np.multiply(stored, np.float32(field.scale), out=out, dtype=np.float32)
    if field.zero:
        out += np.float32(field.zero)
    if gaps:
        out[np.broadcast_to(stored == SENTINEL, out.shape)] = np.nan


def canonical(values: NDArray[np.float64]) -> bytes:
    """Return float64 bytes with one NaN and no negative zero: equal values give equal bytes."""
    return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes()


class Hasher:
    """SHA-256 of each leaf (1 MiB) of what is given piece by piece; nothing is read twice."""

    def __init__(self) -> None:
        self._open = hashlib.sha256()
        self._filled = 0
        self._done: list[bytes] = []

    def add(self, data: memoryview) -> None:
        """Take the next bytes."""
        while len(data):
            piece = data[: LEAF_BYTES - self._filled]
            self._open.update(piece)
            self._filled += len(piece)
            data = data[len(piece) :]
            if self._filled == LEAF_BYTES:
                self._close()

    def _close(self) -> None:
        self._done.append(self._open.digest())
        self._open, self._filled = hashlib.sha256(), 0

    def end(self) -> NDArray[np.uint8]:
        """Return the leaves (leaf, 32), the last one short."""
        if self._filled:
            self._close()
        return np.frombuffer(b"".join(self._done), np.uint8).reshape(-1, 32)
