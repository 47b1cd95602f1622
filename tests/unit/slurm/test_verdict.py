"""The judge alone: each rule as Slurm 22.05 was seen to keep it."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from forgia_hpc.slurm.asked import Asked, asked_of
from forgia_hpc.slurm.caps import Bound, Holder, caps
from forgia_hpc.slurm.finding import Fate, Measure, clock
from forgia_hpc.slurm.limits import Limits, PartitionLimits, QosLimits
from forgia_hpc.slurm.rooms import Now, Room
from forgia_hpc.slurm.verdict import Verdict, judge

NODES = tuple(Room(name=f"n{i}", cpus=32, mem_mb=494_000, gpus=4) for i in range(1, 5))
ASKED = Asked(
    partition="usr", qos="normal", account="rossi", nodes=1, seconds=600, cpus=4, mem_mb=1024
)


def limits(mode: str = "NO", **partition: Any) -> Limits:
    usual = {"max_time_s": 86400, "max_nodes": 64, "total_nodes": 4, "total_cpus": 128}
    return Limits(
        version="22.05.8",
        name="dev",
        enforce_part_limits=mode,
        enforce=("limits",),
        max_array_size=1001,
        job_requeue=True,
        min_job_age_s=300,
        partitions={"usr": PartitionLimits(name="usr", **{**usual, **partition})},
        qos={"normal": QosLimits(name="normal"), "long": QosLimits(name="long", flags=("PartitionTimeLimit",))},
    )  # fmt: skip


def verdict(
    asked: Asked = ASKED,
    found: Limits | None = None,
    bounds: dict[str, Bound] | None = None,
    *,
    strict: bool = False,
    now: Now | None = None,
) -> Verdict:
    holders = (Holder(name="QOS normal", scope="QOS", bounds=bounds or {}),)
    measure = Measure(
        limits=found or limits(),
        caps=tuple(caps(asked, holders, strict=strict)),
        accounts=("rossi",),
        now=now or Now(rooms=NODES),
        where="Slurm",
    )
    return judge(asked, measure)


def asking(**other: Any) -> Asked:
    return dataclasses.replace(ASKED, **other)


def test_an_idle_node_takes_it_now() -> None:
    assert verdict().fate is Fate.starts_now


@pytest.mark.parametrize(
    ("other", "reason", "fix"),
    [
        ({"seconds": 2 * 86400}, "PartitionTimeLimit", "ask for 1-00:00:00 or less"),
        ({"nodes": 5}, "PartitionNodeLimit", "ask for 4 or fewer"),
        ({"nodes": 65}, "PartitionNodeLimit", "ask for 64 or fewer"),
        ({"nodes": 4, "cpus": 33}, "PartitionConfig", "ask for 128 or fewer"),
    ],
)
def test_over_the_partition_is_never_or_refused_by_enforce_part_limits(
    other: dict[str, int], reason: str, fix: str
) -> None:
    never = verdict(asking(**other))
    assert (never.fate, never.reason, never.fix) == (Fate.never, reason, fix)
    for mode in ("ANY", "ALL"):
        assert verdict(asking(**other), limits(mode)).fate is Fate.refused


def test_a_qos_may_go_beyond_the_partition() -> None:
    assert verdict(asking(seconds=2 * 86400, qos="long")).fate is Fate.starts_now


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"partition": "nope"}, "one of usr"),
        ({"account": "nobody"}, "you may charge rossi"),
        ({"qos": "x"}, "usr allows long, normal"),
        ({"points": 1002}, "an array holds 1001"),
        ({"cpus": 33}, "0 of 4 nodes of usr have 33 cores"),
        ({"gpus": 5}, "5 GPUs"),
        ({"mem_mb": 500_000}, "500000 MB"),
    ],
)
def test_what_slurm_refuses_whatever_the_mode(other: dict[str, Any], said: str) -> None:
    found = verdict(asking(**other))
    assert found.fate is Fate.refused
    assert said in found.because


def test_a_shape_that_no_node_has_is_not_looked_at_while_a_limit_holds_the_job() -> None:
    assert verdict(asking(cpus=33, seconds=2 * 86400)).fate is Fate.never
    assert verdict(asking(cpus=33), bounds={"MaxWallPJ": Bound(60)}).fate is Fate.never
    # limits of resources are counted after the nodes were chosen
    assert verdict(asking(cpus=33), bounds={"MaxTRESPJ/cpu": Bound(8)}).fate is Fate.refused


@pytest.mark.parametrize(
    ("name", "limit", "reason"),
    [
        ("MaxWallPJ", 300, "QOSMaxWallDurationPerJobLimit"),
        ("MaxTRESPJ/cpu", 3, "QOSMaxCpuPerJobLimit"),
        ("MaxTRESPJ/mem", 1000, "QOSMaxMemPerJob"),
        ("MinTRESPJ/node", 2, "QOSMinNode"),
        ("MaxTRESPU/cpu", 3, "QOSMaxCpuPerUserLimit"),
        ("MaxTRESPA/node", 0, "MaxNodePerAccount"),
        ("GrpTRES/cpu", 3, "QOSGrpCpuLimit"),
        ("GrpTRESMins/cpu", 39, "QOSGrpCPUMinutesLimit"),
        ("MaxTRESMinsPJ/cpu", 39, "QOSMaxCpuMinutesPerJobLimit"),
    ],
)
def test_what_one_job_alone_exceeds_never_starts_and_deny_on_limit_refuses_it(
    name: str, limit: int, reason: str
) -> None:
    never = verdict(bounds={name: Bound(limit)})
    assert (never.fate, never.reason) == (Fate.never, reason)
    assert verdict(bounds={name: Bound(limit)}, strict=True).fate is Fate.refused


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("MaxJobsPU", Bound(2, 2)),
        ("GrpJobs", Bound(1, 1)),
        ("MaxTRESPU/cpu", Bound(8, 5)),
        ("GrpTRES/mem", Bound(4096, 4000)),
    ],
)
def test_what_others_use_up_comes_back(name: str, bound: Bound) -> None:
    for strict in (False, True):
        assert verdict(bounds={name: bound}, strict=strict).fate is Fate.waits


def test_hours_that_are_spent_do_not_come_back_and_those_of_running_jobs_may() -> None:
    spent = {"GrpTRESMins/cpu": Bound(100, 80)}
    assert verdict(bounds=spent).fate is Fate.never
    running = {"GrpTRESMins/cpu": Bound(100, 10), "GrpTRESRunMins/cpu": Bound(None, 60)}
    assert verdict(bounds=running).fate is Fate.waits


def test_a_full_queue_of_ones_own_refuses() -> None:
    for name in ("MaxSubmitJobsPU", "GrpSubmitJobs"):
        assert verdict(bounds={name: Bound(2, 2)}).fate is Fate.refused
    assert verdict(asking(points=3), bounds={"MaxSubmitJobsPU": Bound(2)}).fate is Fate.refused


def test_a_qos_hides_the_same_limit_of_the_association_but_not_that_of_another_kind() -> None:
    qos = Holder(
        name="QOS normal", scope="QOS", bounds={"MaxJobsPU": Bound(3), "MaxWallPJ": Bound(999)}
    )
    mine = Holder(name="mine", scope="Assoc", bounds={"MaxJobs": Bound(1), "GrpTRES/cpu": Bound(1)})
    bounds = {"MaxWallPJ": Bound(1), "GrpTRES/cpu": Bound(2)}
    above = Holder(name="root", scope="Assoc", bounds=bounds, parent=True)
    words = [cap.word for cap in caps(ASKED, (qos, mine, above), strict=False)]
    assert words[:2] == ["QOSMaxJobsPerUserLimit", "QOSMaxWallDurationPerJobLimit"]
    assert words[2:] == ["AssocGrpCpuLimit"] * 2


def busy(name: str) -> Room:
    return Room(name=name, cpus=32, mem_mb=494_000, gpus=4, used_cpus=30)


def test_busy_nodes_are_waited_for_with_the_time_they_must_be_free() -> None:
    noon = datetime.datetime.now().replace(hour=14, minute=5, second=0, microsecond=0)
    until = {f"n{i}": noon + datetime.timedelta(minutes=i) for i in range(1, 5)}
    now = Now(rooms=tuple(busy(f"n{i}") for i in range(1, 5)), until=until)
    found = verdict(asking(nodes=2), now=now)
    assert (found.fate, found.reason) == (Fate.waits, "Resources")
    assert found.line == "waits: 0 of 2 nodes free, the others busy until 14:07"
    assert verdict(asking(cpus=2), now=now).fate is Fate.starts_now


def test_drained_nodes_are_named() -> None:
    down = [dataclasses.replace(room, usable=room.name in ("n1", "n2")) for room in NODES]
    found = verdict(asking(nodes=3), now=Now(rooms=tuple(down)))
    assert found.fate is Fate.waits
    assert "2 nodes down or drained (n3, n4), 2 left" in found.because


def test_jobs_ahead_are_waited_for() -> None:
    assert verdict(now=Now(rooms=NODES, ahead=3)).reason == "Priority"


@pytest.mark.parametrize(
    ("state", "fate"), [("DOWN", Fate.waits), ("DRAIN", Fate.refused), ("INACTIVE", Fate.refused)]
)
def test_the_door_of_a_partition(state: str, fate: Fate) -> None:
    assert verdict(found=limits(state=state)).fate is fate


def test_an_exclusive_job_has_the_whole_node_and_the_partitions_cores_bound_it() -> None:
    small = tuple(dataclasses.replace(room, most_cpus=4) for room in NODES)
    assert verdict(asking(exclusive=True), now=Now(rooms=small)).fate is Fate.refused
    taken = tuple(dataclasses.replace(room, most_cpus=4, used_of_most=4) for room in NODES)
    assert verdict(now=Now(rooms=small)).fate is Fate.starts_now
    assert verdict(now=Now(rooms=taken)).fate is Fate.waits


def test_without_a_live_state_it_fits_and_says_by_what() -> None:
    found = judge(ASKED, Measure(limits=limits(), where="slurm/clusters/x.yaml"))
    assert (found.fate, found.as_json()["fate"]) == (Fate.fits, "fits")
    assert "slurm/clusters/x.yaml" in found.because


def test_all_that_stands_in_the_way_is_told_at_once() -> None:
    found = verdict(asking(nodes=5, seconds=2 * 86400))
    assert found.because == "usr has 4; usr allows 1-00:00:00"


def test_times_are_written_as_slurm_does() -> None:
    assert [clock(60), clock(86399), clock(90061)] == ["00:01:00", "23:59:59", "1-01:01:01"]


def test_the_request_that_is_judged_is_the_one_in_the_script() -> None:
    from forgia_hpc.schema.job import Launch
    from forgia_hpc.schema.resources import Resources
    from forgia_hpc.slurm.cluster import load_cluster

    resources = Resources(
        nodes=2, ranks_per_node=4, cpus_per_rank=8, gpus_per_node=4, mem_gb=480, walltime="01:00:00",
        partition="boost_usr_prod", account="a",
    )  # fmt: skip
    for launch in (Launch.srun, Launch.torchrun):
        asked = asked_of(resources, load_cluster("leonardo_booster"), launch)
        assert (asked.cpus, asked.gpus, asked.mem_mb, asked.seconds) == (32, 4, 491520, 3600)
