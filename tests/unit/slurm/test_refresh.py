"""From Slurm's limits to the reading that stands above a shipped profile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.slurm.cluster import load_cluster, with_readings
from forgia_hpc.slurm.evidence import source_of, unsourced
from forgia_hpc.slurm.limits import Association, Limits, NodeState, PartitionLimits, QosLimits
from forgia_hpc.slurm.limits_read import limits_of
from forgia_hpc.slurm.limits_text import (
    parse_associations,
    parse_config,
    parse_nodes,
    parse_partitions,
    parse_qos,
)
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.refresh import changes, reading, walltime, write_reading

RECORDED = Path(__file__).parent / "recorded"


def recorded() -> Limits:
    text = {path.stem: path.read_text() for path in RECORDED.glob("*.txt")}
    return limits_of(
        parse_config(text["scontrol_show_config"]),
        parse_partitions(text["scontrol_show_partition"]),
        parse_qos(text["sacctmgr_show_qos"]),
        parse_associations(text["sacctmgr_show_assoc"]),
        nodes=parse_nodes(text["sinfo"]),
    )


def refreshed(name: str, limits: Limits) -> Cluster:
    shipped = load_cluster(name, shipped=True)
    return with_readings(name, reading(shipped, limits, host="login01", today="2026-11-22"), {})


def with_partition(limits: Limits, **values: object) -> Limits:
    changed = replace(limits.partitions["boost_usr_prod"], **values)  # type: ignore[arg-type]
    return replace(limits, partitions={**limits.partitions, "boost_usr_prod": changed})


def test_the_limits_of_slurm_overwrite_the_shipped_ones() -> None:
    found = refreshed(
        "dev", with_partition(recorded(), max_time_s=43200, max_nodes=12, min_nodes=2)
    )
    partition = found.partition("boost_usr_prod")
    assert partition is not None
    assert (partition.max_time, partition.max_nodes, partition.min_nodes) == ("12:00:00", 12, 2)
    assert found.scheduler.version == "22.05.8"
    assert found.scheduler.enforce_part_limits == "NO"
    assert found.limits_as_of == "2026-11-22"


def test_a_qos_is_read_with_its_limits_a_user() -> None:
    found = refreshed("dev", recorded()).qos_named("boost_qos_lprod")
    assert found is not None
    assert (found.max_nodes, found.max_nodes_per_user, found.max_gpus_per_user) == (None, 8, 32)
    assert found.exceeds_partition
    assert found.max_time == "4-00:00:00"


def test_what_we_chose_stays() -> None:
    found = refreshed("dev", recorded())
    debug = found.qos_named("boost_qos_dbg")
    assert debug is not None
    assert debug.debug
    assert found.default_partition == "boost_usr_prod"
    assert found.node_types == load_cluster("dev", shipped=True).node_types


def test_every_value_that_was_read_is_sourced_with_the_day() -> None:
    found = refreshed("dev", recorded())
    assert unsourced(found) == []
    told = source_of(found, "partitions.boost_usr_prod.max_time")
    assert told is not None
    assert told.as_of == "2026-11-22"
    assert "login01" in told.source


def test_a_new_partition_and_a_new_qos_are_added() -> None:
    limits = recorded()
    news = PartitionLimits(name="gh_prod", max_time_s=3600, total_nodes=1)
    node = NodeState(
        name="g1", partitions=("gh_prod",), cpus=72, mem_mb=480000, gpus=1, state="idle"
    )
    mine = Association(account="a", qos=("normal", "fast"))
    limits = replace(
        limits,
        partitions={**limits.partitions, "gh_prod": news},
        qos={**limits.qos, "fast": QosLimits(name="fast", max_wall_s=600)},
        associations=(mine,),
        nodes=(*limits.nodes, node),
    )
    found = refreshed("dev", limits)
    partition, kind = found.partition("gh_prod"), found.node_of("gh_prod")
    assert partition is not None
    assert kind is not None
    assert partition.max_time == "01:00:00"
    assert partition.qos == ("fast", "normal")
    assert (kind.name, kind.cpus, kind.gpus, kind.mem_mb) == ("gh_prod", 72, 1, 480000)
    fast = found.qos_named("fast")
    assert fast is not None
    assert fast.max_time == "00:10:00"


def test_what_has_vanished_is_marked_and_stays_to_be_named() -> None:
    limits = recorded()
    partitions = {name: one for name, one in limits.partitions.items() if name != "lrd_all_serial"}
    qos = {name: one for name, one in limits.qos.items() if name != "boost_qos_lprod"}
    found = refreshed("dev", replace(limits, partitions=partitions, qos=qos))
    serial, lprod = found.partition("lrd_all_serial"), found.qos_named("boost_qos_lprod")
    assert serial is not None
    assert serial.gone
    assert lprod is not None
    assert lprod.gone
    booster = found.partition("boost_usr_prod")
    assert booster is not None
    assert "boost_qos_lprod" not in booster.qos
    assert not booster.gone


def test_without_accounting_the_shipped_qos_stay() -> None:
    limits = replace(recorded(), qos={}, associations=(), left_out=("no slurmdbd",))
    found, shipped = refreshed("dev", limits), load_cluster("dev", shipped=True)
    assert found.qos == shipped.qos
    assert found.partition("boost_usr_prod") == shipped.partition("boost_usr_prod")


def test_qos_of_others_stay_out() -> None:
    limits = recorded()
    others = {f"q{i}": QosLimits(name=f"q{i}") for i in range(200)}
    found = refreshed("dev", replace(limits, qos={**limits.qos, **others}))
    assert not any(one.name.startswith("q1") for one in found.qos)


def test_memory_is_filled_in_only_where_the_profile_has_none() -> None:
    node = NodeState(
        name="x", partitions=("normal",), cpus=288, mem_mb=870000, gpus=4, state="idle"
    )
    limits = limits_of(
        {"SLURM_VERSION": "25.05"}, {"normal": PartitionLimits(name="normal")}, nodes=(node,)
    )
    assert refreshed("alps", limits).node_types[0].mem_mb == 870000
    node = replace(node, partitions=("boost_usr_prod",), mem_mb=514000)
    limits = limits_of(
        {}, {"boost_usr_prod": PartitionLimits(name="boost_usr_prod")}, nodes=(node,)
    )
    # sinfo shows more than may be asked for: 514000 and 494000 MB
    assert refreshed("leonardo_booster", limits).node_types[0].mem_mb == 494000


def test_changes_name_the_value_before_and_after() -> None:
    shipped = load_cluster("dev", shipped=True)
    found = refreshed("dev", with_partition(recorded(), max_nodes=12))
    told = {one.path: (one.old, one.new) for one in changes(shipped, found)}
    assert told["partitions.boost_usr_prod.max_nodes"] == (64, 12)
    assert told["qos.qos_lowprio.name"] == (None, "qos_lowprio")
    assert "partitions.boost_usr_prod.max_time" not in told
    assert changes(found, found) == []


def test_a_reading_is_what_the_next_load_says() -> None:
    shipped = load_cluster("dev", shipped=True)
    content = reading(shipped, recorded(), host="login01", today="2026-11-22")
    write_reading("dev", content)
    assert load_cluster("dev") == with_readings("dev", content, {})
    assert load_cluster("dev", shipped=True) == shipped


def test_a_reading_that_contradicts_itself_is_not_taken() -> None:
    content = {"partitions": [{"name": "boost_usr_prod", "node_type": "moon"}]}
    with pytest.raises(InputError, match="moon"):
        with_readings("dev", content, {})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (59, "00:00:59"),
        (86399, "23:59:59"),
        (86400, "1-00:00:00"),
        (345600, "4-00:00:00"),
    ],
)
def test_walltimes(seconds: int | None, text: str | None) -> None:
    assert walltime(seconds) == text
