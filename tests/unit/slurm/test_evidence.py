"""Every value of a shipped profile is dated and sourced, and every gap is owned up to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forgia_hpc.slurm.age import age_line, limits_age_days
from forgia_hpc.slurm.cluster import cluster_names, load_cluster
from forgia_hpc.slurm.evidence import (
    covers,
    leaves,
    silent_gaps,
    source_of,
    stale_unknowns,
    unsourced,
)
from forgia_hpc.slurm.offer import Partition, Qos
from forgia_hpc.slurm.profile import Cluster, Evidence, Scheduler
from forgia_hpc.slurm.site import Network


@pytest.mark.parametrize("name", cluster_names())
def test_every_value_of_a_shipped_profile_has_a_source_and_a_date(name: str) -> None:
    assert unsourced(load_cluster(name)) == []


@pytest.mark.parametrize("name", cluster_names())
def test_every_gap_of_a_shipped_profile_says_what_is_assumed(name: str) -> None:
    profile = load_cluster(name)
    assert silent_gaps(profile) == []
    assert stale_unknowns(profile) == []


def without_evidence(name: str, field: str) -> Cluster:
    profile = load_cluster(name)
    kept = tuple(
        replace(one, fields=tuple(each for each in one.fields if each != field))
        for one in profile.evidence
    )
    return replace(profile, evidence=kept)


def test_a_value_without_a_source_is_found() -> None:
    """The test above can fail: one entry taken away is told by its values."""
    broken = without_evidence("leonardo_booster", "partitions.boost_usr_prod")
    assert "partitions.boost_usr_prod.max_nodes" in unsourced(broken)
    assert "partitions.boost_usr_prod.max_time" in unsourced(broken)


def test_a_qos_without_source_or_date_is_found() -> None:
    profile = load_cluster("leonardo_booster")
    bare = tuple(
        replace(one, as_of="") if one.name == "boost_qos_dbg" else one for one in profile.qos
    )
    assert "qos.boost_qos_dbg.max_time" in unsourced(replace(profile, qos=bare))


def test_a_default_that_counts_as_a_fact_is_sourced_too() -> None:
    bare = Cluster(name="x", title="x", scheduler=Scheduler())
    assert set(unsourced(bare)) >= {
        "arch",
        "accelerator",
        "scheduler.mem_policy",
        "scheduler.account_required",
    }


def test_a_gap_that_nobody_owns_up_to_is_found() -> None:
    profile = load_cluster("leonardo_booster")
    kept = {path: said for path, said in profile.unknown.items() if path != "scheduler.version"}
    assert silent_gaps(replace(profile, unknown=kept)) == ["scheduler.version"]


def test_a_gap_that_was_filled_is_stale() -> None:
    profile = load_cluster("leonardo_booster")
    told = Evidence(fields=("scheduler.version",), source="sinfo --version", as_of="2026-11-22")
    filled = replace(
        profile,
        scheduler=replace(profile.scheduler, version="24.05"),
        evidence=(*profile.evidence, told),
    )
    assert stale_unknowns(filled) == ["scheduler.version"]
    assert stale_unknowns(replace(profile, unknown={"scheduler.verzion": "x"})) == [
        "scheduler.verzion"
    ]


def test_the_most_exact_source_counts() -> None:
    booster = load_cluster("leonardo_booster")
    node = source_of(booster, "node_types.booster.cpus")
    memory = source_of(booster, "node_types.booster.mem_mb")
    assert node is not None
    assert memory is not None
    assert "User Guide" in node.source
    assert "514000" in memory.source


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("partitions", "partitions.a.max_time", True),
        ("partitions.*.max_time", "partitions.a.max_time", True),
        ("partitions.*.max_time", "partitions.a.max_nodes", False),
        ("partitions.a.max_time", "partitions.a", False),
        ("part", "partitions", False),
    ],
)
def test_a_path_covers_all_below_it(pattern: str, path: str, expected: bool) -> None:
    assert covers(pattern, path) is expected


def test_entries_go_by_their_names() -> None:
    profile = Cluster(
        name="x",
        title="x",
        partitions=(Partition(name=""), Partition(name="gpu")),
        qos=(Qos(name="q"),),
    )
    paths = leaves(profile)
    assert {"partitions.unnamed.max_time", "partitions.gpu.max_time", "qos.q.max_nodes"} <= set(
        paths
    )


def test_what_is_not_established_stays_null() -> None:
    assert load_cluster("karolina_gpu").network == Network()
    assert load_cluster("alps").node_types[0].mem_mb is None
    assert load_cluster("leonardo_booster").scheduler.version is None


def test_old_limits_say_so_and_a_reading_makes_them_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forgia_hpc.slurm.age.today", lambda: "2026-12-15")
    profile = load_cluster("leonardo_booster")
    assert limits_age_days(profile) == 105
    assert age_line(profile) == "limits are 105 days old; forgia cluster refresh leonardo_booster"
    assert age_line(replace(profile, limits_as_of="2026-12-01")) is None
    assert age_line(load_cluster("local")) is None
