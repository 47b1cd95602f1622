"""One array written by any number of ranks is the same file, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from forgia_hpc.data.parallel import has_mpi, read_rows, write_rows
from forgia_hpc.errors import InputError
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.world import Place, Wire, World, open_world

pytestmark = [pytest.mark.mpi, pytest.mark.mpio]


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(Path(MPI.COMM_WORLD.bcast(str(tmp_path), root=0)))


@pytest.fixture
def world(run: RunDir) -> Iterator[World]:
    with open_world(run, mpi=True) as opened:
        yield opened
        opened.barrier()


def test_which_hdf5_this_environment_has(request: pytest.FixtureRequest) -> None:
    """The tier of parallel HDF5 must not pass on an h5py without it, nor the other on one with it."""
    assert has_mpi() == ("mpio" in request.config.getoption("markexpr"))


@pytest.mark.parametrize("dtype", ["<f4", "<i2", "<f8"])
def test_the_same_bytes_whatever_the_number_of_ranks(run: RunDir, world: World, dtype: str) -> None:
    whole = np.arange(1001 * 6).reshape(1001, 3, 2).astype(dtype)
    parts = np.array_split(whole, world.size)
    path = run.path / "shared.h5"
    write_rows(path, "state", parts[world.rank], world)
    with h5py.File(path, "r", locking=False) as file:
        assert file["state"].chunks is None
        np.testing.assert_array_equal(file["state"][:], whole)
    np.testing.assert_array_equal(read_rows(path, "state", world), parts[world.rank])
    alone = World(Place(rank=0, size=1), _no_wire)
    by_one = run.path / f"by-one-{world.rank}.h5"
    write_rows(by_one, "state", whole, alone)
    assert path.read_bytes() == by_one.read_bytes()


def test_a_rank_without_rows_takes_part(run: RunDir, world: World) -> None:
    mine = np.full((5 if world.is_root else 0, 4), 7, "<i4")
    path = run.path / "lopsided.h5"
    write_rows(path, "state", mine, world)
    with h5py.File(path, "r", locking=False) as file:
        assert file["state"].shape == (5, 4)
        assert (file["state"][:] == 7).all()


def test_rows_of_two_kinds_are_refused_on_all_ranks(run: RunDir, world: World) -> None:
    path = run.path / "mixed.h5"
    if world.size == 1:  # one rank agrees with itself
        write_rows(path, "state", np.zeros((2, 3)), world)
        return
    with pytest.raises(InputError, match="one type and shape"):
        write_rows(path, "state", np.zeros((2, 3 + world.rank)), world)
    assert not path.exists()


def test_no_rows_at_all_are_refused(run: RunDir, world: World) -> None:
    with pytest.raises(InputError, match="no rank has a row"):
        write_rows(run.path / "empty.h5", "state", np.zeros((0, 3)), world)


def _no_wire() -> Wire:
    raise AssertionError("a world of one has nobody to talk to")
