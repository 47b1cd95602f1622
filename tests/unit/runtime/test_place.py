from __future__ import annotations

import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.runtime.place import find_place

SLURM = {
    "SLURM_PROCID": "5",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_LOCALID": "1",
    "SLURMD_NODENAME": "n2",
    "SLURM_JOB_ID": "17",
}


def test_a_slurm_step_gives_rank_and_node() -> None:
    place = find_place(SLURM)
    assert (place.rank, place.size, place.local_rank, place.local_size) == (5, 8, 1, 4)
    assert (place.node, place.launcher) == ("n2", "slurm")


def test_a_process_of_the_batch_step_is_not_taken_for_rank_0_of_the_allocation() -> None:
    batch = {"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_LOCALID": "0"}
    assert find_place(batch).size == 1
    child = {**batch, "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    assert (find_place(child).rank, find_place(child).launcher) == (1, "local")


def test_mpirun_wins_over_the_slurm_step_of_its_daemon() -> None:
    environ = {
        **SLURM,
        "OMPI_COMM_WORLD_RANK": "2",
        "OMPI_COMM_WORLD_SIZE": "4",
        "OMPI_COMM_WORLD_LOCAL_RANK": "0",
        "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    }
    place = find_place(environ)
    assert (place.rank, place.size, place.local_size, place.launcher) == (2, 4, 2, "openmpi")


def test_without_a_launcher_there_is_one_rank() -> None:
    place = find_place({})
    assert (place.rank, place.size, place.launcher) == (0, 1, "none")
    assert place.node


def test_every_start_has_its_own_launch() -> None:
    first, again = find_place(SLURM), find_place({**SLURM, "SLURM_RESTART_COUNT": "1"})
    assert first.launch != again.launch
    assert first.launch == find_place({**SLURM, "SLURM_PROCID": "0"}).launch


@pytest.mark.parametrize(("rank", "size"), [("2", "2"), ("-1", "2"), ("x", "2"), ("0", "many")])
def test_numbers_that_cannot_be_are_refused(rank: str, size: str) -> None:
    with pytest.raises(InputError, match=r"RANK|WORLD_SIZE"):
        find_place({"RANK": rank, "WORLD_SIZE": size})
