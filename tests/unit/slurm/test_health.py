"""Nodes that a profile keeps jobs off: in the request until their day has passed, and told with their source."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from forgia_hpc.config.check import complete
from forgia_hpc.schema.job import Launch
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.asked import asked_of
from forgia_hpc.slurm.cluster import load_cluster
from forgia_hpc.slurm.health import excluded_lines, excluded_nodes
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.request import directives
from forgia_hpc.slurm.site import BadNode, Health

DAY = datetime.date(2026, 11, 22)


def cluster(*until: str, **extra: str | int | bool) -> Cluster:
    found = load_cluster("leonardo_booster")
    bad = tuple(
        BadNode(name=f"lrdn{n}", reason="slow HCA", until=day) for n, day in enumerate(until)
    )
    scheduler = replace(found.scheduler, extra={**found.scheduler.extra, **extra})
    return replace(found, health=Health(exclude=bad), scheduler=scheduler)


@pytest.mark.parametrize(
    ("until", "kept"),
    [
        ("2026-11-22", True),
        ("2026-11-21", False),
        ("2026-11", True),
        ("2026-10", False),
        ("2026", True),
    ],
)
def test_a_node_is_kept_off_until_its_day_has_passed(until: str, kept: bool) -> None:
    assert (excluded_nodes(cluster(until), DAY) == "lrdn0") is kept


def test_the_request_names_them_beside_the_sites_own() -> None:
    found = cluster("2999", "2999-12", exclude="lrdn[100-102]")
    resources = complete(Resources(account="AIFAC_L01", walltime="00:10:00"), found)
    asked = directives(resources, found, name="x", run=Path("/runs/x"), launch=Launch.srun)
    assert asked["exclude"] == "lrdn[100-102],lrdn0,lrdn1"
    assert asked_of(resources, found, Launch.srun).excluded == asked["exclude"]
    assert "exclude" not in directives(
        resources, cluster("2020"), name="x", run=Path("/runs/x"), launch=Launch.srun
    )


def test_each_is_told_with_reason_and_source() -> None:
    assert excluded_lines(cluster("2999")) == [
        "keeps off lrdn0: slow HCA, until 2999 (health.exclude of slurm/clusters/leonardo_booster.yaml)"
    ]
