"""The billing rules: golden figures of the sites' own pages, and what holds for every request."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgia_hpc.config.check import complete
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.accounting import (
    Price,
    Shape,
    allocated,
    asked,
    billed,
    ceiling,
    megabytes,
    parse_tres,
    price,
)
from forgia_hpc.slurm.cluster import cluster_names, load_cluster
from forgia_hpc.slurm.offer import Node, Partition
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.site import Accounting

LEONARDO = load_cluster("leonardo_booster")
PRODUCTION = "boost_usr_prod"


def request(partition: str = PRODUCTION, **asked_for: object) -> Resources:
    return Resources(partition=partition, **asked_for)  # type: ignore[arg-type]


def one_gpu(**others: object) -> Resources:
    found = {"ranks_per_node": 1, "gpus_per_node": 1, "cpus_per_rank": 8, "mem_gb": 120}
    return request(**{**found, "walltime": "01:00:00", **others})


# --- golden figures -------------------------------------------------------------------------------


def test_a_quarter_of_a_leonardo_node_for_an_hour_is_8_core_hours() -> None:
    found = price(one_gpu(), LEONARDO)
    assert found is not None
    assert found.parts == {"core-h": 8, "node-h": 0.25, "GPU-h": 1}


def test_on_leonardo_memory_can_cost_more_than_the_gpu() -> None:
    found = price(one_gpu(mem_gb=240), LEONARDO)
    assert found is not None
    assert found.amount == pytest.approx(32 * 245760 / 494000)  # 15.92, where the GPU costs 8


def test_four_whole_leonardo_nodes_for_a_day_are_3072_core_hours() -> None:
    nodes = {"nodes": 4, "ranks_per_node": 4, "gpus_per_node": 4, "mem_gb": 480}
    found = price(one_gpu(**nodes, walltime="1-00:00:00"), LEONARDO)
    assert found is not None
    assert str(found) == "3072 core-h (96 node-h, 384 GPU-h)"


def test_one_lumi_gcd_with_128_gb_is_billed_as_two() -> None:
    job = request("small-g", ranks_per_node=1, gpus_per_node=1, cpus_per_rank=7, mem_gb=128)
    found = price(replace(job, walltime="1-00:00:00"), load_cluster("lumi_g"))
    assert found is not None
    assert (found.unit, found.amount) == ("GPU-h", 24)
    assert found.parts["node-h"] == 6


def test_half_a_karolina_node_for_an_hour_is_half_a_node_hour() -> None:
    job = request("qgpu", ranks_per_node=4, gpus_per_node=4, cpus_per_rank=16, walltime="01:00:00")
    found = price(job, load_cluster("karolina_gpu"))
    assert found is not None
    assert (found.unit, found.amount, found.gpu_h) == ("node-h", 0.5, 4)


def test_a_rule_of_gpus_alone_does_not_give_a_node_away() -> None:
    job = request("qgpu", ranks_per_node=1, gpus_per_node=0, cpus_per_rank=1, walltime="01:00:00")
    found = price(job, load_cluster("karolina_gpu"))
    assert found is not None
    assert (found.unit, found.amount, found.by) == ("node-h", 1, "assumed")


def test_the_serial_partition_is_free_and_says_so() -> None:
    job = request("lrd_all_serial", ranks_per_node=1, cpus_per_rank=4, mem_gb=30)
    found = price(job, LEONARDO)
    assert found is not None
    assert (found.amount, found.by) == (0, "free")
    assert "free of charge" in str(found)


def test_without_slurm_nothing_is_billed() -> None:
    assert price(Resources(), load_cluster("local")) is None


@pytest.mark.parametrize("name", cluster_names())
def test_every_cluster_prices_a_job_of_one_node(name: str) -> None:
    cluster = load_cluster(name)
    if not cluster.enabled or not cluster.slurm:
        return
    job = Resources(walltime="01:00:00")
    found = price(complete(job, cluster), cluster)
    assert found is not None
    assert 0 < found.amount <= max(found.core_h, found.node_h)
    assert 0 < found.node_h <= 1 + 1e-6
    assert found.by in ("rule", "assumed")


# --- rules ----------------------------------------------------------------------------------------

SITE = Cluster(
    name="site",
    title="A site",
    default_partition="shared",
    partitions=(Partition(name="shared"), Partition(name="whole", exclusive=True)),
    node_types=(Node(cpus=64, gpus=4, mem_mb=512000),),
)


def test_without_a_rule_whole_nodes_are_assumed_and_said() -> None:
    found = price(request("shared", nodes=3, walltime="02:00:00"), SITE)
    assert found is not None
    assert (found.node_h, found.core_h, found.gpu_h, found.by) == (6, 384, 24, "assumed")
    assert "assumed" in str(found)


def test_an_exclusive_partition_bills_the_whole_node() -> None:
    rule = Accounting(formula="max_share", per_unit_hour=64, per_node_hour=64, unit_cpus=64)
    site = replace(SITE, accounting=rule)
    small = request("shared", ranks_per_node=1, cpus_per_rank=16, walltime="01:00:00")
    assert price(small, site).amount == 16  # type: ignore[union-attr]
    assert price(replace(small, partition="whole"), site).amount == 64  # type: ignore[union-attr]


def test_a_site_that_gives_all_memory_bills_it() -> None:
    whole = replace(LEONARDO, scheduler=replace(LEONARDO.scheduler, mem_policy="whole_node"))
    assert price(one_gpu(mem_gb=None), whole).node_h == 1  # type: ignore[union-attr]


def test_points_chains_and_retries_count_in_full() -> None:
    points = [one_gpu(), one_gpu(nodes=2), one_gpu(walltime="00:30:00")]
    assert ceiling(points, LEONARDO).amount == 8 + 16 + 4  # type: ignore[union-attr]
    assert ceiling(points, LEONARDO, retries=1).amount == 56  # type: ignore[union-attr]
    assert ceiling(points, LEONARDO, retries=1, attempts=3).amount == 168  # type: ignore[union-attr]
    assert ceiling([], LEONARDO) is None


# --- what Slurm says ------------------------------------------------------------------------------


def test_an_allocation_is_read_from_its_tres() -> None:
    tres = "billing=31,cpu=16,gres/gpu:a100=2,gres/gpu=2,mem=480G,node=2"
    found = allocated(parse_tres(tres), PRODUCTION)
    assert (found.nodes, found.cpus, found.gpus, found.mem_mb) == (2, 8, 1, 245760)
    price_of = billed(found, LEONARDO, 3600)
    assert price_of is not None
    assert (price_of.amount, price_of.by) == (31, "billing")  # Slurm cut 31.84 to 31


def test_a_billing_figure_that_is_another_thing_is_not_believed() -> None:
    found = billed(allocated(parse_tres("billing=8000,cpu=8,mem=4G,node=1")), LEONARDO, 3600)
    assert found is not None
    assert (found.amount, found.by) == (8, "rule")


@pytest.mark.parametrize(
    ("text", "expected"), [("4G", 4096), ("3144K", 3144 / 1024), ("1.5T", 1572864), ("", 0)]
)
def test_sizes_as_slurm_writes_them(text: str, expected: float) -> None:
    assert megabytes(text) == pytest.approx(expected)


requests = st.builds(
    lambda nodes, ranks, gpus, cpus, mem, minutes: request(
        nodes=nodes,
        ranks_per_node=ranks,
        gpus_per_node=gpus,
        cpus_per_rank=cpus,
        mem_gb=mem,
        walltime=f"{minutes // 60:02d}:{minutes % 60:02d}:00",
    ),
    st.integers(1, 64),
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(1, 8),
    st.integers(1, 482),
    st.integers(1, 1440),
)


@given(requests, st.floats(0, 1))
def test_a_price_is_never_below_what_slurm_bills_for_the_same_allocation(
    job: Resources, share: float
) -> None:
    ceiling_of = price(job, LEONARDO)
    shape = asked(job, LEONARDO)
    weights = (shape.cpus * 1.0, shape.gpus * 8.0, shape.mem_mb / 1024 * 0.06633)
    cut = math.floor(shape.nodes * max(weights))  # PriorityFlags=MAX_TRES, as the dev Slurm bills
    ran_s = share * job.walltime_seconds
    real = billed(replace(shape, billing=cut), LEONARDO, ran_s)
    assert ceiling_of is not None
    assert real is not None
    assert cut * ran_s / 3600 <= ceiling_of.amount + 1e-6
    assert real.amount <= ceiling_of.amount + 1e-6


@given(st.lists(requests, max_size=5))
def test_all_three_units_stay_in_their_proportion(jobs: list[Resources]) -> None:
    total = ceiling(jobs, LEONARDO) or Price(unit="core-h")
    assert total.core_h == pytest.approx(32 * total.node_h)
    assert total.gpu_h == pytest.approx(4 * total.node_h)


def test_a_shape_costs_nothing_in_no_time() -> None:
    assert billed(Shape(nodes=4, cpus=32), LEONARDO, 0).amount == 0  # type: ignore[union-attr]
