"""Partition and QOS chosen for a request that leaves them open."""

from __future__ import annotations

from typing import Any

import pytest

from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.choice import choose
from forgia_hpc.slurm.cluster import load_cluster


def chosen(cluster: str, **words: Any) -> tuple[str | None, str | None, str]:
    resources, said = choose(Resources(**{"walltime": "01:00:00", **words}), load_cluster(cluster))
    return resources.partition, resources.qos, said


@pytest.mark.parametrize(
    ("words", "qos", "said"),
    [
        ({}, None, ""),
        ({"nodes": 64, "walltime": "1-00:00:00"}, None, ""),
        (
            {"nodes": 80},
            "boost_qos_bprod",
            "resources.qos=boost_qos_bprod chosen: 80 nodes need it",
        ),
        (
            {"walltime": "2-00:00:00"},
            "boost_qos_lprod",
            "resources.qos=boost_qos_lprod chosen: 2-00:00:00 needs it",
        ),
        ({"nodes": 80, "walltime": "2-00:00:00"}, None, ""),  # nothing takes it: the checks say why
        ({"nodes": 80, "qos": "normal"}, "normal", ""),
        ({"walltime": "00:10:00"}, None, ""),  # the debug QOS is asked for, never chosen
    ],
)
def test_on_leonardo_the_least_special_qos_that_fits(
    words: dict[str, Any], qos: str | None, said: str
) -> None:
    assert chosen("leonardo_booster", **words) == ("boost_usr_prod", qos, said)


def test_a_wider_partition_is_chosen_where_the_default_is_too_narrow() -> None:
    partition, _, said = chosen("karolina_gpu", nodes=17)
    assert partition == "qgpu_big"
    assert "17 nodes" in said


def test_where_a_qos_is_needed_one_is_chosen() -> None:
    _, qos, said = chosen("meluxina_gpu")
    assert qos == "default"
    assert said == "resources.qos=default chosen: a QOS is required here"


def test_the_free_serial_partition_is_never_chosen_for_a_job_on_gpus() -> None:
    assert chosen("leonardo_booster", nodes=1, walltime="00:05:00")[0] == "boost_usr_prod"


def test_without_slurm_nothing_is_chosen() -> None:
    assert chosen("local", nodes=3) == (None, None, "")
