"""A keyed permutation of 0..n-1 that is computed where it is needed and stored nowhere.

An 8-round Feistel network over the next power of two, walked until it falls below n.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

ROUNDS = 8
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # splitmix64's, Steele 2014


def permuted(positions: NDArray[np.int64], n: int, key: str) -> NDArray[np.int64]:
    """Return where the permutation of 0..n-1 with this key puts each position."""
    bits = max(n - 1, 0).bit_length()
    low = bits // 2
    keys = np.frombuffer(hashlib.shake_256(key.encode()).digest(8 * ROUNDS), "<u8")
    found = _feistel(positions.astype(np.uint64), bits - low, low, keys)
    walking = np.flatnonzero(found >= n)
    while len(walking):
        found[walking] = _feistel(found[walking], bits - low, low, keys)
        walking = walking[found[walking] >= n]
    return found.astype(np.int64)


def _feistel(
    numbers: NDArray[np.uint64], high: int, low: int, keys: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Each round changes one half by a function of the other, so each can be undone."""
    shift = np.uint64(low)
    low_mask, high_mask = np.uint64((1 << low) - 1), np.uint64((1 << high) - 1)
    left, right = numbers >> shift, numbers & low_mask
    for number, key in enumerate(keys):
        if number % 2:
            right = right ^ (_mixed(left, key) & low_mask)
        else:
            left = left ^ (_mixed(right, key) & high_mask)
    return (left << shift) | right


def _mixed(numbers: NDArray[np.uint64], key: np.uint64) -> NDArray[np.uint64]:
    mixed = numbers + key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[0]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX[1]
    return mixed ^ (mixed >> np.uint64(31))
