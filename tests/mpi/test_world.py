"""The same file passes alone and under `mpiexec -n 1`, 2 and 3: every rank runs every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.world import World, open_world

pytestmark = pytest.mark.mpi


@pytest.fixture(params=["mpi", "torch"], scope="module")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    own = str(tmp_path_factory.mktemp("run"))
    run = RunDir(Path(MPI.COMM_WORLD.bcast(own, root=0)))
    before = dict(os.environ)
    with open_world(run, mpi=request.param == "mpi") as opened:
        yield opened
    os.environ.clear()
    os.environ.update(before)


def test_the_launcher_and_mpi_see_the_same_ranks(world: World) -> None:
    assert (world.rank, world.size) == (MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size)
    assert world.is_root == (MPI.COMM_WORLD.rank == 0)
    assert world.gather_all(world.rank) == list(range(world.size))


def test_a_flag_of_one_rank_is_seen_by_all(world: World) -> None:
    for rank in range(world.size):
        assert world.any(world.rank == rank)
        assert world.all(world.rank == rank) == (world.size == 1)
    assert not world.any(False)
    assert world.all(True)


def test_sums_keep_their_shape(world: World) -> None:
    total = world.sum(np.full((2, 3), world.rank + 1.0))
    assert total.shape == (2, 3)
    assert (total == sum(range(1, world.size + 1))).all()
    assert float(world.sum(0.5)) == world.size / 2


def test_json_travels_whole(world: World) -> None:
    said = {"rank": world.rank, "text": "àé" * (world.rank + 1), "none": None}
    assert world.broadcast(said) == {"rank": 0, "text": "àé", "none": None}
    gathered = world.gather(said)
    if world.is_root:
        assert gathered is not None
        assert [entry["text"] for entry in gathered] == ["àé" * (n + 1) for n in range(world.size)]
    else:
        assert gathered is None
    assert world.broadcast("") == ""


def test_a_barrier_holds_everyone(world: World, tmp_path: Path) -> None:
    place = Path(world.broadcast(str(tmp_path)))
    (place / str(world.rank)).touch()
    world.barrier()
    assert len(list(place.iterdir())) == world.size
    world.barrier()
