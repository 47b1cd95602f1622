"""Seconds from solved cells to a block's file, by both writers: gathered on the first rank, and written by all.

    mpirun -n 2 .venv-parallel/bin/python benchmarks/simulation/writers.py [DIR]

Each member has 18 steps of one float32 field, its first axis halved among two ranks. Its time goes from barrier to
barrier. With `gather` that is mpi4py's gather, the putting together, SHA-256 and pwrite(2); with `mpio` SHA-256 of
each part, MPI-IO's collective write, and a flush, which is fsync(2); `no flush` is the same without it.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from mpi4py import MPI

from forgia_hpc.data.fields.layout import Axis, Field, Grid, Schema
from forgia_hpc.simulate.block_files import Row
from forgia_hpc.simulate.blocks import Block, numbers_of
from forgia_hpc.simulate.collective import Together
from forgia_hpc.simulate.gather import gathered
from forgia_hpc.simulate.member import Output

WORLD = MPI.COMM_WORLD
STEPS = 18
SIZES = {16: 64, 32: 32, 64: 12, 96: 6, 128: 4}  # points along an axis, members
TURNS = 3  # of all ways in turn; the quickest counts


def schema(size: int) -> Schema:
    """Return a cube of one field."""
    axes = tuple(Axis(name=name, coordinates=np.linspace(0, 1, size)) for name in "zyx")
    return Schema(grid=Grid(axes=axes), fields=(Field(name="temperature", ucum="K"),))


def piece(size: int) -> Output:
    """Return this rank's slab of it."""
    cut = slice(size * WORLD.rank // WORLD.size, size * (WORLD.rank + 1) // WORLD.size)
    shape = (STEPS, cut.stop - cut.start, size, size)
    values = np.random.default_rng(WORLD.rank).uniform(300, 1200, shape).astype(np.float32)
    where = (cut, slice(None), slice(None))
    return Output(fields={"temperature": values}, where=where, times=np.arange(STEPS) * 1.0)


def seconds(members: int, write: Callable[[int], object]) -> float:
    """Return the mean time of a member; the first one, which makes the file, does not count."""
    write(0)
    WORLD.barrier()
    began = time.perf_counter()
    for number in range(1, members):
        write(number)
        WORLD.barrier()
    return (time.perf_counter() - began) / (members - 1)


def by_gather(folder: Path, size: int, members: int) -> float:
    """Return the seconds of a member that the first rank writes."""
    words, own = schema(size), piece(size)
    block = Block(folder / "gather.h5", words, members, STEPS) if WORLD.rank == 0 else None

    def write(row: int) -> None:
        fields = gathered(words, own, WORLD)
        if block:
            numbers, _ = numbers_of(words, fields, {}, own.times)
            block.put(row, numbers)

    return seconds(members, write)


def by_mpio(folder: Path, size: int, members: int, *, flush: bool = True) -> float:
    """Return the seconds of a member that all ranks write."""
    words, own = schema(size), piece(size)
    with Together(WORLD, folder, words) as together:
        if not flush:
            h5py.File.flush = lambda _: None  # type: ignore[method-assign]

        def write(row: int) -> None:
            place = Row("a", "mpio.h5", members, row) if WORLD.rank == 0 else None
            assert together.put(place, own, passed=True)

        return seconds(members, write)


def measured(way: str, root: Path, size: int) -> float:
    """Return the seconds of a member in one way, in a folder that is gone afterwards."""
    folder = Path(WORLD.bcast(tempfile.mkdtemp(dir=root) if WORLD.rank == 0 else ""))
    flush = h5py.File.flush
    try:
        if way == "gather":
            return by_gather(folder, size, SIZES[size])
        return by_mpio(folder, size, SIZES[size], flush=way == "mpio")
    finally:
        h5py.File.flush = flush  # type: ignore[method-assign]
        WORLD.barrier()
        if WORLD.rank == 0:
            shutil.rmtree(folder)


def main() -> None:
    """Write a line of JSON for each size: the quickest turn of each way."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir())
    for size in SIZES:
        mb = STEPS * size**3 * 4 / 1e6
        best: dict[str, float] = {}
        for _ in range(TURNS):
            for way in ("gather", "mpio", "mpio, no flush"):
                best[way] = min(best.get(way, 1e9), measured(way, root, size))
        if WORLD.rank == 0:
            ms = {way: round(one * 1e3, 2) for way, one in best.items()}
            rate = {way: round(mb / one) for way, one in best.items()}
            told = {"grid": size, "MB": round(mb, 2), "ms": ms, "MB/s": rate}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
