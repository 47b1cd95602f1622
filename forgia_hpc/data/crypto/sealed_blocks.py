"""Random rows of an array of an encrypted shard.

Blocks are decrypted into one bounded memory and rows are gathered from there in one call, as from a mapped
file. Decrypting releases Python's lock, so the blocks that a batch lacks are shared out over threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.crypto.keys import Keyring
from forgia_hpc.data.crypto.sealed_file import SealedFile
from forgia_hpc.data.crypto.sealed_image import SealedImage, open_place
from forgia_hpc.data.reading.arrays import Ints, Place, Stored

CACHE_BYTES = 64 << 20
MOST_THREADS = 4
WORTH_SHARING = 8  # blocks: handing work to a thread costs as much as decrypting two or three
_EMPTY = (-1, -1)


class BlockCache:
    """The blocks decrypted last, of all files with blocks of one size; the oldest make room. Thread-safe.

    `guard` is held from `find` until the bytes are copied out: another thread's blocks take their slots.
    """

    def __init__(
        self, block_bytes: int, limit: int = CACHE_BYTES, threads: int | None = None
    ) -> None:
        """Take how many bytes of blocks are kept, and how many threads may decrypt."""
        self.guard = threading.RLock()
        self.block_bytes = block_bytes
        self.slots = max(limit // block_bytes, 4)
        self.memory = np.empty(self.slots * block_bytes, np.uint8)  # pages appear as they are used
        self._owner = [_EMPTY] * self.slots
        self._slot: dict[tuple[int, int], int] = {}
        self._next = 0
        self._threads = threads or min(len(os.sched_getaffinity(0)), MOST_THREADS)
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def find(self, file: SealedFile, numbers: Sequence[int]) -> Ints:
        """Return the slots of these blocks (ascending, at most `slots`), decrypted now if need be.

        Blocks that follow each other and were both missing get slots that follow each other.
        """
        slots = [self._slot.get((file.serial, number), -1) for number in numbers]
        if -1 in slots:
            self._bring(file, numbers, slots)
        return np.array(slots, np.int64)

    def _bring(self, file: SealedFile, numbers: Sequence[int], slots: list[int]) -> None:
        """Decrypt what is missing and write its slots into `slots`."""
        missing, begin, end = self._room(slots)
        for slot in range(begin, end):
            self._slot.pop(self._owner[slot], None)
            self._owner[slot] = _EMPTY
        work = [(numbers[at], slot) for at, slot in zip(missing, range(begin, end), strict=True)]
        self._decrypt(file, work)
        for at, (number, slot) in zip(missing, work, strict=True):
            self._owner[slot] = (file.serial, number)
            self._slot[file.serial, number] = slots[at] = slot
        self._next = end

    def _room(self, slots: list[int]) -> tuple[list[int], int, int]:
        """Return which are missing, and the slots that they get: the oldest ones.

        A block that is there but in the way is decrypted again, so the room may grow once or twice.
        """
        missing = {at for at, slot in enumerate(slots) if slot < 0}
        while True:  # it only grows, up to all of them
            begin = self._next if self._next + len(missing) <= self.slots else 0
            end = begin + len(missing)
            more = {at for at, slot in enumerate(slots) if begin <= slot < end} - missing
            if not more:
                return sorted(missing), begin, end
            missing |= more

    def _decrypt(self, file: SealedFile, work: list[tuple[int, int]]) -> None:
        """Decrypt blocks into their slots, some of it on other threads."""
        shares = 1 if len(work) < WORTH_SHARING else self._threads
        others = [
            self._workers().submit(self._decrypt_some, file, work[at::shares])
            for at in range(1, shares)
        ]
        try:
            self._decrypt_some(file, work[::shares])
        finally:
            wait(others)  # after an error too: they write into slots that are handed on
        for other in others:
            other.result()

    def _decrypt_some(self, file: SealedFile, work: list[tuple[int, int]]) -> None:
        for number, slot in work:
            begin = slot * self.block_bytes
            file.decrypt_into(number, self.memory[begin : begin + file.size_of(number)].data)

    def _workers(self) -> ThreadPoolExecutor:
        """Return the threads; a forked process has none of its parent's."""
        if self._pool is None or self._process != os.getpid():
            self._pool = ThreadPoolExecutor(self._threads - 1, "decrypt")
            self._process = os.getpid()
        return self._pool


class EncryptedArray:
    """One storage (i16, i32 or f32) of one encrypted shard: what MappedArray is to a plain one."""

    def __init__(self, file: SealedFile, place: Place, cache: BlockCache) -> None:
        """Take the open file, where in its plain image the array lies, and the blocks to share."""
        self._file = file
        self._place = place
        self._cache = cache

    def read(self, starts: Ints, length: int) -> Stored:
        """Return a copy (row, length) of the numbers from each start on; all lie within the array."""
        self._file.check_size()
        item, block = self._place.dtype.itemsize, self._cache.block_bytes
        begins = self._place.offset + starts * item
        most = max((self._cache.slots - 1) // (length * item // block + 2), 1)  # rows at a time
        if len(starts) <= most and length * item <= (self._cache.slots - 2) * block:
            return self._gather(begins, length)
        found = np.empty((len(starts), length), self._place.dtype)
        if most == 1:
            image = SealedImage(self._file)
            for row, begin in enumerate(begins.tolist()):
                image.seek(begin)
                image.readinto(found[row].data)
            return found
        for at in range(0, len(starts), most):
            found[at : at + most] = self._gather(begins[at : at + most], length)
        return found

    def _gather(self, begins: Ints, length: int) -> Stored:
        """Return rows whose blocks fit the cache together; `begins` are bytes of the image."""
        size, block = length * self._place.dtype.itemsize, self._cache.block_bytes
        first, last = begins // block, (begins + size - 1) // block
        columns = first[:, None] + np.arange(int((last - first).max(initial=0)) + 1)
        columns = np.minimum(columns, last[:, None])
        numbers, inverse = np.unique(columns, return_inverse=True)
        with self._cache.guard:
            slots = self._cache.find(self._file, numbers.tolist())[inverse].reshape(columns.shape)
            straight = (slots - slots[:, :1] == columns - columns[:, :1]).all(axis=1)
            at = slots[:, 0] * block + begins % block
            if straight.all():
                return self._rows(at, length)
            found = np.empty((len(begins), length), self._place.dtype)
            found[straight] = self._rows(at[straight], length)
            for row in np.flatnonzero(~straight).tolist():
                self._piece(found[row].view(np.uint8), slots[row], int(begins[row] % block))
        return found

    def _rows(self, at: Ints, length: int) -> Stored:
        """Return the rows that begin at these bytes of the cache's memory."""
        dtype, memory = self._place.dtype, self._cache.memory
        item = dtype.itemsize
        shape = (memory.size // item - length + 1, length)
        rows: Stored = np.ndarray(shape, dtype, memory.data, 0, (item, item))
        found: Stored = rows[at // item]
        return found

    def _piece(self, out: NDArray[np.uint8], slots: Ints, skip: int) -> None:
        """Copy a row together from blocks that do not follow each other in memory."""
        block, done = self._cache.block_bytes, 0
        for slot in slots.tolist():
            part = min(len(out) - done, block - skip)
            begin = slot * block + skip
            out[done : done + part] = self._cache.memory[begin : begin + part]
            done, skip = done + part, 0


def open_encrypted(place: Place) -> EncryptedArray:
    """Open an array of an encrypted shard with the key that the place's keyring holds.

    Raises:
        InputError: the key is not sealed to this person.
        SealBrokenError: the file, its header or its wraps were altered.
    """
    ring: Keyring = place.keyring
    file = open_place(place)
    block = file.header.block_bytes
    if block not in ring.caches:
        ring.caches[block] = BlockCache(block)
    return EncryptedArray(file, place, ring.caches[block])
