"""Keys of a signal: numbers that a copy of it shares, however it was shifted, scaled, turned or resampled.

1. from landmark to the fourth after it the curve is cut into sixteen means: time is measured by the
   landmarks themselves, so the rate drops out
2. mean, size and sign (of the first landmark) are taken off; five cosine coefficients are left
3. two turned copies of these say which axis they are nearest to (cross-polytope hashing,
   Andoni et al., 2015): a code for the piece
4. the codes of pieces that follow each other make a key. The more data, the more pieces, so that chance
   alone gives no more than a few partners a key
5. of all keys a share is kept, chosen by the key alone: a copy keeps the same ones
6. each key kept has the curve of a stretch two and a half times as long, as 32 cosine coefficients of a byte each:
   keys that meet by chance differ in it
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.leaks.landmarks import (
    REACH,
    Bools,
    Doubles,
    Floats,
    Ints,
    Landmarks,
    find_landmarks,
    scales,
)

PIECE = 4  # landmarks on
MEANS, WAVES = 16, 5
SHORT, LONG = 9.0, 90.0  # samples of a piece
WIDE, RIPPLES = 64, 32  # samples and cosine coefficients of the stretch about a key
MARGIN = 0.75  # of a key's stretch, on each side of it
ENTRY = 22 + RIPPLES  # bytes of a key
EVERY = np.uint64(2**64 - 1)
KEPT = 640  # keys for each square root of a value: memory grows with the root of the data
_WEIGHTS = np.array([0.67, 0.76, 0.8, 0.8, 1.03], np.float32)  # unequal spread of the coefficients


def _ripples() -> NDArray[np.float32]:
    """Return (sample, coefficient): cosines, the low ones taken down to size."""
    waves = np.arange(1, RIPPLES + 1)
    cosines = np.cos(np.pi / WIDE * (np.arange(WIDE)[:, None] + 0.5) * waves)
    found: NDArray[np.float32] = (cosines * np.minimum(waves, 14)).astype(np.float32)
    return found


_COEFFICIENTS = _ripples()


def _turn(seed: int) -> NDArray[np.float32]:
    """Return a rotation of the coefficients, always the same."""
    drawn = np.random.default_rng(seed).normal(size=(WAVES, WAVES))
    return np.linalg.qr(drawn)[0].astype(np.float32)


_SAMPLES = (np.arange(MEANS)[:, None] + 0.5) * np.arange(1, WAVES + 1)
_COSINES = (np.cos(np.pi / MEANS * _SAMPLES) * math.sqrt(2 / MEANS)).astype(np.float32)
_TURNS = [_COSINES * _WEIGHTS @ _turn(seed) for seed in (0, 1)]


@dataclass(frozen=True)
class Keys:
    """Keys with where they come from: all arrays (key,)."""

    key: NDArray[np.uint64]
    series: NDArray[np.int32]
    begin: NDArray[np.float32]  # step of the series
    end: NDArray[np.float32]
    octave: NDArray[np.int8]
    top: Bools  # begins at a maximum
    waves: NDArray[
        np.int8
    ]  # (key, coefficient) of the stretch about it, as if it began at a maximum

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.key)

    def take(self, rows: NDArray[np.bool_] | Ints) -> Keys:
        """Return some of them."""
        return Keys(*(getattr(self, one.name)[rows] for one in fields(self)))

    @staticmethod
    def joined(parts: list[Keys]) -> Keys:
        """Return all parts as one."""
        return Keys(
            *(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Keys))
        )


@dataclass(frozen=True)
class Plan:
    """How many pieces a key has, and which keys are kept, for so many values."""

    pieces: int
    most: int  # keys kept, about

    @property
    def bytes(self) -> int:
        """Memory of the keys kept."""
        return self.most * ENTRY


def plan_for(values: int) -> Plan:
    """Return the plan for a number of values: chance partners of a key stay below about one."""
    return Plan(
        2 if values < 8_000_000 else 3 if values < 60_000_000 else 4,
        int(KEPT * math.sqrt(max(values, 1))) + 1,
    )


def sketch(
    values: Floats, bounds: Ints, pieces: int, octave: int, limit: np.uint64 = EVERY
) -> Keys:
    """Return the keys up to `limit` of series that lie end to end in `values`; series n begins at bounds[n].

    A key never reaches over a border.
    """
    parts = [
        _of_scale(curve, find_landmarks(curve), (number, bounds, pieces, limit))
        for number, curve in scales(values, octave)
    ]
    return Keys.joined(parts) if parts else no_keys()


def _of_scale(curve: Floats, marks: Landmarks, wish: tuple[int, Ints, int, np.uint64]) -> Keys:
    octave, bounds, pieces, limit = wish
    step = 1 << octave
    owner = np.searchsorted(bounds, marks.place * step, side="right") - 1
    inside = _clear(marks.place, bounds, owner, step)
    codes, good = _codes(curve, marks)
    count = len(codes) - PIECE * (pieces - 1)
    if count < 1:
        return no_keys()
    last = PIECE * pieces
    fits = (owner[:count] == owner[last : last + count]) & inside[:count]
    fits &= inside[last : last + count]
    key = np.zeros(count, np.uint64)
    for piece in range(pieces):
        part = slice(PIECE * piece, PIECE * piece + count)
        turned = marks.top[part] != marks.top[:count]
        key = key * np.uint64(256) + (codes[part] * 2 + turned).astype(np.uint64)
        fits &= good[part]
    key = _mixed(key)
    rows = np.flatnonzero(fits & (key <= limit))
    left, right = marks.place[rows], marks.place[rows + last]
    begin, first = bounds[owner[rows]], left - MARGIN * (right - left)
    whole = (first * step > begin) & _before_end(
        right + (left - first), owner[rows], bounds, curve, step
    )
    rows, left, right, begin = rows[whole], left[whole], right[whole], begin[whole]
    return Keys(
        key[rows],
        owner[rows].astype(np.int32),
        (left * step - begin).astype(np.float32),
        (right * step - begin).astype(np.float32),
        np.full(len(rows), octave, np.int8),
        marks.top[rows],
        _waves(curve, left, right, marks.top[rows]),
    )


def _before_end(place: Doubles, owner: Ints, bounds: Ints, curve: Floats, step: int) -> Bools:
    ends = np.append(bounds[1:], len(curve) * step)
    inside: Bools = place * step < np.minimum(ends[owner], (len(curve) - 1) * step)
    return inside


def _waves(curve: Floats, left: Doubles, right: Doubles, top: Bools) -> NDArray[np.int8]:
    """Return the coefficients of stretches, the largest of each 127."""
    found = np.zeros((len(left), RIPPLES), np.int8)
    for at in range(0, len(left), 4096):
        part = slice(at, at + 4096)
        span = right[part] - left[part]
        share = np.linspace(-MARGIN, 1 + MARGIN, WIDE)
        place = left[part, None] + span[:, None] * share
        whole = place.astype(np.int64)
        low = curve[whole]
        samples = low + (place - whole).astype(np.float32) * (curve[whole + 1] - low)
        waves = samples @ _COEFFICIENTS
        most = np.maximum(np.abs(waves).max(axis=1), np.float32(1e-30))
        found[part] = waves * (np.where(top[part], 127, -127) / most)[:, None]
    return found


def _clear(place: Doubles, bounds: Ints, owner: Ints, step: int) -> Bools:
    """Return which landmarks lie far enough from the ends of their series not to feel the next."""
    ends = np.append(bounds[1:], np.iinfo(np.int64).max)
    at, margin = place * step, (REACH + 2) * step
    return (at - bounds[owner] >= margin) & (ends[owner] - at >= margin)


def _codes(curve: Floats, marks: Landmarks) -> tuple[Ints, Bools]:
    """Return the code of the piece that begins at each landmark, and whether it is one."""
    begin, end = marks.place[:-PIECE], marks.place[PIECE:]
    if not len(begin):
        return np.zeros(0, np.int64), np.zeros(0, np.bool_)
    sums = np.zeros(len(curve) + 1, np.float64)
    np.cumsum(curve, out=sums[1:])
    edges = (begin + 0.5)[:, None] + (end - begin)[:, None] * (np.arange(MEANS + 1) / MEANS)
    whole = edges.astype(np.int64)
    at = sums[whole]
    at += (edges - whole) * curve[np.minimum(whole, len(curve) - 1)]
    means = np.diff(at, axis=1).astype(np.float32)
    code = np.zeros(len(begin), np.int64)
    for turn in (
        _TURNS
    ):  # the sums of a turn's columns are zero, so the mean drops out; argmax, so the size
        found = means @ turn
        found[~marks.top[:-PIECE]] *= -1
        axis = np.abs(found).argmax(axis=1)
        up = found[np.arange(len(found)), axis] > 0
        code = code * (2 * WAVES) + 2 * axis + up
    length = end - begin
    return code, (length >= SHORT) & (length <= LONG)


def _mixed(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return keys spread evenly over 64 bits (the finaliser of splitmix64), so that a share can be kept."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


def no_keys() -> Keys:
    """Return no keys."""
    return Keys(
        np.zeros(0, np.uint64),
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.int8),
        np.zeros(0, np.bool_),
        np.zeros((0, RIPPLES), np.int8),
    )
