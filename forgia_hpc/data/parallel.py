"""One array of one HDF5 file, its rows on many ranks: with parallel HDF5 where h5py has it, without elsewhere.

The wheels of h5py have no MPI, and need none for this: a contiguous dataset lies at one offset, so rank 0
makes the file with its room allocated, and every rank writes its rows there with pwrite(2). The bytes are
the same as parallel HDF5's or one process's. A rank that can have a shard of its own should (as `forgia
prepare` deals them): nobody then waits for another, and Lustre gives each file a target of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.runtime.world import World

Rows = NDArray[Any]


def has_mpi() -> bool:
    """Return whether h5py was built with parallel HDF5."""
    return bool(h5py.get_config().mpi)


def write_rows(path: Path, name: str, mine: Rows, world: World) -> None:
    """Write the rows of all ranks, in the order of the ranks, as one contiguous dataset of a new file, flushed.

    All ranks call it together.

    Raises:
        InputError: the ranks' rows differ in type or shape.

    """
    told = world.gather_all([len(mine), mine.dtype.str, list(mine.shape[1:])])
    kinds = [one[1:] for one in told]
    if any(kind != kinds[0] for kind in kinds):
        limit = "every rank's rows must be of one type and shape"
        raise InputError(Problem(field=f"{path} {name}", got=kinds, limit=limit))
    counts = [int(one[0]) for one in told]
    if not sum(counts):
        raise InputError(Problem(field=f"{path} {name}", got=counts, limit="no rank has a row"))
    first = sum(counts[: world.rank])
    shape = (sum(counts), *mine.shape[1:])
    communicator = world.communicator() if has_mpi() else None
    if communicator is not None:
        _write_together(path, name, mine, (first, shape), communicator)
    else:
        _write_apart(path, name, mine, (first, shape), world)
    world.barrier()


def read_rows(path: Path, name: str, world: World) -> Rows:
    """Return this rank's share of the rows of a sealed file: equal parts, the first ones a row longer."""
    with h5py.File(path, "r", locking=False) as file:
        dataset = file[name]
        share, rest = divmod(len(dataset), world.size)
        first = world.rank * share + min(world.rank, rest)
        found: Rows = dataset[first : first + share + (world.rank < rest)]
    return found


def _create(file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Make a contiguous dataset whose room is there at once, unwritten; return the byte where it begins."""
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    made.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    made.set_obj_track_times(False)
    space, kind = h5py.h5s.create_simple(shape), h5py.h5t.py_create(dtype, logical=True)
    dataset = h5py.h5d.create(file.id, name.encode(), kind, space, made)
    return int(dataset.get_offset())


def _write_together(
    path: Path, name: str, mine: Rows, place: tuple[int, tuple[int, ...]], communicator: Any
) -> None:
    """Write through parallel HDF5: file and dataset are made by all ranks, rows by all in one collective call."""
    first, shape = place
    libver = ("earliest", "v110")
    with h5py.File(path, "x", driver="mpio", comm=communicator, libver=libver) as file:
        _create(file, name, shape, mine.dtype)
        with file[name].collective:
            file[name][first : first + len(mine)] = mine
        file.flush()


def _write_apart(
    path: Path, name: str, mine: Rows, place: tuple[int, tuple[int, ...]], world: World
) -> None:
    """Write without it: rank 0 makes the file, every rank writes at the dataset's offset."""
    first, shape = place
    begin = 0
    if world.is_root:
        with h5py.File(path, "x", libver=("earliest", "v110")) as file:
            begin = _create(file, name, shape, mine.dtype)
    begin = int(world.broadcast(begin))
    row = int(np.prod(shape[1:], dtype=np.int64)) * mine.dtype.itemsize
    data = np.ascontiguousarray(mine).reshape(-1).view(np.uint8).data
    opened = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        done = 0
        while done < len(data):  # one call writes at most 2 GiB (pwrite(2))
            done += os.pwrite(opened, data[done:], begin + first * row + done)
        os.fsync(opened)
    finally:
        os.close(opened)
