"""Keys that meet become hits, and hits that agree on rate, shift and sign become candidates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.leaks.landmarks import Bools, Doubles, Ints
from forgia_hpc.data.leaks.sketch import Keys

CROWD = (
    1 << 14
)  # keys alike: a shape that everybody has (a tone, a cycle of a machine) tells nothing
UNLIKE = 13  # bits of a fingerprint
PARTNERS = 24  # with the same fingerprint: likewise
NEAR = 6  # hits before and after that may agree
BLOCK = 1 << 22  # hits at once
LEAST_RATE, MOST_RATE = 0.42, 2.4


@dataclass(frozen=True)
class Hits:
    """Two stretches whose keys are equal: rows of Keys, then what follows from them; arrays (hit,)."""

    one: Ints
    other: Ints
    rate: Doubles  # steps of the other a step of the one
    shift: Doubles  # step of the other at the middle of the one
    votes: Ints  # hits that agree, itself included
    unlike: Ints  # bits in which the fingerprints differ

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.one)

    def take(self, rows: Bools | Ints) -> Hits:
        """Return some of them."""
        return Hits(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Joined:
    """What the keys gave."""

    hits: Hits
    met: int  # pairs of equal keys that may be compared
    crowded: int  # keys left out, because too many are alike


def join(keys: Keys, comparable: NDArray[np.bool_], side: NDArray[np.int64]) -> Joined:
    """Return the hits between series of comparable sides that another hit agrees with.

    comparable: (side, side); side: (series,).
    """
    order = np.argsort(keys.key, kind="stable")
    key = keys.key[order]
    first = np.searchsorted(key, key, side="left")
    size = np.searchsorted(key, key, side="right") - first
    rank = np.arange(len(key)) - first
    crowded = size > max(CROWD, len(key) // 500)
    later = np.where(crowded, 0, size - 1 - rank)
    parts, met = [], 0
    for rows in _blocks(later):
        one = np.repeat(rows, later[rows])
        run = np.arange(len(one)) - np.repeat(np.cumsum(later[rows]) - later[rows], later[rows])
        a, b = order[one], order[one + 1 + run]
        fits = comparable[side[keys.series[a]], side[keys.series[b]]]
        a, b = a[fits], b[fits]
        met += len(a)
        fits = np.bitwise_count(keys.print[a] ^ keys.print[b]) <= UNLIKE
        a, b = a[fits], b[fits]
        parts.append(_hits(keys, a, b))
    parts = parts or [_hits(keys, order[:0], order[:0])]
    hits = Hits(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Hits)))
    partners = np.bincount(hits.one, minlength=len(key)) + np.bincount(
        hits.other, minlength=len(key)
    )
    common = partners > PARTNERS
    hits = hits.take(~common[hits.one] & ~common[hits.other])
    return Joined(_agreed(keys, hits), met, int(crowded.sum()) + int(common.sum()))


def _blocks(later: Ints) -> Iterator[Ints]:
    """Yield rows whose hits come to about BLOCK."""
    sums = np.cumsum(later)
    if not len(sums):
        return
    cuts = np.searchsorted(sums, np.arange(BLOCK, int(sums[-1]) + BLOCK, BLOCK))
    yield from np.split(np.arange(len(later)), np.unique(cuts))


def _hits(keys: Keys, a: Ints, b: Ints) -> Hits:
    """Return hits, the series with the smaller number first; those of impossible rates left out."""
    swap = keys.series[a] > keys.series[b]
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    rate = (keys.end[b] - keys.begin[b]).astype(np.float64) / (keys.end[a] - keys.begin[a])
    middle = 0.5 * (keys.begin[b].astype(np.float64) + keys.end[b])
    fits = (rate > LEAST_RATE) & (rate < MOST_RATE)
    unlike = np.bitwise_count(keys.print[a] ^ keys.print[b]).astype(np.int64)
    found = Hits(a, b, rate, middle, np.ones(len(a), np.int64), unlike)
    return found.take(fits)


def _agreed(keys: Keys, hits: Hits) -> Hits:
    """Return the hits with their votes."""
    pair = keys.series[hits.one].astype(np.int64) << 32 | keys.series[hits.other].astype(np.int64)
    turned = keys.top[hits.one] != keys.top[hits.other]
    middle = 0.5 * (keys.begin[hits.one].astype(np.float64) + keys.end[hits.one])
    span = (keys.end[hits.one] - keys.begin[hits.one]).astype(np.float64)
    order = np.lexsort((middle, turned, pair))
    hits, pair, turned = hits.take(order), pair[order], turned[order]
    middle, span = middle[order], span[order]
    votes = hits.votes.copy()
    for lag in range(1, NEAR + 1):
        if len(votes) <= lag:
            break
        a, b = slice(None, -lag), slice(lag, None)
        near = (pair[a] == pair[b]) & (turned[a] == turned[b])
        reach = np.maximum(span[a], span[b])
        apart = middle[b] - middle[a]
        near &= np.abs(hits.rate[b] - hits.rate[a]) < 0.08 * hits.rate[a]
        off = np.abs(hits.shift[b] - hits.shift[a] - hits.rate[a] * apart)
        near &= (apart < 8 * reach) & (off < hits.rate[a] * (0.05 * apart + 0.06 * reach))
        votes[:-lag] += near
        votes[lag:] += near
    return Hits(hits.one, hits.other, hits.rate, hits.shift, votes, hits.unlike)
