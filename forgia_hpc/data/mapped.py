"""The hot path: rows of a contiguous HDF5 dataset, read through mmap without libhdf5.

A leaf (1 MiB) is hashed when it is first touched. The pages belong to the page cache, shared by all
ranks of a node; a file altered *after* its leaf was hashed is not noticed.
"""

from __future__ import annotations

import hashlib
import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.integrity import LEAF_BYTES
from forgia_hpc.errors import SealBrokenError

Ints = NDArray[np.int64]


def map_file(path: Path, size: int) -> mmap.mmap:
    """Return the file's bytes, read-only, after checking that all of them are there."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if len(mapped) != size:
        raise SealBrokenError(f"{path}: has {len(mapped)} bytes, sealed with {size}")
    return mapped


class MappedArray:
    """One storage (i16, i32 or f32) of one shard."""

    def __init__(self, flat: NDArray[Any], leaves: NDArray[np.uint8], name: str) -> None:
        """Take the numbers, their leaves (n, 32), none to trust them, and a name for errors."""
        self.flat = flat
        self.name = name
        self.leaves = leaves
        self.verified = np.zeros(len(leaves), np.bool_)
        self.trusted = not len(leaves)

    def read(self, starts: Ints, length: int) -> NDArray[Any]:
        """Return a copy (row, length) of the numbers from each start on.

        A start below 0 gives arbitrary numbers up to the array's begin; the caller blanks them.
        """
        if not self.trusted:
            self._verify(starts, length)
        last = len(self.flat) - length
        if last < 0 or starts.min() < 0:
            steps = starts[:, None] + np.arange(length)
            return np.take(self.flat, steps, mode="clip")
        # Rows overlap in memory; np.take would first copy the whole view, indexing copies the rows.
        item = self.flat.itemsize
        rows: NDArray[Any] = np.ndarray(
            (last + 1, length), self.flat.dtype, self.flat.data, 0, (item, item)
        )
        found: NDArray[Any] = rows[starts]
        return found

    def _verify(self, starts: Ints, length: int) -> None:
        """Hash the leaves that these rows touch and that were not touched before."""
        item = self.flat.itemsize
        first = np.maximum(starts, 0) * item // LEAF_BYTES
        ends = np.minimum(starts + length, len(self.flat)) * item
        edges = np.zeros(len(self.verified) + 1, np.int64)
        np.add.at(edges, first, 1)
        np.add.at(edges, -(-ends // LEAF_BYTES), -1)
        touched = np.cumsum(edges[:-1]) > 0
        for leaf in np.flatnonzero(touched & ~self.verified).tolist():
            self._verify_leaf(leaf)
        self.trusted = bool(self.verified.all())

    def _verify_leaf(self, leaf: int) -> None:
        data = self.flat.view(np.uint8)[leaf * LEAF_BYTES : (leaf + 1) * LEAF_BYTES]
        if hashlib.sha256(data.data).digest() != self.leaves[leaf].tobytes():
            raise SealBrokenError(
                f"{self.name}: leaf {leaf} (1 MiB) was altered after it was sealed; "
                "copy the shard again"
            )
        self.verified[leaf] = True
