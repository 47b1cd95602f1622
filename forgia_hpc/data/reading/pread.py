"""Rows of a contiguous HDF5 dataset through preadv(2): what parallel file systems read well.

A page fault asks Lustre for a page or a small read-ahead, one at a time; a read says at once how much is
wanted. Rows that lie near each other in the file (runs of a block shuffle) are read as one stretch. A
file that was cut off or can't be read is an error, never a signal.
"""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass

import numpy as np

from forgia_hpc.data.reading.arrays import Ints, Place, Stored
from forgia_hpc.data.reading.files import open_shard, unreadable
from forgia_hpc.data.reading.mapped import rows
from forgia_hpc.errors import SealBrokenError

GAP_BYTES = 16 << 10  # nearer rows are read together: a call costs as much as copying some KiB


@dataclass(frozen=True)
class Stretches:
    """What to read so that all rows are in it, and where each row is then."""

    firsts: Ints  # numbers of the array at which the stretches begin
    ends: Ints  # where each ends when they lie one behind the other
    moved: Ints  # where each row begins then


def stretches(starts: Ints, length: int, gap: int) -> Stretches:
    """Join rows that overlap, or lie at most `gap` numbers apart."""
    order = np.argsort(starts, kind="stable")
    placed = starts[order]
    head = np.ones(len(starts), np.bool_)
    head[1:] = np.diff(placed) > length + gap
    heads = np.flatnonzero(head)
    firsts = placed[heads]
    sizes = placed[np.append(heads[1:], len(starts)) - 1] + length - firsts
    ends = np.cumsum(sizes)
    moved = np.empty(len(starts), np.int64)
    moved[order] = placed - (firsts - ends + sizes)[np.cumsum(head) - 1]
    return Stretches(firsts, ends, moved)


class PreadArray:
    """One storage of one hot shard, read where it lies."""

    def __init__(self, place: Place) -> None:
        """Open the file and compare its size."""
        self._place = place
        self._item = place.dtype.itemsize
        self._file = open_shard(place.path, place.file_bytes)
        # closed when the last thread that reads has let go: a number closed earlier might be reused
        weakref.finalize(self, os.close, self._file)
        place.leaves.opened(os.fstat(self._file))

    def read(self, starts: Ints, length: int) -> Stored:
        """Return a copy (row, length) of the numbers from each start on."""
        self._place.leaves.verify(starts, length, self._bytes)
        found = stretches(starts, length, GAP_BYTES // self._item)
        if len(found.firsts) == len(starts):  # all lie apart: each row where it belongs
            ends = np.arange(1, len(starts) + 1) * length
            return self._read(starts, ends).reshape(-1, length)
        return rows(self._read(found.firsts, found.ends), found.moved, length)

    def _read(self, firsts: Ints, ends: Ints) -> Stored:
        """Return the stretches one behind the other, each read with one call."""
        flat = np.empty(int(ends[-1]), self._place.dtype)
        into, at = flat.view(np.uint8).data, 0
        pairs = zip((firsts * self._item).tolist(), (ends * self._item).tolist(), strict=True)
        for first, end in pairs:
            self._fill(into[at:end], first)
            at = end
        return flat

    def _bytes(self, first: int, count: int) -> memoryview:
        found = memoryview(bytearray(min(count, self._place.count * self._item - first)))
        self._fill(found, first)
        return found

    def _fill(self, into: memoryview, first: int) -> None:
        """Fill `into` with the array's bytes from `first` on."""
        at = self._place.offset + first
        try:
            done = os.preadv(self._file, (into,), at)
            while done < len(into):  # a signal came between, or the file's end
                more = os.preadv(self._file, (into[done:],), at + done)
                if not more:
                    raise self._cut_off(at + done)
                done += more
        except OSError as error:
            raise unreadable(self._place.path, error) from error

    def _cut_off(self, at: int) -> SealBrokenError:
        sealed = self._place.file_bytes
        return SealBrokenError(
            f"{self._place.path}: byte {at} is gone, sealed with {sealed}: it was cut off while it "
            "was read; copy the shard again"
        )
