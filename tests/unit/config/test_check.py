from __future__ import annotations

from typing import Any

import pytest

from forgia_hpc.config.check import check, check_batch, complete
from forgia_hpc.config.compose import compose_job
from forgia_hpc.schema.job import Job, Kind
from forgia_hpc.slurm.accounting import price
from forgia_hpc.slurm.cluster import load_cluster


def job_on(cluster: str, *overrides: str, kind: Kind = Kind.train) -> tuple[Job, Any]:
    profile = load_cluster(cluster)
    account = [] if any("account" in text for text in overrides) else ["resources.account=a"]
    job = compose_job(kind, [f"cluster={cluster}", *account, *overrides])
    job.resources = complete(job.resources, profile)
    return job, profile


def fields(cluster: str, *overrides: str, kind: Kind = Kind.train) -> list[str]:
    return [problem.field for problem in check(*job_on(cluster, *overrides, kind=kind))]


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        (["resources.account=null"], "resources.account"),
        (["resources.nodes=257"], "resources.nodes"),
        (["resources.nodes=65", "resources.qos=normal"], "resources.nodes"),
        (["resources.walltime=4-00:00:01"], "resources.walltime"),
        (["resources.walltime=24:00:01", "resources.qos=normal"], "resources.walltime"),
        (["resources.walltime=24:00:01", "resources.nodes=9"], "resources.walltime"),
        (["resources.qos=boost_qos_dbg", "resources.walltime=00:30:01"], "resources.walltime"),
        (["resources.qos=boost_qos_dbg", "resources.nodes=9"], "resources.nodes"),
        (["resources.qos=boost_usr_prod"], "resources.qos"),
        (["resources.partition=booster"], "resources.partition"),
        (["resources.mem_gb=483"], "resources.mem_gb"),
        (["resources.cpus_per_rank=9"], "resources.cpus_per_rank"),
        (["resources.gpus_per_node=5", "resources.ranks_per_node=5"], "resources.gpus_per_node"),
        (["resources.ranks_per_node=2", "resources.gpus_per_node=4"], "resources.ranks_per_node"),
        (["launch=processes", "resources.nodes=2"], "launch"),
    ],
)
def test_each_limit_of_leonardo_refuses_by_name(overrides: list[str], field: str) -> None:
    assert field in fields("leonardo_booster", *overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["resources.nodes=64", "resources.walltime=24:00:00"],
        ["resources.mem_gb=482"],
        ["resources.qos=boost_qos_lprod", "resources.walltime=4-00:00:00", "resources.nodes=8"],
        ["resources.qos=boost_qos_bprod", "resources.nodes=256"],
        ["resources.qos=boost_qos_bprod", "resources.nodes=1"],  # the minimum is doubtful
        ["resources.ranks_per_node=1"],
    ],
)
def test_what_leonardo_allows_passes(overrides: list[str]) -> None:
    assert fields("leonardo_booster", *overrides) == []


def test_the_serial_partition_has_no_gpus_and_little_memory() -> None:
    job, cluster = job_on(
        "leonardo_booster", "resources.partition=lrd_all_serial", kind=Kind.command
    )
    assert check(job, cluster) == []
    asked = job.resources
    assert (asked.gpus_per_node, asked.cpus_per_rank, asked.mem_gb) == (0, 4, 30)
    wrong = ["resources.gpus_per_node=1", "resources.mem_gb=31", "resources.cpus_per_rank=5"]
    found = fields(
        "leonardo_booster", "resources.partition=lrd_all_serial", *wrong, kind=Kind.command
    )
    assert sorted(found) == [
        "resources.cpus_per_rank",
        "resources.gpus_per_node",
        "resources.mem_gb",
    ]


def test_a_wrong_partition_hides_no_other_problem() -> None:
    wrong = ["resources.partition=nope", "resources.nodes=99", "resources.qos=nope"]
    assert set(fields("leonardo_booster", *wrong)) == {
        "resources.partition",
        "resources.nodes",
        "resources.qos",
    }


def test_a_fix_names_the_qos_that_would_do() -> None:
    problems = check(*job_on("leonardo_booster", "resources.nodes=80", "resources.qos=normal"))
    assert problems[0].fix == "ask for 64 or fewer, or resources.qos=boost_qos_bprod"


def test_this_machine_has_one_node_and_no_srun() -> None:
    assert fields("local", "resources.nodes=2") == ["resources.nodes"] * 0 + [
        "launch",
        "resources.nodes",
    ]
    assert fields("local", "launch=srun") == ["launch"]
    assert fields("local", "resources.ranks_per_node=500000") == ["resources.ranks_per_node"]


@pytest.mark.parametrize("word", ["resources.ranks_per_node=1", "resources.gpus_per_node=1"])
def test_one_gpu_gets_its_share_of_the_node(word: str) -> None:
    job, _ = job_on("leonardo_booster", word)
    asked = job.resources
    assert (asked.ranks_per_node, asked.gpus_per_node) == (1, 1)
    assert (asked.cpus_per_rank, asked.mem_gb) == (8, 120)


@pytest.mark.parametrize(
    ("overrides", "core_h"),
    [
        (["resources.ranks_per_node=1", "resources.walltime=01:00:00"], 8.0),
        (
            ["resources.ranks_per_node=1", "resources.walltime=01:00:00", "resources.mem_gb=240"],
            15.92,
        ),
        (["resources.nodes=4", "resources.walltime=24:00:00"], 3072.0),
    ],
)
def test_golden_prices_of_leonardo(overrides: list[str], core_h: float) -> None:
    job, cluster = job_on("leonardo_booster", *overrides)
    priced = price(job.resources, cluster)
    assert priced is not None
    found = priced.parts
    assert found["core-h"] == core_h
    assert found["node-h"] == pytest.approx(core_h / 32, abs=0.01)
    assert found["GPU-h"] == pytest.approx(core_h / 8, abs=0.01)


def test_the_free_partition_costs_nothing() -> None:
    job, cluster = job_on(
        "leonardo_booster", "resources.partition=lrd_all_serial", "resources.ranks_per_node=1",
        "resources.gpus_per_node=0", kind=Kind.command,
    )  # fmt: skip
    priced = price(job.resources, cluster)
    assert priced is not None
    assert (priced.amount, priced.by) == (0, "free")


def test_the_global_batch_must_divide_over_the_ranks() -> None:
    job, _ = job_on("leonardo_booster", "resources.nodes=3")
    assert [problem.fix for problem in check_batch(job)] == ["train.global_batch=36"]
    job, _ = job_on("leonardo_booster", "train.micro_batch=3")
    assert [problem.field for problem in check_batch(job)] == ["train.micro_batch"]
