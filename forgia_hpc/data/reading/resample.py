"""Groups of different rates on one grid: `data.rate_hz`, a rational, so 25.6 kHz and 1/300 Hz stay exact.

A segment's step 0 is step 0 of its grid; step k lies at the source's step k * down / up. Upwards: a
straight line between neighbours (a finer grid invents no vibration). Downwards: a windowed sinc that
cuts off at the new Nyquist frequency, so nothing folds back. Channels that were text (`codes`) hold
their latest value. A value is missing where its line has a missing end, or where over a quarter of its
filter's weight lies on missing values; what is left is weighted anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.index import Index
from forgia_hpc.data.reading.arrays import Ints
from forgia_hpc.data.reading.decode import Floats
from forgia_hpc.data.reading.opened import OpenContribution
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.data import Data

LOBES, BETA = 4, 5.0  # of the sinc on each side; Kaiser's window: about -50 dB beside the pass band
LEAST_WEIGHT = 0.75
MOST = 4096  # up, and down / up: a finer or coarser grid is a slip of the pen
ROWS = 64  # resampled at once: bounds the memory of the taps


@dataclass(frozen=True)
class Filter:
    """Weights (phase, tap); output k uses source steps base(k) + first … of phase(k)."""

    up: int
    down: int
    first: int  # source step of tap 0, counted from the step at or before the output
    weights: NDArray[np.float64]
    least: float  # share of the weight that must lie on measured values

    def span(self, length: int) -> int:
        """Return how many source steps any `length` outputs need at most."""
        return (self.up - 1 + (length - 1) * self.down) // self.up + int(self.weights.shape[1])

    def apply(self, source: Floats, phase: Ints, length: int) -> Floats:
        """Return (row, length) from rows (row, span) whose first output has this phase."""
        place = phase[:, None] + np.arange(length) * self.down
        base, phases = np.divmod(place, self.up)
        taps = base[:, :, None] + np.arange(self.weights.shape[1])
        values = source[np.arange(len(source))[:, None, None], taps].astype(np.float64)
        weights = self.weights[phases]
        known = ~np.isnan(values)
        total = (weights * known).sum(axis=2)
        found = (weights * np.where(known, values, 0.0)).sum(axis=2)
        enough = total >= self.least - 1e-9
        return np.where(enough, found / np.where(enough, total, 1.0), np.nan).astype(np.float32)


@lru_cache(maxsize=64)
def make_filter(up: int, down: int, held: bool) -> Filter:
    """Return the filter of a ratio in lowest terms."""
    phase = np.arange(up) / up  # how far behind a source step an output lies
    if held:
        return Filter(up, down, 0, np.ones((up, 1)), 1.0)
    if up >= down:
        return Filter(up, down, 0, np.stack([1 - phase, phase], axis=1), 1.0)
    half = -(-LOBES * down // up)
    away = (np.arange(1 - half, half + 1)[None, :] - phase[:, None]) * up / down
    inside = np.sqrt(np.clip(1 - (away / LOBES) ** 2, 0, None))
    weights = np.sinc(away) * np.i0(BETA * inside) * (np.abs(away) < LOBES)
    return Filter(up, down, 1 - half, weights / weights.sum(axis=1, keepdims=True), LEAST_WEIGHT)


class Grids:
    """The grid of each segment of a contribution, and reading on it."""

    def __init__(self, index: Index, data: Data) -> None:
        """Find the ratio of each group's rate to the rate asked.

        Raises:
            InputError: a ratio beyond reason.

        """
        self.steps: Ints = index.segments["steps"].astype(np.int64)
        self.seasons: Ints = np.array(index.season_steps, np.int64)[index.segments["group"]]
        self._ratio = np.zeros(len(self.steps), np.int64)  # number in self._ratios
        self._ratios = [Fraction(1)]
        if data.rate_hz:
            self._lay(index, Fraction(data.rate_hz))
        channel = index.series["channel"]
        coded = np.array([bool(one.channel.codes) for one in index.channels], np.bool_)
        self._held = coded[channel]
        self._owner = index.series["segment"]

    def _lay(self, index: Index, rate: Fraction) -> None:
        rates = np.unique(index.segments[["rate_num", "rate_den"]])
        for own in rates:
            ratio = rate / Fraction(int(own["rate_num"]), int(own["rate_den"]))
            if ratio == 1:
                continue
            if ratio.numerator > MOST or 1 / ratio > MOST:
                limit = f"a group has {own['rate_num']}/{own['rate_den']} steps/s; the ratio is beyond {MOST}"
                raise InputError(Problem(field="data.rate_hz", got=str(rate), limit=limit))
            mine = index.segments[["rate_num", "rate_den"]] == own
            self._ratio[mine] = len(self._ratios)
            self._ratios.append(ratio)
            up, down = ratio.numerator, ratio.denominator
            self.steps[mine] = (self.steps[mine] - 1) * up // down + 1
            self.seasons[mine] = np.maximum(np.rint(self.seasons[mine] * up / down), 1)

    def gather(
        self, source: OpenContribution, series: Ints, begins: Ints, length: int, out: Floats | None
    ) -> Floats:
        """Return float32 (row, length): series[row] from step begins[row] of its grid on."""
        if len(self._ratios) == 1:
            return source.gather(series, begins, length, out)
        found = np.empty((len(series), length), np.float32) if out is None else out
        ratio, held = self._ratio[self._owner[series]], self._held[series]
        for number, hold in np.unique(np.stack([ratio, held], axis=1), axis=0).tolist():
            rows = np.flatnonzero((ratio == number) & (held == hold))
            for at in range(0, len(rows), ROWS):
                part = rows[at : at + ROWS]
                found[part] = self._resampled(
                    source, (number, bool(hold)), series[part], begins[part], length
                )
        return found

    def _resampled(
        self,
        source: OpenContribution,
        kind: tuple[int, bool],
        series: Ints,
        begins: Ints,
        length: int,
    ) -> Floats:
        ratio = self._ratios[kind[0]]
        if ratio == 1:
            return source.gather(series, begins, length)
        one = make_filter(ratio.numerator, ratio.denominator, kind[1])
        base, phase = np.divmod(begins * one.down, one.up)
        first = base + one.first
        values = source.gather(series, first, one.span(length))
        steps = source.index.segments["steps"][self._owner[series]].astype(np.int64)
        values[first[:, None] + np.arange(values.shape[1]) >= steps[:, None]] = np.nan
        return one.apply(values, phase, length)
