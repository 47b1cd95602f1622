"""Rows of a contiguous HDF5 dataset through mmap: a copy at memory's speed, no system call a row.

The pages belong to the page cache, which all ranks of a node share. A file that is cut off while it is
mapped kills the process with SIGBUS when a lost page is touched, and no library can turn that into an
error: the size is asked before each read, which leaves microseconds. Where files change under a job's
feet, `data.io=pread` gives a clear error instead.
"""

from __future__ import annotations

import mmap
import os

import numpy as np

from forgia_hpc.data.reading.arrays import Ints, Place, Stored
from forgia_hpc.data.reading.files import check_size, open_shard, unreadable


class MappedArray:
    """One storage of one hot shard, mapped."""

    def __init__(self, place: Place) -> None:
        """Map the whole file; its pages are read when they are touched."""
        self._place = place
        file = open_shard(place.path, place.file_bytes)
        try:
            self._mapped = mmap.mmap(file, 0, access=mmap.ACCESS_READ)
            place.leaves.opened(os.fstat(file))
        except OSError as error:
            raise unreadable(place.path, error) from error
        finally:
            os.close(file)  # a mapping keeps a descriptor of its own
        self._flat = np.frombuffer(self._mapped, place.dtype, place.count, place.offset)

    def _bytes(self, first: int, count: int) -> memoryview:
        return self._flat.view(np.uint8)[first : first + count].data

    def read(self, starts: Ints, length: int) -> Stored:
        """Return a copy (row, length) of the numbers from each start on."""
        # of the file as it is now, not as it was mapped
        check_size(self._mapped.size(), self._place.path, self._place.file_bytes)
        self._place.leaves.verify(starts, length, self._bytes)
        return rows(self._flat, starts, length)

    def views(self, starts: Ints, length: int) -> list[Stored]:
        """Return the numbers themselves, for those who copy them once and straight to where they belong."""
        check_size(self._mapped.size(), self._place.path, self._place.file_bytes)
        self._place.leaves.verify(starts, length, self._bytes)
        return [self._flat[start : start + length] for start in starts.tolist()]


def rows(flat: Stored, starts: Ints, length: int) -> Stored:
    """Return a copy (row, length) of the numbers from each start on.

    Rows overlap in memory; np.take would first copy the whole view, indexing copies the rows.
    """
    item, last = flat.itemsize, len(flat) - length
    view: Stored = np.ndarray((last + 1, length), flat.dtype, flat.data, 0, (item, item))
    found: Stored = view[starts]
    return found
