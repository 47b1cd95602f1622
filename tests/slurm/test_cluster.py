"""`forgia cluster refresh`, `check` and `probe` against a real Slurm."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from slurm.trip import PARTITION, Trip

from forgia_hpc.slurm.probe import Bench, observe
from forgia_hpc.slurm.probe_rows import ROWS

pytestmark = pytest.mark.slurm

# the rows of seconds; the others wait a minute each for Slurm's own clock
QUICK = (
    "dependents",
    "rewire",
    "unknown_predecessor",
    "cycle",
    "aftercorr",
    "requeue",
    "over_limit",
    "memory",
    "from_the_node",
)


@pytest.fixture
def trip(dev_slurm, tmp_path: Path) -> Trip:
    return Trip(dev_slurm, tmp_path)


def test_refresh_reads_what_slurm_enforces_and_the_next_command_knows_it(trip: Trip) -> None:
    trip.slurm.run(["scontrol", "update", f"PartitionName={PARTITION}", "MaxTime=02:00:00"])
    try:
        told = json.loads(trip("cluster", "refresh", "dev", "--json").stdout)
    finally:
        trip.slurm.run(["scontrol", "update", f"PartitionName={PARTITION}", "MaxTime=1-00:00:00"])
    changes = {one["path"]: one["new"] for one in told["changes"]}
    assert changes[f"partitions.{PARTITION}.max_time"] == "02:00:00"
    shown = json.loads(trip("cluster", "show", "dev", "--json").stdout)
    partition = next(one for one in shown["partitions"] if one["name"] == PARTITION)
    assert partition["max_time"] == "02:00:00"
    assert shown["limits_age_days"] == 0
    assert Path(told["file"]).is_file()
    again = json.loads(trip("cluster", "refresh", "dev", "--json").stdout)
    back = {one["path"]: one["new"] for one in again["changes"]}
    assert back == {f"partitions.{PARTITION}.max_time": "1-00:00:00"}


def test_refresh_without_slurmdbd_says_what_it_did_not_read(
    dev_slurm_without_accounting, tmp_path: Path
) -> None:
    trip = Trip(dev_slurm_without_accounting, tmp_path)
    told = json.loads(trip("cluster", "refresh", "dev", "--json").stdout)
    assert told["left_out"]
    assert not [one for one in told["changes"] if one["path"].startswith("qos.")]


def test_check_runs_a_sealed_job_on_two_nodes(trip: Trip) -> None:
    told = json.loads(trip("cluster", "check", "dev", "--json").stdout)
    found = {one["what"]: one for one in told["findings"]}
    assert found["nodes"]["weight"] == "PASSED"
    assert "2 of 2 ranks on 2 of 2 node(s)" in found["nodes"]["found"]
    assert found["MPI"]["weight"] == "PASSED"
    assert "2 ranks on 2 node(s)" in found["MPI"]["found"]
    assert found["clocks"]["weight"] == "PASSED"
    assert found[f"writable {trip.runs}"]["weight"] == "PASSED"
    assert found["GPUs"]["weight"] == "NOT APPLICABLE"
    assert json.loads((trip.runs / told["run"] / "output/check.json").read_text())["findings"]
    assert told["exit_code"] == 0


def test_check_inside_salloc_takes_its_nodes(trip: Trip) -> None:
    small = ("-N2", "--mem=2G", "-t", "5", "--ntasks-per-node=2", "--gres=gpu:4")
    salloc = ("salloc", "-p", PARTITION, *small)
    check = (sys.executable, "-P", "-m", "forgia_hpc.cli.main", "cluster", "check", "dev", "--json")
    told = json.loads(trip.slurm.run([*salloc, *check], env=trip.environment).stdout)
    found = {one["what"]: one for one in told["findings"]}
    assert "4 of 4 ranks on 2 of 2 node(s)" in found["nodes"]["found"]
    sealed = json.loads((trip.runs / told["run"] / "job.json").read_text())
    assert sealed["slurm"] is False
    assert sealed["allocation"]
    assert sealed["resources"]["gpus_per_node"] == 4


def test_probing_finds_what_this_slurm_does_and_leaves_nothing(dev_slurm, tmp_path: Path) -> None:
    bench = Bench(
        environment=dict(dev_slurm.env),
        folder=tmp_path,
        options=("--partition=lrd_all_serial",),
        today="2026-11-22",
        patience_s=120,
        asked_mem=("--mem=100M",),
    )
    try:
        found = {one.name: one for one in observe(bench, {name: ROWS[name] for name in QUICK})}
    finally:
        bench.clear()
    assert {name: one.holds for name, one in found.items()} == {
        "failed_dependency_waits_for_ever": "yes",
        "kill_on_invalid_dep": "yes",
        "afternotok_runs": "yes",
        "dependency_can_be_rewired": "yes",
        "unknown_predecessor_refused": "no",  # refused since 23.02
        "cycle_refused": "yes",
        "aftercorr_pairs_tasks": "yes",
        "requeue_allowed": "yes",
        "requeue_holds": "yes",
        "dependents_wait_through_requeue": "yes",
        "requeue_hold_can_be_cleared": "yes",
        "over_limit_refused": "no",  # EnforcePartLimits=NO
        "test_only_refuses_over_limit": "no",
        "memory_has_a_default": "yes",
        "job_sees_its_end": "yes",
    }
    left = dev_slurm.run(["squeue", "--noheader", "--states=PENDING,RUNNING", "--format=%j"]).stdout
    assert bench.token not in left
