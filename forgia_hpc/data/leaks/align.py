"""Two stretches laid on each other: the best rate and shift, and how far the likeness goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from forgia_hpc.data.leaks.landmarks import Doubles, Floats
from forgia_hpc.data.leaks.proof import Proof, flat, prove

LIKE = 0.8  # correlation that a copy has on the scale where it was met
GLANCE = 0.6  # of a candidate before rate and shift are improved
FLANK = 0.6  # of a further stretch, to go on
SAMPLES = 48  # that are compared, at least
MOST_SAMPLES = 4096
ROUNDS = 12


@dataclass(frozen=True)
class Curve:
    """A series on one scale: samples from step `begin` of it on, `step` apart."""

    values: Floats
    begin: float
    step: float

    @property
    def last(self) -> float:
        """Step of the last sample."""
        return self.begin + (len(self.values) - 1) * self.step

    def at(self, steps: Doubles) -> Doubles:
        """Return the values between the samples, at steps of any shape."""
        place = (steps - self.begin) / self.step
        whole = np.clip(place.astype(np.int64), 0, len(self.values) - 2)
        low, high = self.values[whole].astype(np.float64), self.values[whole + 1]
        return low + (place - whole) * (high - low)


@dataclass(frozen=True)
class Overlay:
    """Steps begin … end of one series lie on the other's: step t on `shift` + `rate` * (t - `begin`)."""

    begin: float
    end: float
    rate: float
    shift: float
    correlation: float = 0.0  # signed

    def moved(self, begin: float, end: float) -> Overlay:
        """Return the same overlay over other steps."""
        return replace(
            self, begin=begin, end=end, shift=self.shift + self.rate * (begin - self.begin)
        )


def overlay(one: Curve, other: Curve, guess: Overlay) -> Overlay | None:
    """Return the best overlay near a guess, as far as it goes; None where it is not alike at all."""
    if abs(_of(one, other, guess)) < GLANCE:
        return None
    found = _refined(one, other, guess, tight=False)
    if found is None or abs(found.correlation) < LIKE - 0.1:
        return None
    for _ in range(ROUNDS):
        grown = _grown(one, other, found)
        if grown is None:
            break
        found = grown
    return found


def proven(levels: Sequence[tuple[Curve, Curve]], found: Overlay) -> tuple[Overlay, Proof]:
    """Return the overlay improved from coarse to fine, and what it proves on the finest scale."""
    best = found
    for one, other in levels:
        close = _refined(one, other, best, tight=True)
        if close is None or len(_steps(one, other, close)) >= MOST_SAMPLES:
            break
        best, finest = close, (one, other)
    if best is found or abs(best.correlation) < LIKE:
        return found, Proof()
    steps = _steps(*finest, best)
    if len(steps) < SAMPLES:
        return best, Proof()
    there = finest[1].at(best.shift + best.rate * (steps - best.begin))
    return best, prove(finest[0].at(steps), there, math.copysign(1.0, best.correlation))


def _grown(one: Curve, other: Curve, found: Overlay) -> Overlay | None:
    """Return the overlay longer by up to a half on each side where that is alike; None where nowhere."""
    length = found.end - found.begin
    begin, end = _limits(one, other, found)
    sign = math.copysign(1.0, found.correlation)
    for share in (0.5, 0.15):
        more = max(share * length, 8 * one.step)
        left = found.moved(max(found.begin - more, begin), found.begin)
        right = found.moved(found.end, min(found.end + more, end))
        wide = found
        if left.end - left.begin > 0.3 * more and sign * _of(one, other, left) > FLANK:
            wide = wide.moved(left.begin, wide.end)
        if right.end - right.begin > 0.3 * more and sign * _of(one, other, right) > FLANK:
            wide = wide.moved(wide.begin, right.end)
        if wide is not found:
            better = _refined(one, other, wide, tight=True)
            if better is not None and abs(better.correlation) >= LIKE - 0.05:
                return better
    return None


def _limits(one: Curve, other: Curve, found: Overlay) -> tuple[float, float]:
    """Return the first and last step of the one that both have."""
    begin = found.begin + (other.begin - found.shift) / found.rate
    end = found.begin + (other.last - found.shift) / found.rate
    return max(one.begin, begin), min(one.last, end)


def _steps(one: Curve, other: Curve, found: Overlay) -> Doubles:
    """Return steps of the one to compare at, as far apart as the samples of the coarser."""
    apart = max(one.step, other.step / found.rate)
    count = int((found.end - found.begin) / apart) + 1
    return np.linspace(found.begin, found.end, int(np.clip(count, 8, MOST_SAMPLES)))


def _of(one: Curve, other: Curve, found: Overlay) -> float:
    """Return the correlation of an overlay as it is."""
    steps = _steps(one, other, found)
    a = flat(one.at(steps))
    b = flat(other.at(found.shift + found.rate * (steps - found.begin)))
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 1e-12 * len(a) else 0.0


def _refined(one: Curve, other: Curve, guess: Overlay, *, tight: bool) -> Overlay | None:
    """Return the best of twenty-five rates and shifts about a guess, twice, the second time closer."""
    best = guess
    for close in (1.0, 0.3):
        begin, end = _limits(one, other, best)
        best = best.moved(max(best.begin, begin), min(best.end, end))
        if best.end - best.begin < 8 * one.step:
            return None
        steps = _steps(one, other, best)
        middle = 0.5 * (best.begin + best.end)
        reach = (0.7 if tight else 1.5) * close * max(one.step, other.step / best.rate)
        offsets = np.linspace(-reach, reach, 5) * best.rate
        stretch = 2 * reach / (best.end - best.begin)
        rates = best.rate * (1 + np.linspace(-stretch, stretch, 5))
        there = best.shift + best.rate * (middle - best.begin)
        where = there + offsets[:, None, None] + rates[None, :, None] * (steps - middle)
        a = flat(one.at(steps))
        b = flat(other.at(where))
        size = np.sqrt(float(a @ a) * np.einsum("ijk,ijk->ij", b, b))
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(size > 1e-12 * len(a), (b @ a) / size, 0.0)
        i, j = np.unravel_index(int(np.abs(found).argmax()), found.shape)
        shift = there + offsets[i] - rates[j] * (middle - best.begin)
        best = replace(
            best, rate=float(rates[j]), shift=float(shift), correlation=float(found[i, j])
        )
    return best
