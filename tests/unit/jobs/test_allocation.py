from __future__ import annotations

import dataclasses

import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.jobs.allocation import (
    allocation_of,
    check_allocation,
    cpus_of,
    inherited,
    shape_of,
)
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.cluster import load_cluster

TWO = Resources(nodes=2, ranks_per_node=2, cpus_per_rank=1)


@pytest.mark.parametrize(
    ("text", "wanted"), [("32(x2),8", [32, 32, 8]), ("3,1", [3, 1]), ("4", [4]), ("", [])]
)
def test_slurms_words_for_cpus_are_read(text: str, wanted: list[int]) -> None:
    assert cpus_of(text) == wanted


@pytest.mark.parametrize(
    ("cpus", "said"),
    [
        ("2(x2)", None),
        ("2(x2),1", None),
        ("2", "this allocation has 1"),
        ("", "this allocation has 0"),
        ("3,1", "2 CPUs a node are needed, and this allocation has 3, 1"),  # salloc -N2 -n4
    ],
)
def test_what_is_too_large_for_the_allocation_is_refused(cpus: str, said: str | None) -> None:
    found = check_allocation(TWO, {"SLURM_JOB_CPUS_PER_NODE": cpus})
    assert [one.limit for one in found] == ([said] if said else [])


def test_the_ranks_hear_of_the_allocation_and_not_of_the_shells_binding() -> None:
    shell = {"SLURM_JOB_ID": "7", "SLURM_CPU_BIND": "mask_cpu:0xf", "SLURM_NNODES": "2", "A": "1"}
    assert inherited(shell) == {
        "SLURM_JOB_ID": "7",
        "SLURM_NNODES": "2",
        "FORGIA_ALLOCATION": "7",
    }
    with pytest.raises(InputError, match="this shell is in none"):
        inherited({})


def test_the_shape_of_an_allocation_whose_shell_knows_its_gpus() -> None:
    shell = {"SLURM_JOB_CPUS_PER_NODE": "32(x2)", "SLURM_GPUS_ON_NODE": "4", "SLURM_JOB_QOS": "dbg"}
    shape = {"nodes": 2, "ranks_per_node": 4, "cpus_per_rank": 8, "qos": "dbg", "gpus_per_node": 4}
    assert shape_of(shell, load_cluster("dev")) == shape
    tasks = {**shell, "SLURM_NTASKS_PER_NODE": "2"}
    assert shape_of(tasks, load_cluster("dev")) == {
        **shape,
        "ranks_per_node": 2,
        "cpus_per_rank": 16,
    }


def test_only_a_cluster_with_slurm_has_allocations() -> None:
    dev = load_cluster("dev")
    assert allocation_of({"SLURM_JOB_ID": "7"}, dev) == "7"
    assert allocation_of({}, dev) is None
    assert allocation_of({"SLURM_JOB_ID": "7"}, dataclasses.replace(dev, slurm=False)) is None
