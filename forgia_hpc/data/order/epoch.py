"""The order of turns in which each window comes once: contributions merged two by two, evenly.

The two smallest are merged first (Huffman's tree). Of the n windows below a node, its left child holds a; place q
falls to it where round((q + 1) a / n) is one more than round(q a / n). Any place is found by walking down from the
root: nothing is stored but the tree.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_HALF = 20  # bits


class Epoch:
    """Whose turn it is, where each contribution has as many turns an epoch as it has windows."""

    def __init__(self, counts: Sequence[int]) -> None:
        """Take the windows of each contribution; 2**39 together at most."""
        self.counts = np.array(counts, np.int64)
        self.total = int(self.counts.sum())
        totals, children = _merged(self.counts.tolist())
        self._leaves = len(counts)
        self._totals = np.array(totals, np.int64)
        self._left, self._right = np.array([*[(-1, -1)] * len(counts), *children], np.int64).T
        self._root = int(np.argmax(self._totals)) if not children else len(totals) - 1

    def at(self, places: Ints) -> tuple[Ints, Ints]:
        """Return whose turn it is at places of the endless sequence, and its how-manieth."""
        epoch, place = np.divmod(places, self.total)
        node = np.full_like(place, self._root)
        while len(inner := np.flatnonzero(node >= self._leaves)):
            now, here = node[inner], place[inner]
            left = self._left[now]
            before, falls = _rounded(here, self._totals[left], self._totals[now])
            node[inner] = np.where(falls, left, self._right[now])
            place[inner] = np.where(falls, before, here - before)
        return node, epoch * self.counts[node] + place

    def drawn(self, place: int) -> Ints:
        """Return how many turns each has had before a place."""
        epoch, inside = divmod(place, self.total)
        had = np.zeros(len(self._totals), np.int64)
        had[self._root] = inside
        for node in range(len(had) - 1, self._leaves - 1, -1):
            left, right = self._left[node], self._right[node]
            had[left], _ = _rounded(had[node], self._totals[left], self._totals[node])
            had[right] = had[node] - had[left]
        return epoch * self.counts + had[: self._leaves]


def _merged(counts: list[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the windows below each node, leaves first and the root last, and the children of the inner ones."""
    totals, children = list(counts), []
    heap = [(count, leaf) for leaf, count in enumerate(counts) if count]
    heapq.heapify(heap)
    while len(heap) > 1:
        less, one = heapq.heappop(heap)
        more, other = heapq.heappop(heap)
        heapq.heappush(heap, (less + more, len(totals)))
        totals.append(less + more)
        children.append((other, one))
    return totals, children


def _rounded(place: Ints, part: Ints, whole: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return round(place * part / whole), halves up, and whether it is one more at the next place.

    The product is taken in two parts, so it never overflows.
    """
    high, low = part >> _HALF, part & ((1 << _HALF) - 1)
    tens, rest = np.divmod(place * high, whole)
    ones, rest = np.divmod((rest << _HALF) + place * low, whole)
    up = 2 * rest >= whole
    return (tens << _HALF) + ones + up, 2 * (rest + part) >= np.where(up, 3 * whole, whole)
