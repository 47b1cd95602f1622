"""The stored numbers of one shard as arrays: one place chooses how their bytes are reached.

A hot shard (contiguous, plain) is mapped, or read at its offset by preadv(2): neither goes through
libhdf5, whose one lock is for the whole process. Encrypted (`.h5e`) and cold shards have readers of
their own, found by name when one is met; what is both is a cold one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.reading.leaves import Leaves

Ints = NDArray[np.int64]
Stored = NDArray[Any]

COLD, ENCRYPTED = "cold", ".h5e"
READERS = {  # each is called with a Place and returns an Array
    "mmap": "forgia_hpc.data.reading.mapped:MappedArray",
    "pread": "forgia_hpc.data.reading.pread:PreadArray",
    ENCRYPTED: "forgia_hpc.data.crypto.sealed_blocks:open_encrypted",
    COLD: "forgia_hpc.data.cold:ColdArray",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """Where one storage (i16, i32 or f32) of one shard lies, and what vouches for it; equal to itself alone."""

    path: Path
    file_bytes: int  # of the file, as sealed
    storage: str  # i16, i32, f32; or a field's place, such as t0_fields/temperature
    dtype: np.dtype[Any]
    count: int  # numbers
    offset: int  # byte of the plain HDF5 file where the array begins; 0: not contiguous there
    leaves: Leaves  # SHA-256 of each 1 MiB; outlives the open file
    profile: str = "hot"
    key_id: str = ""  # of the data key, where the shard is encrypted
    keyring: Any = None  # the Keyring that may hold it

    @property
    def name(self) -> str:
        """The array as errors call it."""
        return f"{self.path} /{self.dataset}"

    @property
    def dataset(self) -> str:
        """The array's place in the HDF5 file; of a field, `storage` says it whole."""
        return self.storage if "/" in self.storage else f"signals/{self.storage}"


class Array(Protocol):
    """One storage of one shard, open. Threads may read at once.

    There is no close(): an array that others displaced may still be read by a thread, so its file closes
    with its last reference (a mapping does, a descriptor does by weakref.finalize).
    """

    def read(self, starts: Ints, length: int) -> Stored:
        """Return a copy (row, length) of the numbers from each start on; all lie within the array.

        Raises:
            SealBrokenError: a byte was altered or is gone; names the shard.

        """


def open_array(place: Place, io: str) -> Array:
    """Open an array; `io` (mmap or pread) matters to plain hot shards only.

    Raises:
        SealBrokenError: the file is missing, or not of the size that was sealed.

    """
    module, name = READERS[_kind(place, io)].split(":")
    opener: Callable[[Place], Array] = getattr(import_module(module), name)
    return opener(place)


def _kind(place: Place, io: str) -> str:
    if place.profile == COLD:  # encrypted or not: only libhdf5 undoes its filters
        return COLD
    return ENCRYPTED if place.path.suffix == ENCRYPTED else io
