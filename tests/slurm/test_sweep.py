"""Sweeps on a real Slurm: arrays under a submit limit, fed by their own tasks, resumed, and told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from slurm.trip import Trip

pytestmark = pytest.mark.slurm

SMALL = ("cluster=dev", "resources.cpus_per_rank=1", "resources.mem_gb=1")
TRY = """
import json, os, sys
seed = int(os.environ["SEED"])
with open(os.environ["FORGIA_OUTPUT"] + "/metrics.json", "w") as opened:
    json.dump({"loss": seed / 10}, opened)
sys.exit(3 if seed == 2 and not os.path.exists(sys.argv[1]) else 0)
"""


def sweep(trip: Trip, *words: str) -> dict:
    return json.loads(trip("sweep", words[0], "--json", *SMALL, *words[1:]).stdout)


def test_a_sweep_under_a_submit_limit_feeds_itself_and_is_mended(dev_slurm, tmp_path: Path) -> None:
    trip, mended = Trip(dev_slurm, tmp_path), tmp_path / "mended"
    limit = ["sacctmgr", "-i", "-Q", "modify", "user", "root", "set"]
    dev_slurm.run([*limit, "MaxSubmitJobs=3"])
    try:
        said = sweep(
            trip, "command", 'command.env.SEED="0","1","2","3","4","5"', "resources.mem_gb=1,2",
            "--", sys.executable, "-c", TRY, str(mended),
        )  # fmt: skip
        assert said["points"] == 12
        assert said["waiting"] >= 9  # nobody waits for them: the tasks feed the rest
        follower = ("submit", "command", *SMALL, "--after", said["run"], "--dry-run", "--", "true")
        assert "Slurm can't wait for it" in trip(*follower, code=2).stderr
        trip("wait", said["run"], code=3)
    finally:
        dev_slurm.run([*limit, "MaxSubmitJobs=-1"])
    state = json.loads(trip("status", said["run"], "--json").stdout)["runs"][0]
    assert (state["state"], state["why"]) == ("failed", "10 done, 2 failed")
    points = json.loads(trip("status", said["run"], "--points", "--json").stdout)["points"]
    assert [one["point"] for one in points if one["state"] == "failed"] == [2, 8]
    assert "exit code 3" in trip("logs", said["run"], "--point", "8").stdout

    mended.touch()
    again = json.loads(trip("resume", said["run"], "--json").stdout)
    assert sum(one["points"] for one in again["submitted"]) == 2  # only what is missing
    trip("wait", said["run"])
    table = json.loads(trip("results", said["run"], "--by", "loss", "--json").stdout)
    assert [row["loss"] for row in table["rows"]] == sorted([seed / 10 for seed in range(6)] * 2)
    assert Path(table["report"]).read_text().count("<circle") == 12
    assert trip("results", said["run"], "--csv").stdout.startswith(
        "point,resources.mem_gb,command.env.SEED,"
    )
    runs = Path(said["path"]) / "points"
    attempts = [len(list(run.glob("events/*-batch_started-*"))) for run in sorted(runs.iterdir())]
    assert attempts == [1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1]


def test_arrays_beyond_the_largest_index_are_all_sent_and_all_cancelled(
    dev_slurm, tmp_path: Path
) -> None:
    trip = Trip(dev_slurm, tmp_path)
    trip.hold_the_door()
    try:
        said = sweep(trip, "command", "seed=range(1203)", "--max-running=8", "--", "true")
        assert [one["points"] for one in said["submitted"]] == [1001, 202]
        jobs = [one["job_id"] for one in said["submitted"]]
        shown = dev_slurm.run(["scontrol", "--oneliner", "show", "job", jobs[0]]).stdout
        assert "ArrayTaskId=0-1000%8" in shown
        state = json.loads(trip("status", said["run"], "--json").stdout)["runs"][0]
        assert (state["state"], state["why"]) == ("pending", "1,203 pending")
        trip("cancel", said["run"])
        state = json.loads(trip("status", said["run"], "--json").stdout)["runs"][0]
        assert state["state"] == "cancelled"
    finally:
        trip.open_the_door()
