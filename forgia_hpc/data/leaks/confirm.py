"""Candidates are laid on each other: what agrees as far as chance cannot explain is a match."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from forgia_hpc.data.leaks.align import LIKE, Curve, Overlay, overlay, proven
from forgia_hpc.data.leaks.join import Hits
from forgia_hpc.data.leaks.landmarks import Ints, scales
from forgia_hpc.data.leaks.series import BLOCK, Source, normal
from forgia_hpc.data.leaks.sketch import Keys

FINER = 3  # octaves below that of a key that may prove it
TRIES = 4  # candidates of a pair of series that are laid on each other
MOST = 20_000  # pairs of series that are
ALARMS = 1e-3  # expected of unrelated Gaussian signals in a whole search; real ones jump and repeat
CACHED = 8192  # curves
CONTEXT = 24  # spans of a candidate that are read on each side


@dataclass(frozen=True)
class Match:
    """A stretch of one series that is a copy of a stretch of another."""

    one: int
    other: int
    overlay: Overlay
    octave: int  # compared after smoothing over 2**octave steps
    log_expected: float  # ln of the false alarms expected of this proof in the whole search
    independent: float  # samples of it that are independent of each other


class Bench:
    """Where candidates are compared; holds the curves that were read last."""

    def __init__(self, source: Source, keys: Keys, hits: Hits) -> None:
        """Take the series, their keys and the candidates."""
        self._source, self._keys, self._hits = source, keys, hits
        self._places = places_of(len(keys))
        self._curve = lru_cache(maxsize=CACHED)(self._read)

    def matches(self, rows: Ints) -> list[Match]:
        """Return the matches of a pair of series among its candidates."""
        found: list[Match] = []
        for row in rows.tolist():
            match = None if any(self._covers(one, row) for one in found) else self._lay(row)
            found += [match] if match else []
        return found

    def _covers(self, match: Match, row: int) -> bool:
        one, found = self._hits.one[row], match.overlay
        middle = 0.5 * float(self._keys.begin[one] + self._keys.end[one])
        return found.begin <= middle <= found.end

    def _lay(self, row: int) -> Match | None:
        keys = self._keys
        a, b = int(self._hits.one[row]), int(self._hits.other[row])
        rate = float(self._hits.rate[row])
        guess = Overlay(float(keys.begin[a]), float(keys.end[a]), rate, float(keys.begin[b]))
        octaves = int(keys.octave[a]), int(keys.octave[b])
        found = overlay(self._around(a), self._around(b), guess)
        if found is None or abs(found.correlation) < LIKE:
            return None
        finer = range(min(*octaves, FINER) + 1)
        levels = [(self._around(a, less), self._around(b, less)) for less in finer]  # coarse first
        laid, proof = proven(levels, found)
        if not proof.holds(math.log(ALARMS) - self._places):
            return None
        one, other = int(keys.series[a]), int(keys.series[b])
        expected = self._places + proof.log_chance
        return Match(one, other, laid, max(octaves), expected, proof.independent)

    def _around(self, row: int, less: int = 0) -> Curve:
        """Return the curve about a key, on its scale or a finer one; of a short series all of it."""
        number, octave = int(self._keys.series[row]), int(self._keys.octave[row]) - less
        steps = int(self._source.steps[number])
        span = float(self._keys.end[row] - self._keys.begin[row])
        if steps <= BLOCK:
            return self._curve(number, octave, 0, steps)
        unit = 1 << max(int(math.log2(CONTEXT * span)), octave)
        first = max(int(self._keys.begin[row] - CONTEXT * span) // unit * unit, 0)
        return self._curve(number, octave, first, min(int(3 * CONTEXT * span), steps - first))

    def _read(self, number: int, octave: int, first: int, length: int) -> Curve:
        values = normal(self._source.read_part(number, first, length))
        curve = next(curve for at, curve in scales(values) if at == octave)
        return Curve(curve.copy(), float(first), float(1 << octave))


def places_of(keys: int) -> float:
    """Return ln of the places that a search of so many keys could compare, rates and shifts about each too."""
    return 2 * math.log(max(keys, 2)) + math.log(50)


def by_pair(keys: Keys, hits: Hits) -> tuple[list[Ints], int]:
    """Return the best rows of each pair of series, the best pairs first; and how many pairs are left out."""
    if not len(hits):
        return [], 0
    pair = keys.series[hits.one].astype(np.int64) << 32 | keys.series[hits.other].astype(np.int64)
    worth = hits.likeness + 4.0 * (hits.votes - 1)
    order = np.lexsort((-worth, pair))
    cuts = np.flatnonzero(np.diff(pair[order])) + 1
    groups = [rows[:TRIES] for rows in np.split(order, cuts)]
    groups.sort(key=lambda rows: -float(worth[rows[0]]))
    return groups[:MOST], max(len(groups) - MOST, 0)
