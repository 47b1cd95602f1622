"""Two stretches laid on each other: the best rate and shift, how far the likeness goes, and what it proves.

Proof is the chance that unrelated signals with the same spectra agree so well (Fisher's z with Bartlett's
count of independent samples), times the number of places that could have been compared. Constants have
no correlation here, straight ramps are taken off first, and a tone has two independent samples however
long it is, so none of them ever proves anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from forgia_hpc.data.leaks.landmarks import Doubles, Floats

LIKE = 0.8  # correlation that a copy has, whatever else it has
GLANCE = 0.6  # of a candidate before rate and shift are improved
FLANK = 0.6  # of a further stretch, to go on
SAMPLES = 64  # that are compared, at least
RESIDUE = 0.03
QUARTERS, QUARTER = 4, 0.6  # correlation that each quarter of a copy has
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
    independent: float = 0.0  # samples that are independent of each other

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


def proven(pairs: Sequence[tuple[Curve, Curve]], found: Overlay) -> tuple[Overlay, float]:
    """Return the overlay with its correlation, and the least ln of chance on any of these scales.

    On each scale the curves are compared as they are, and step by step (their differences): of a signal that
    wanders the first is a handful of slow swings, the second hundreds of independent steps.
    """
    best, least = found, 0.0
    for one, other in pairs:
        close = _refined(one, other, found, tight=True)
        if close is None or abs(close.correlation) < LIKE:
            continue
        steps = _steps(one, other, close)
        a, b = one.at(steps), other.at(close.shift + close.rate * (steps - close.begin))
        for left, right in ((a, b), (np.diff(a), np.diff(b))):
            if len(left) < SAMPLES or not _throughout(left, right) or _residue(a, b):
                continue
            size, free = _agreement(_flat(left), _flat(right))
            chance = _log_chance(size, free)
            if chance < least:
                best, least = replace(close, independent=free), chance
    return best, least + math.log(2 * len(pairs))


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
    a = _flat(one.at(steps))
    b = _flat(other.at(found.shift + found.rate * (steps - found.begin)))
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
        a = _flat(one.at(steps))
        b = _flat(other.at(where))
        size = np.sqrt(float(a @ a) * np.einsum("ijk,ijk->ij", b, b))
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(size > 1e-12 * len(a), (b @ a) / size, 0.0)
        i, j = np.unravel_index(int(np.abs(found).argmax()), found.shape)
        shift = there + offsets[i] - rates[j] * (middle - best.begin)
        best = replace(
            best, rate=float(rates[j]), shift=float(shift), correlation=float(found[i, j])
        )
    return best


def _flat(values: Doubles) -> Doubles:
    """Return values (…, sample) without mean and straight ramp."""
    ramp = np.linspace(-1, 1, values.shape[-1])
    ramp /= math.sqrt(float(ramp @ ramp))
    values = values - values.mean(axis=-1, keepdims=True)
    found: Doubles = values - (values @ ramp)[..., None] * ramp
    return found


def _residue(a: Doubles, b: Doubles) -> bool:
    """Return whether hardly anything of the signals (of deviation 1) is left on this scale: a tone's leakage."""
    return min(float(a.std()), float(b.std())) < RESIDUE


def _throughout(a: Doubles, b: Doubles) -> bool:
    """Return whether every quarter agrees: two signals that share one jump or spike agree in one of them only."""
    parts = zip(np.array_split(a, QUARTERS), np.array_split(b, QUARTERS), strict=True)
    found = [_agreement(_flat(left), _flat(right))[0] for left, right in parts]
    return min(found) > QUARTER or max(found) < -QUARTER


def _agreement(a: Doubles, b: Doubles) -> tuple[float, float]:
    """Return correlation and Bartlett's count: samples / sum of both autocorrelations' product over all lags."""
    size = math.sqrt(float(a @ a) * float(b @ b))
    if size <= 1e-12 * len(a):
        return 0.0, 0.0
    product = _echo(a) * _echo(b)
    free = len(a) / max(float(product[0] + 2 * product[1:].sum()), 1.0)
    return float(a @ b) / size, free


def _log_chance(correlation: float, free: float) -> float:
    """Return ln of the chance that unrelated signals agree so well at one place."""
    if free <= 3:
        return 0.0
    return -0.5 * math.atanh(min(abs(correlation), 0.9999)) ** 2 * (free - 3)


def _echo(values: Doubles) -> Doubles:
    """Return the autocorrelation at lags 0 … half."""
    wide = np.fft.rfft(values, 2 * len(values))
    power = np.fft.irfft((wide * wide.conj()).real)[: len(values) // 2 + 1]
    echo: Doubles = power / max(float(power[0]), 1e-300)
    return echo
