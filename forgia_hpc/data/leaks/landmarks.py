"""Landmarks of a signal: extrema that nothing near them passes, on scales an octave apart.

They stay where they are when a signal is shifted, scaled, turned over, resampled or made noisy, because
they hang on its shape alone. A copy at half the rate has on one scale what the original has on the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

REACH = 4  # samples of its scale that a landmark passes on each side
OCTAVES = 9
LEAST = 48  # samples of a scale: shorter holds no chain of landmarks


@dataclass(frozen=True)
class Landmarks:
    """Landmarks of one scale, in the order of time."""

    place: Doubles  # samples of the scale, between two of them too
    top: Bools  # a maximum, else a minimum


def smooth(values: Floats) -> Floats:
    """Return `values` under the binomial (1, 4, 6, 4, 1) / 16; ends repeated."""
    wide = np.pad(values, 2, mode="edge")
    found = wide[1:-3] + wide[3:-1]
    found *= 4
    found += wide[:-4]
    found += wide[4:]
    middle = wide[2:-2] * np.float32(6)
    found += middle
    found *= np.float32(1 / 16)
    return found


def scales(values: Floats, first: int = 0) -> Iterator[tuple[int, Floats]]:
    """Yield (octave, samples) from `first` on; sample n lies at step n * 2**octave."""
    for octave in range(OCTAVES):
        if len(values) < LEAST:
            return
        values = smooth(values)
        if octave >= first:
            yield octave, values
        values = values[::2]


def find_landmarks(values: Floats) -> Landmarks:
    """Return the maxima and minima that reach REACH samples to both sides."""
    top = _greatest(values)
    bottom = _greatest(-values)
    at = np.flatnonzero(top | bottom)
    before, here, after = values[at - 1], values[at], values[at + 1]
    bend = before - 2 * here + after
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    between[~np.isfinite(between)] = 0.0
    return Landmarks((at + between).astype(np.float64), top[at])


def _greatest(values: Floats) -> Bools:
    """Return where a sample is the greatest of its 2 REACH + 1, and greater than the one before it."""
    width = 2 * REACH + 1
    span, most = 1, values
    while 2 * span <= width:
        most = np.maximum(most[:-span], most[span:])
        span *= 2
    if span < width:
        most = np.maximum(most[: span - width], most[width - span :])
    found = np.zeros(len(values), np.bool_)
    found[REACH:-REACH] = (values[REACH:-REACH] == most) & (
        values[REACH:-REACH] > values[REACH - 1 : -REACH - 1]
    )
    return found
