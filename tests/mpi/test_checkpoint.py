"""A checkpoint of several ranks is whole or not there, and all ranks know which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mpi4py import MPI

from forgia_hpc.errors import JobFailedError
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.checkpoint import Checkpoints
from forgia_hpc.runtime.world import World, open_world
from forgia_hpc.runtime.writer import Writer

pytestmark = pytest.mark.mpi


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(Path(MPI.COMM_WORLD.bcast(str(tmp_path), root=0)))


@pytest.fixture
def world(run: RunDir) -> Iterator[World]:
    with open_world(run, mpi=True) as opened:
        yield opened
        opened.barrier()


def own_file(world: World) -> str:
    return f"rank-{world.rank}.bin"


def test_every_rank_adds_its_files_and_reads_its_share(run: RunDir, world: World) -> None:
    def write(writer: Writer) -> None:
        with writer.file(writer.directory / own_file(world)) as opened:
            opened.write(bytes([world.rank]) * 100)

    Checkpoints(run, world, keep=1).save(4, {}, write)
    newest = Checkpoints(run, world, keep=1).newest()
    assert newest is not None
    assert (newest.step, newest.world_size) == (4, world.size)
    files = sorted(path.name for path in newest.directory.glob("rank-*"))
    assert files == sorted(f"rank-{rank}.bin" for rank in range(world.size))


def test_one_rank_with_a_full_disk_fails_all_and_spares_the_older(
    run: RunDir, world: World
) -> None:
    def write(writer: Writer) -> None:
        with writer.file(writer.directory / own_file(world)) as opened:
            opened.write(b"x" * 100)

    def write_where_one_is_full(writer: Writer) -> None:
        write(writer)
        if world.rank == world.size - 1:
            with writer.keeping():
                Path("/dev/full").write_bytes(b"x" * 100)

    checkpoints = Checkpoints(run, world, keep=2)
    checkpoints.save(1, {}, write)
    expected = (
        f"checkpoint 2 .* rank {world.size - 1}: No space left .*; checkpoint 1 is the newest"
    )
    with pytest.raises(JobFailedError, match=expected):
        checkpoints.save(2, {}, write_where_one_is_full)
    newest = checkpoints.newest()
    assert newest is not None
    assert newest.step == 1
    if world.is_root:
        assert [path.name for path in run.checkpoints.iterdir()] == ["1"]
        assert run.events("checkpoint_broken") == []


def test_a_file_that_any_rank_finds_spoilt_is_found_by_all(run: RunDir, world: World) -> None:
    def write(writer: Writer) -> None:
        with writer.file(writer.directory / own_file(world)) as opened:
            opened.write(b"x" * 100)

    checkpoints = Checkpoints(run, world, keep=2)
    checkpoints.save(1, {}, write)
    checkpoints.save(2, {}, write)
    if world.is_root:
        (run.checkpoints / "2" / f"rank-{world.size - 1}.bin").write_bytes(b"y" * 100)
    world.barrier()
    newest = checkpoints.newest()
    assert newest is not None
    assert newest.step == 1
