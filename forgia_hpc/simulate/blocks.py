"""A block of solved members: one HDF5 file whose arrays are made first, empty, and filled row by row.

HDF5 lays the file out and closes it; a member's bytes are then written to their place by pwrite(2). So no kill can
catch HDF5 between data and metadata: the file opens at every moment, and a row is what its checksums say or is not
there. (Datasets made a member at a time, without a flush: a killed writer left 0 of 6 readable, its flags said 6.)
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.data.fields.storage import DTYPES, SENTINEL, encode, fault
from forgia_hpc.data.writing.hdf5_whole import plain_errors
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.simulate.findings import missing

FORMAT = "forgia.block/1"
TIMES = "times"


@dataclass(frozen=True)
class Place:
    """One array of a row: its name in the file, shape, numbers, and what stands there before it is written."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    empty: float


def places(schema: Schema, steps: int) -> list[Place]:
    """Return the arrays of one member with so many steps."""
    found = [
        Place(f"fields/{one.name}", one.shape(schema.grid, steps), DTYPES[one.storage], _empty(one))
        for one in schema.fields
    ]
    found += [
        Place(f"signals/{one.name}", (steps,), np.dtype("<f4"), np.nan) for one in schema.signals
    ]
    return [*found, Place(TIMES, (steps,), np.dtype("<f8"), np.nan)]


def _empty(one: Any) -> float:
    return SENTINEL if one.storage == "i16" else np.nan


def numbers_of(
    schema: Schema, fields: Mapping[str, Array], signals: Mapping[str, Array], times: Array
) -> tuple[dict[str, Array], str]:
    """Return the numbers to store by name, and why they can't be stored (empty where they can)."""
    if why := missing(schema, fields, signals, np.asarray(times)):
        return {}, why
    found: dict[str, Array] = {}
    steps = len(times)
    for one in schema.fields:
        values = np.asarray(fields[one.name])
        if values.shape != one.shape(schema.grid, steps) or values.dtype.kind not in "fiub":
            wanted = one.shape(schema.grid, steps)
            return {}, f"{one.name}: {values.dtype} {values.shape} instead of {wanted}"
        if why := fault(values, one):
            return {}, f"{one.name}: {why}"
        found[f"fields/{one.name}"] = encode(values, one)
    found |= {f"signals/{one.name}": np.asarray(signals[one.name]) for one in schema.signals}
    return {**found, TIMES: np.asarray(times)}, ""


def sum_of(array: Array) -> str:
    """Return the checksum of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()


def is_same(array: Array, told: Any) -> bool:
    """Whether an array is what the journal says: by one checksum, or by [from, to, checksum] of each part."""
    if isinstance(told, str):
        return sum_of(array) == told
    return all(
        sum_of(array[tuple(map(slice, begin, end))]) == checksum for begin, end, checksum in told
    )


class Block:
    """A file of so many rows, open for writing by one process."""

    def __init__(self, path: Path, schema: Schema, rows: int, steps: int) -> None:
        """Make the file, full size, every number empty.

        Raises:
            OSError: no room. Nothing is left.
        """
        self.path = path
        self.steps = steps
        self._places = {one.name: one for one in places(schema, steps)}
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._offsets = lay_out(path, self._places.values(), rows)
            self._file = os.open(path, os.O_WRONLY)
        except OSError:
            path.unlink(missing_ok=True)  # what it took is room for our last words
            raise

    def __enter__(self) -> Block:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        os.close(self._file)

    def put(self, row: int, numbers: Mapping[str, Array]) -> dict[str, str]:
        """Write one member's numbers and return their checksums; no fsync, sealing reads everything again.

        Raises:
            OSError: no room.
        """
        sums = {}
        for name, one in self._places.items():
            array = np.ascontiguousarray(numbers[name], one.dtype).reshape(one.shape)
            data = array.reshape(-1).view(np.uint8)
            begin = self._offsets[name] + row * array.nbytes
            done = 0
            while done < len(data):  # pwrite(2) writes 2 GiB at most
                done += os.pwrite(self._file, data[done:].data, begin + done)
            sums[name] = sum_of(array)
        return sums


def lay_out(path: Path, wanted: Iterable[Place], rows: int) -> dict[str, int]:
    """Make the file of so many rows, full size and empty, and return where each array begins.

    Raises:
        OSError: no room. What it took is left.
    """
    with plain_errors(path), h5py.File(path, "x", libver="earliest") as file:
        file.attrs["format"] = FORMAT
        datasets = {
            one.name: file.create_dataset(
                one.name,
                (rows, *one.shape),
                one.dtype,
                fillvalue=one.empty,
                dcpl=_early(),
            )
            for one in wanted
        }
        return {name: int(one.id.get_offset()) for name, one in datasets.items()}


def _early() -> Any:
    """Return the wish that an array has its room, and its empty numbers, from the beginning."""
    found = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    found.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    found.set_fill_time(h5py.h5d.FILL_TIME_ALLOC)
    return found


def no_room(error: OSError) -> InputError:
    """Return what a person reads when a campaign has filled the disk."""
    place = error.filename if isinstance(error.filename, str) else "the run's output"
    fix = "make room, then forgia resume: what the journal has is kept"
    return InputError(
        Problem(field="disk", got=place, limit=os.strerror(error.errno or 28), fix=fix)
    )
