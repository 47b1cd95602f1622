"""A member that all ranks write together is the one that a single process writes, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from fakes.simulated import schema
from mpi4py import MPI

from forgia_hpc.data.fields.layout import Schema
from forgia_hpc.simulate.block_files import Row
from forgia_hpc.simulate.block_rows import Rows
from forgia_hpc.simulate.blocks import TIMES, Block, numbers_of, places
from forgia_hpc.simulate.collective import Together, check_parallel
from forgia_hpc.simulate.member import Output

pytestmark = pytest.mark.mpio

WORLD = MPI.COMM_WORLD
STEPS = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    check_parallel()
    return Path(WORLD.bcast(str(tmp_path)))


@pytest.fixture(params=["f32", "f64", "i16"])
def words(request: pytest.FixtureRequest) -> Schema:
    """Scalars, vectors and tensors; one field lies along one axis only, and every rank has it."""
    found = schema(7, 5, storage=request.param)
    one, *rest = (replace(field, mask=False) for field in found.fields)
    return replace(found, fields=(one, *rest[:-1], replace(rest[-1], along=(False, True))))


@pytest.fixture
def together(folder: Path, words: Schema) -> Iterator[Together]:
    with Together(WORLD, folder, words) as opened:
        yield opened
    WORLD.barrier()


def solved(words: Schema, number: int) -> tuple[dict, dict, np.ndarray]:
    """Return whole fields, signals and times of a member: the same on every rank."""
    rng = np.random.default_rng(number)
    fields = {one.name: rng.uniform(-9, 9, one.shape(words.grid, STEPS)) for one in words.fields}
    return fields, {"bath": rng.normal(size=STEPS)}, np.arange(STEPS) * 0.5 + number


def piece(words: Schema, number: int, rank: int, ranks: int) -> Output:
    """Return one rank's part of it: rows of the grid."""
    fields, signals, times = solved(words, number)
    edges = np.linspace(0, words.grid.shape[0], ranks + 1).astype(int)
    cut = slice(int(edges[rank]), int(edges[rank + 1]))
    own = {}
    for one in words.fields:
        kept = cut if not one.along or one.along[0] else slice(None)
        own[one.name] = fields[one.name][:, kept] if one.time_varying else fields[one.name][kept]
    return Output(fields=own, where=(cut, slice(None)), times=times, signals=signals)


def test_the_same_rows_as_one_process_writes(
    folder: Path, words: Schema, together: Together
) -> None:
    lines = []
    for at, number in enumerate((3, 1)):  # the second row stays empty
        row = Row("a", "a.h5", 3, 2 * at) if WORLD.rank == 0 else None
        own = piece(words, number, WORLD.rank, WORLD.size)
        kept = together.put(row, own, passed=True)
        assert kept is not None
        whole, why = numbers_of(words, *solved(words, number))
        assert not why
        if WORLD.rank == 0:
            lines.append((kept.line, whole))
            for name, array in whole.items():  # an audit reads it before the file is closed
                found = kept.numbers[name]
                assert np.array_equal(found, array.astype(found.dtype))
    if WORLD.rank:
        return
    with Block(folder / "alone.h5", words, 3, STEPS) as block, Rows(folder) as rows:
        for line, whole in lines:
            block.put(line["row"], whole)
            for one in places(words, STEPS):
                read = rows.read(line, one.name)  # compared with each rank's checksum
                assert np.array_equal(read, whole[one.name].astype(one.dtype))
    with h5py.File(folder / "a.h5") as file:
        empty = [file[one.name][1] for one in places(words, STEPS)]
    for one in empty:
        assert (one == -(2**15)).all() if one.dtype == "i2" else np.isnan(one).all()
    assert (folder / "a.h5").read_bytes() == (folder / "alone.h5").read_bytes()


def test_what_is_not_sound_is_not_written(folder: Path, words: Schema, together: Together) -> None:
    last = WORLD.rank == WORLD.size - 1
    row = Row("a", "a.h5", 2, 0) if WORLD.rank == 0 else None
    good = piece(words, 0, WORLD.rank, WORLD.size)
    infinite = {name: np.full_like(array, np.inf) for name, array in good.fields.items()}
    short = {name: array[..., :1] for name, array in good.fields.items()}
    for fields in (infinite, short):
        bad = replace(good, fields=fields) if last else good
        assert together.put(row, bad, passed=True) is None
    assert together.put(row, good, passed=not last) is None  # a check failed on one rank
    late = replace(good, times=good.times[:-1]) if last and WORLD.size > 1 else good
    if WORLD.size > 1:
        assert together.put(row, late, passed=True) is None
    assert not (folder / "a.h5").exists()


def test_cells_that_two_ranks_have_or_none_make_no_whole(
    folder: Path, words: Schema, together: Together
) -> None:
    row = Row("a", "a.h5", 2, 0) if WORLD.rank == 0 else None
    both = together.put(row, piece(words, 0, 0, 1), passed=True)  # each has all
    gap = together.put(row, piece(words, 0, WORLD.rank, WORLD.size + 1), passed=True)
    assert (both is None) == (WORLD.size > 1)
    assert gap is None


def test_files_of_the_block_before_are_closed(
    folder: Path, words: Schema, together: Together
) -> None:
    for block in ("a", "b"):
        row = Row(block, f"{block}.h5", 1, 0) if WORLD.rank == 0 else None
        assert together.put(row, piece(words, 1, WORLD.rank, WORLD.size), passed=True)
    if WORLD.rank == 0:
        with h5py.File(folder / "a.h5", "r") as file:
            assert file[TIMES][0].tolist() == [1.0, 1.5, 2.0]
