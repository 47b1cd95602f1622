"""A keyed permutation of 0..n-1 that is computed where it is needed and stored nowhere.

An 8-round Feistel network over the next power of two, walked until it falls below n.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ROUNDS = 8
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # splitmix64's, Steele 2014
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]


def permuted(positions: Ints, n: int, key: str) -> Ints:
    """Return where the permutation of 0..n-1 with this key puts each position."""
    return permuted_each(positions, np.array(n), round_keys(key)[:, None])


def permuted_each(positions: Ints, n: Ints, keys: Words) -> Ints:
    """Return where each position goes in a permutation of its own: n (row,), keys (ROUNDS, row).

    Many small permutations cost as much as one: a batch that mixes contributions is one call.
    """
    bits = bit_length(np.maximum(n - 1, 0))
    low = bits // 2
    shapes = _Shapes(low, bits - low)
    size = n.astype(np.uint64)
    found = _feistel(positions.astype(np.uint64), shapes, keys)
    walking = np.flatnonzero(found >= size)
    wide = np.broadcast_to(keys, (ROUNDS, len(found)))
    while len(walking):
        found[walking] = _feistel(found[walking], shapes.of(walking), wide[:, walking])
        walking = walking[(found >= size)[walking]]
    return found.astype(np.int64)


@lru_cache(maxsize=1 << 14)
def round_keys(key: str) -> Words:
    """Return the (ROUNDS,) round keys of a key; read-only."""
    return np.frombuffer(hashlib.shake_256(key.encode()).digest(8 * ROUNDS), "<u8")


def bit_length(numbers: Ints) -> Ints:
    """Return int.bit_length of numbers from 0 up to 2**53."""
    return np.frexp(numbers.astype(np.float64))[1].astype(np.int64)


class _Shapes:
    """How many bits the halves of the numbers have; one for all, or one a number."""

    def __init__(self, low: Ints, high: Ints) -> None:
        one = np.uint64(1)
        self.shift, self._high = low.astype(np.uint64), high.astype(np.uint64)
        self.low_mask, self.high_mask = (one << self.shift) - one, (one << self._high) - one

    def of(self, rows: Ints) -> _Shapes:
        """Return those of some rows."""
        if not self.shift.ndim:
            return self
        return _Shapes(self.shift[rows].astype(np.int64), self._high[rows].astype(np.int64))


def _feistel(numbers: Words, shapes: _Shapes, keys: Words) -> Words:
    """Each round changes one half by a function of the other, so each can be undone."""
    left, right = numbers >> shapes.shift, numbers & shapes.low_mask
    for number, key in enumerate(keys):
        if number % 2:
            right ^= _mixed(left, key) & shapes.low_mask
        else:
            left ^= _mixed(right, key) & shapes.high_mask
    return (left << shapes.shift) | right


def _mixed(numbers: Words, key: Words) -> Words:
    mixed = numbers + key
    mixed ^= mixed >> _SHIFTS[0]
    mixed *= _MIX[0]
    mixed ^= mixed >> _SHIFTS[1]
    mixed *= _MIX[1]
    mixed ^= mixed >> _SHIFTS[2]
    return mixed
