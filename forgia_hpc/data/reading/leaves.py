"""Which leaves (1 MiB) of an array have been hashed: each is, once, before its bytes are first given out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.integrity import LEAF_BYTES
from forgia_hpc.errors import SealBrokenError

Ints = NDArray[np.int64]
Fetch = Callable[[int, int], Any]  # (first byte of the array, how many) → those bytes


@dataclass
class Leaves:
    """The bookkeeping of one array, which outlives its open file. A byte altered afterwards is not noticed."""

    name: str  # of the array, as errors call it
    digests: NDArray[np.uint8]  # (n, 32); none: nothing is hashed
    itemsize: int

    def __post_init__(self) -> None:
        """Begin with nothing hashed."""
        self._file: tuple[int, ...] = ()
        self._forget()

    def _forget(self) -> None:
        self.verified = np.zeros(len(self.digests), np.bool_)
        self.trusted = not len(self.digests)

    def opened(self, file: os.stat_result) -> None:
        """Forget what was hashed of another file of this name; call with fstat(2) of each one opened."""
        now = (file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns)
        if self._file and now != self._file:
            self._forget()
        self._file = now

    def verify(self, starts: Ints, length: int, fetch: Fetch) -> None:
        """Hash what these rows touch and no row touched before.

        Raises:
            SealBrokenError: bytes that are not those sealed; names shard and leaf.

        """
        if self.trusted or not len(starts):
            return
        first = starts * self.itemsize // LEAF_BYTES
        last = ((starts + length) * self.itemsize - 1) // LEAF_BYTES
        if (self.verified[first] & self.verified[last]).all() and int((last - first).max()) < 2:
            return
        for leaf in self._touched(first, last).tolist():
            self._hash(leaf, fetch)
        self.trusted = bool(self.verified.all())

    def _touched(self, first: Ints, last: Ints) -> Ints:
        """Return the leaves from `first` to `last` of any row that are not hashed yet."""
        edges = np.bincount(first, minlength=len(self.digests) + 1)
        edges -= np.bincount(last + 1, minlength=len(self.digests) + 1)
        return np.flatnonzero((np.cumsum(edges[:-1]) > 0) & ~self.verified)

    def _hash(self, leaf: int, fetch: Fetch) -> None:
        data = fetch(leaf * LEAF_BYTES, LEAF_BYTES)
        if hashlib.sha256(data).digest() != self.digests[leaf].tobytes():
            raise SealBrokenError(
                f"{self.name}: leaf {leaf} (1 MiB) was altered after it was sealed; "
                "copy the shard again"
            )
        self.verified[leaf] = True
