"""Cold shards: the same arrays in chunks, packed by an HDF5 filter. For transfer and for keeping; slower to read.

A leaf (1 MiB of the unpacked array) is unpacked and hashed as a whole, and the last few are kept. Threads may read
at once: h5py has one lock for all of them. An encrypted one is the same file in encrypted blocks: libhdf5 reads it
as a file of the plain bytes, none of which touches the disk.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np

from forgia_hpc.data.integrity import LEAF_BYTES
from forgia_hpc.data.reading.arrays import Ints, Place, Stored
from forgia_hpc.errors import InputError, Problem, SealBrokenError

KEPT = 64  # leaves: 64 MiB an array
PLUGIN = "hdf5plugin"  # the extra `cold`


class ColdArray:
    """One array of one cold shard."""

    def __init__(self, place: Place) -> None:
        """Open the file; no lock is taken on it, for it is never written."""
        self._place = place
        size = place.path.stat().st_size if place.path.is_file() else -1
        if size != place.file_bytes:
            raise SealBrokenError(
                f"{place.path}: has {size} bytes, sealed with {place.file_bytes}; copy the shard again"
            )
        find_plugin()
        try:
            self._data = _open(place)[place.dataset]
        except (OSError, KeyError) as error:
            raise SealBrokenError(f"{place.name}: not readable as HDF5 ({error})") from error
        if (self._data.dtype, self._data.size) != (place.dtype, place.count):
            raise SealBrokenError(f"{place.name}: not the numbers that were sealed")
        need_filters(self._data, place.path)
        self._kept: OrderedDict[int, Stored] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, starts: Ints, length: int) -> Stored:
        """Return a copy (row, length) of the numbers from each start on."""
        found = np.empty((len(starts), length), self._place.dtype)
        for row, start in zip(found, starts.tolist(), strict=True):
            self._copy(row, start)
        return found

    def _copy(self, row: Stored, start: int) -> None:
        """Fill a row from the leaves that it lies in."""
        numbers = LEAF_BYTES // self._place.dtype.itemsize
        done = 0
        while done < len(row):
            leaf, within = divmod(start + done, numbers)
            piece = self._leaf(leaf)[within : within + len(row) - done]
            row[done : done + len(piece)] = piece
            done += len(piece)

    def _leaf(self, leaf: int) -> Stored:
        with self._lock:
            if leaf not in self._kept:
                self._kept[leaf] = self._unpack(leaf)
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(leaf)
            return self._kept[leaf]

    def _unpack(self, leaf: int) -> Stored:
        numbers = LEAF_BYTES // self._place.dtype.itemsize
        begin = leaf * numbers
        try:
            found = flat(self._data, begin, min(begin + numbers, self._place.count))
        except OSError as error:
            raise SealBrokenError(
                f"{self._place.name}: can't be unpacked ({error}); copy the shard again"
            ) from error
        digests = self._place.leaves.digests
        if len(digests) and hashlib.sha256(found.data).digest() != digests[leaf].tobytes():
            raise SealBrokenError(
                f"{self._place.name}: leaf {leaf} (1 MiB) was altered after it was sealed; "
                "copy the shard again"
            )
        return found


def _open(place: Place) -> h5py.File:
    """Open the file through h5py; an encrypted one block by block in memory."""
    if not place.key_id:
        return h5py.File(place.path, "r", locking=False)
    module = import_module(
        "forgia_hpc.data.crypto.sealed_image"
    )  # cryptography, where it is needed
    return h5py.File(module.SealedImage(module.open_place(place)), "r")


def need_filters(data: h5py.Dataset, path: Path) -> None:
    """Refuse an array whose filter this process can't undo: its reads would fail with a riddle."""
    made = data.id.get_create_plist()
    filters = [made.get_filter(number)[0] for number in range(made.get_nfilters())]
    if all(h5py.h5z.filter_avail(one) for one in filters):
        return
    raise InputError(
        Problem(
            field="shard",
            got=str(path),
            limit=f"packed by HDF5 filter {filters[0]}, which is not here",
            fix="pip install 'forgia_hpc[cold]' (hdf5plugin), or ask for it packed by gzip",
        )
    )


def flat(data: h5py.Dataset, begin: int, end: int) -> Stored:
    """Return the numbers begin to end of an array as if it had one dimension, in few reads."""
    return np.concatenate([np.zeros(0, data.dtype), *_pieces(data, (), begin, end)])


def _pieces(data: h5py.Dataset, at: tuple[int, ...], begin: int, end: int) -> list[Stored]:
    """Return the pieces of a range below the indexes `at`: a ragged head, whole rows, a ragged tail."""
    shape = data.shape[len(at) :]
    if begin >= end:
        return []
    if len(shape) == 1:
        return [data[(*at, slice(begin, end))].ravel()]
    row = int(np.prod(shape[1:]))
    first, last = -(-begin // row), end // row
    if first > last:  # within one row
        return _pieces(data, (*at, last), begin - last * row, end - last * row)
    head = _pieces(data, (*at, first - 1), begin - (first - 1) * row, row) if begin % row else []
    whole = [data[(*at, slice(first, last))].ravel()] if first < last else []
    tail = _pieces(data, (*at, last), 0, end - last * row) if end % row else []
    return [*head, *whole, *tail]


def plugin() -> ModuleType | None:
    """Return hdf5plugin, or None where it is not installed."""
    return import_module(PLUGIN) if find_spec(PLUGIN) else None


def find_plugin() -> None:
    """Let HDF5 find the filters of hdf5plugin, where it is installed: importing it registers them."""
    plugin()


def packing(filter_: str, itemsize: int) -> dict[str, Any]:
    """Return what h5py's create_dataset takes for a filter: gzip (any HDF5 reads it) or zstd.

    Raises:
        InputError: zstd is asked for where hdf5plugin is not installed.

    """
    if filter_ == "gzip":
        return {"compression": "gzip", "compression_opts": 4, "shuffle": itemsize > 1}
    module = plugin()
    if module is None:
        limit = "needs hdf5plugin"
        fix = "pip install 'forgia_hpc[cold]', or say --filter gzip"
        raise InputError(Problem(field="--filter", got=filter_, limit=limit, fix=fix))
    return dict(module.Bitshuffle(cname="zstd", clevel=3))
