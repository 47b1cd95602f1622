"""Keys that meet and whose stretches are alike become hits, and hits that agree become candidates.

Keys are compared within what has the same key and the same eight of 64 signs of its stretch, eight times with
other signs: whoever differs in few signs meets in one of them. All of it is arithmetic on whole columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.leaks.landmarks import Bools, Doubles, Ints
from forgia_hpc.data.leaks.sketch import RIPPLES, Keys

CROWD = (
    1 << 10
)  # that meet: a shape that everybody has (a tone, a cycle of a machine) tells nothing
UNLIKE = 16  # of 64 signs
LIKENESS = 8.0  # ln of how unlikely chance is to make two stretches so alike, at least
ALONE = 12.0  # of a hit that no other agrees with
PARTNERS = 24  # that are so alike: likewise
NEAR = 6  # hits before and after that may agree
BLOCK = 1 << 21  # pairs at once
LEAST_RATE, MOST_RATE = 0.42, 2.4
BANDS = (slice(0, 2), slice(2, 4), slice(4, 8), slice(8, 16), slice(16, 32))  # of coefficients
_PLANES = np.random.default_rng(7).normal(size=(RIPPLES, 64)).astype(np.float32)


@dataclass(frozen=True)
class Hits:
    """Two stretches whose keys are equal: rows of Keys, then what follows from them; arrays (hit,)."""

    one: Ints
    other: Ints
    rate: Doubles  # steps of the other a step of the one
    shift: Doubles  # step of the other at the middle of the one
    votes: Ints  # hits that agree, itself included
    likeness: Doubles

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
    met: int  # pairs of keys that were compared
    crowded: int  # keys left out, because too many are alike


def join(keys: Keys, comparable: NDArray[np.bool_], side: NDArray[np.int64]) -> Joined:
    """Return the hits between series of comparable sides, with how many others agree with each.

    comparable: (side, side); side: (series,).
    """
    signs = _signs(keys)
    owner = side[keys.series]
    pairs: list[Ints] = []
    met = crowded = 0
    for band in range(8):
        order, later, left_out = _runs(keys, signs, band)
        crowded += left_out
        for rows in _blocks(later):
            one = np.repeat(rows, later[rows])
            run = np.arange(len(one)) - np.repeat(np.cumsum(later[rows]) - later[rows], later[rows])
            a, b = order[one], order[one + 1 + run]
            fits = np.bitwise_count(signs[a] ^ signs[b]) <= UNLIKE
            a, b = a[fits], b[fits]
            met += len(fits)
            fits = comparable[owner[a], owner[b]]
            pairs.append(np.minimum(a, b)[fits] << 32 | np.maximum(a, b)[fits])
    hits = _hits(keys, _once(pairs))
    partners = np.bincount(hits.one, minlength=len(keys)) + np.bincount(
        hits.other, minlength=len(keys)
    )
    common = partners > PARTNERS
    hits = hits.take(~common[hits.one] & ~common[hits.other])
    hits = _agreed(keys, hits)
    hits = hits.take((hits.votes > 1) | (hits.likeness >= ALONE))
    return Joined(hits, met, crowded // 8 + int(common.sum()))


def _once(pairs: list[Ints]) -> Ints:
    """Return each pair once; np.unique takes ten times as long for these (NumPy 2.4)."""
    found = np.sort(np.concatenate([np.zeros(0, np.int64), *pairs]))
    once: Ints = found[np.diff(found, prepend=-1) != 0]
    return once


def _signs(keys: Keys) -> NDArray[np.uint64]:
    """Return 64 bits a key: on which side of as many planes its stretch lies."""
    found = np.zeros((len(keys), 8), np.uint8)
    for at in range(0, len(keys), 1 << 16):
        part = slice(at, at + (1 << 16))
        found[part] = np.packbits(keys.waves[part].astype(np.float32) @ _PLANES > 0, axis=1)
    return found.view(np.uint64)[:, 0]


def _runs(keys: Keys, signs: NDArray[np.uint64], band: int) -> tuple[Ints, Ints, int]:
    """Return the order in which keys that meet lie together, how many follow each, and how many are too many."""
    byte = signs >> np.uint64(8 * band) & np.uint64(255)
    key = (keys.key & ~np.uint64(0xFF)) | byte
    order = np.argsort(key, kind="stable")
    key = key[order]
    heads = np.flatnonzero(np.diff(key, prepend=~key[:1]))
    size = np.diff(heads, append=len(key))
    last = np.repeat(heads + size - 1, size)
    crowded = np.repeat(size > max(CROWD, len(key) // 5000), size)
    later = np.where(crowded, 0, last - np.arange(len(key)))
    return order, later, int(crowded.sum())


def _blocks(later: Ints) -> Iterator[Ints]:
    """Yield rows whose pairs come to about BLOCK."""
    sums = np.cumsum(later)
    if not len(sums):
        return
    cuts = np.searchsorted(sums, np.arange(BLOCK, int(sums[-1]) + BLOCK, BLOCK))
    for rows in np.split(np.arange(len(later)), np.unique(cuts)):
        yield rows[later[rows] > 0]


def _hits(keys: Keys, pair: Ints) -> Hits:
    """Return hits, the smaller number of a series first; those of impossible rates or hardly alike left out."""
    a, b = pair >> 32, pair & 0xFFFFFFFF
    swap = keys.series[a] > keys.series[b]
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    rate = (keys.end[b] - keys.begin[b]).astype(np.float64) / (keys.end[a] - keys.begin[a])
    fits = (rate > LEAST_RATE) & (rate < MOST_RATE)
    a, b, rate = a[fits], b[fits], rate[fits]
    likeness = np.concatenate(
        [
            likeness_of(keys, a[at : at + 65536], b[at : at + 65536])
            for at in range(0, len(a), 65536)
        ]
        or [np.zeros(0)]
    )
    middle = 0.5 * (keys.begin[b].astype(np.float64) + keys.end[b])
    found = Hits(a, b, rate, middle, np.ones(len(a), np.int64), likeness)
    return found.take(likeness >= LIKENESS)


def likeness_of(keys: Keys, a: Ints, b: Ints) -> Doubles:
    """Return what the coefficients of two stretches prove, an octave at a time."""
    one, other = keys.waves[a].astype(np.float32), keys.waves[b].astype(np.float32)
    product, first, second = one * other, one * one, other * other
    both = first * second
    found = np.zeros(len(a))
    for band in BANDS:
        p, q = first[:, band].sum(axis=1), second[:, band].sum(axis=1)
        size = np.maximum(p * q, 1.0)
        like = np.maximum(product[:, band].sum(axis=1), 0) ** 2 / size
        free = size / np.maximum(both[:, band].sum(axis=1), 1.0)
        found += -0.5 * np.maximum(free - 0.5, 0) * np.log1p(-np.minimum(like, 0.98))
    return found


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
    return Hits(hits.one, hits.other, hits.rate, hits.shift, votes, hits.likeness)
