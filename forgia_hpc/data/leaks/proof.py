"""What an overlay proves: how unlikely unrelated signals with the same spectra are to agree so well.

1. straight ramp off, ends faded, Fourier transform; both spectra are made flat (a wandering signal has as much to
   say at its fast swings as at its slow ones) and single lines are cut down to eight times their neighbours
2. in each octave of frequency the correlation r, and n samples that are independent (Bartlett's count):
   agreement as good has a chance of (1 - r²)^(n/2); octaves are independent of each other
3. the evidence, back in time, must not stand in two of eight parts alone: a jump that both have proves nothing

Before that a regular cycle is taken off, by subtracting the signal one period earlier.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.leaks.landmarks import Doubles

FADE = 0.3  # of the samples, half of them at each end
LINE = 8.0  # times its neighbours' power
SKIRT = 0.01  # of its strongest neighbour's: less is leakage of a line
NEIGHBOURS = 6  # on each side
FAINT = 1e-3  # of the power: an octave with less holds leakage and rounding
FULL = 0.998  # most that r² counts
PARTS, BEST = 8, 2
SPREAD = 0.35  # of the evidence, outside the best parts; 0.75 where it is even
CYCLE = 0.9  # correlation of a signal with itself elsewhere: what repeats is taken off
STRAIGHT = 1e-4  # of a signal: what is left of a ramp or a constant is rounding
RESIDUE = 0.03  # of a signal: no more is left of a regular cycle
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Proof:
    """What two stretches of samples prove."""

    log_chance: float = 0.0
    independent: float = 0.0  # samples that are independent of each other
    spread: float = 0.0  # share of the evidence outside the best two of eight parts

    def holds(self, limit: float) -> bool:
        """Whether it is less likely than e**limit, and not by one jump or two alone."""
        rest = self.log_chance * self.spread
        return self.log_chance < limit and (self.spread >= SPREAD or rest < limit)


def flat(values: Doubles) -> Doubles:
    """Return values (…, sample) without mean and straight ramp."""
    ramp = np.linspace(-1, 1, values.shape[-1])
    ramp /= math.sqrt(float(ramp @ ramp))
    values = values - values.mean(axis=-1, keepdims=True)
    found: Doubles = values - (values @ ramp)[..., None] * ramp
    return found


def prove(a: Doubles, b: Doubles, sign: float) -> Proof:
    """Return what the agreement of two stretches (sample,) proves; sign: -1 where one is turned over."""
    for one, other in ((a, b), (b, a)):
        lag = _period(flat(one))
        if lag:
            left, right = one[lag:] - one[:-lag], other[lag:] - other[:-lag]
            if min(left.std() / one.std(), right.std() / max(other.std(), 1e-300)) < RESIDUE:
                return Proof()
            a, b = (left, right) if one is a else (right, left)
            break
    if any(float(flat(one).std()) <= STRAIGHT * float(one.std()) for one in (a, b)):
        return Proof()
    fade = _fade(len(a))
    first, power = _whitened(np.fft.rfft(flat(a) * fade)[1:])
    second, other_power = _whitened(np.fft.rfft(flat(b) * fade)[1:])
    share = float((fade**2).sum() ** 2 / (fade**4).sum() / len(a))
    total = independent = 0.0
    bands, gain = 0, np.zeros(len(first))
    for band in octaves(len(first)):
        faint = _faint(power, band) or _faint(other_power, band)
        agreed = sign * float((first[band] * second[band].conj()).real.sum())
        if faint or agreed <= 0:
            bands += not faint
            continue
        found, free = _evidence(first[band], second[band], agreed, share)
        gain[band] = math.sqrt(found / agreed)
        total, independent, bands = total + found, independent + free, bands + 1
    if total <= 0:
        return Proof()
    one = np.fft.irfft(np.concatenate([[0j], first * gain]), len(a))
    other = np.fft.irfft(np.concatenate([[0j], second * gain]), len(a))
    return Proof(_log_chance(total, bands), independent, _spread(sign * one * other))


def octaves(count: int) -> Iterator[slice]:
    """Yield the frequencies 1 … count in octaves; the last takes what is less than its half."""
    begin, width = 0, 4
    while begin < count:
        end = min(begin + width, count)
        end = count if count - end < end - begin else end
        yield slice(begin, end)
        begin, width = end, max(end, 4)


def _evidence(a: Complex, b: Complex, agreed: float, share: float) -> tuple[float, float]:
    """Return evidence and count of independent samples of an octave."""
    p, q = np.abs(a) ** 2, np.abs(b) ** 2
    size = float(p.sum() * q.sum())
    free = 2 * share * size / max(float((p * q).sum()), 1e-300)
    like = min(agreed * agreed / max(size, 1e-300), FULL)
    return -0.5 * max(free - 2, 0.0) * math.log1p(-like), free


def _log_chance(total: float, bands: int) -> float:
    """Return ln of the chance of evidence so great: chi-squared, as many degrees as octaves."""
    return min(-total + (bands / 2 - 1) * math.log(max(total, 1.0)) - math.lgamma(bands / 2), 0.0)


def _fade(count: int) -> Doubles:
    found = np.ones(count)
    edge = max(int(FADE * count / 2), 1)
    found[:edge] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
    found[-edge:] = found[:edge][::-1]
    return found


def _whitened(waves: Complex) -> tuple[Complex, Doubles]:
    """Return a spectrum of even power without lines, and the power it had."""
    power = np.abs(waves) ** 2
    floor = 1e-12 * float(power.sum()) + 1e-300
    even = power / np.maximum(_envelope(power), floor)
    wide = np.pad(even, NEIGHBOURS, mode="reflect" if len(even) > NEIGHBOURS else "edge")
    near = np.lib.stride_tricks.sliding_window_view(wide, 2 * NEIGHBOURS + 1)
    usual = np.maximum(np.median(near, axis=-1) / math.log(2), 1e-12)
    cut = np.minimum(1.0, np.sqrt(LINE * usual / np.maximum(even, 1e-300)))
    cut[even < SKIRT * near.max(axis=-1)] = 0.0
    return waves * cut / np.sqrt(np.maximum(_envelope(power), floor) * usual), power


def _envelope(power: Doubles) -> Doubles:
    """Return the power as straight lines between octaves, over the logarithm of frequency."""
    bands = list(octaves(len(power)))
    middle = [math.sqrt((band.start + 1) * band.stop) for band in bands]
    mean = [max(float(power[band].mean()), 1e-300) for band in bands]
    return np.exp(np.interp(np.log(np.arange(1, len(power) + 1)), np.log(middle), np.log(mean)))


def _faint(power: Doubles, band: slice) -> bool:
    return float(power[band].sum()) <= FAINT * float(power.sum())


def _spread(evidence: Doubles) -> float:
    parts = np.sort([float(part.sum()) for part in np.array_split(evidence, PARTS)])
    return float(parts[:-BEST].sum()) / max(float(parts.sum()), 1e-300)


def _period(values: Doubles) -> int:
    """Return the lag, past the first fall and up to half, at which a signal is like itself; 0: none."""
    count = len(values)
    wide = np.fft.rfft(values, 2 * count)
    echo = np.fft.irfft(wide.real**2 + wide.imag**2)[1 : count // 2 + 1]
    sums = np.cumsum(values**2)
    lags = np.arange(1, len(echo) + 1)
    size = np.sqrt(sums[count - 1 - lags] * (sums[-1] - sums[lags - 1]))
    alike = echo / np.maximum(size, 1e-300)
    fallen = np.flatnonzero(alike < 0.2)
    if not len(fallen):
        return 0
    best = int(fallen[0] + alike[fallen[0] :].argmax())
    return best + 1 if alike[best] > CYCLE else 0
