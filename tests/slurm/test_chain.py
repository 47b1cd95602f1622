"""Chains on a real Slurm: edges, a failure that nobody follows, a door that trusts no edge, resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from slurm.trip import Trip

from forgia_hpc.jobs.chain_state import members_of
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm

WORDS = ("cluster=dev", "resources.cpus_per_rank=1", "resources.mem_gb=1")
CHAIN = """
first: {kind: command, argv: [sh, -c, 'test -e WISH && echo made > $FORGIA_OUTPUT/thing']}
second: {kind: command, argv: [grep, made, run:first/output/thing]}
third: {kind: command, argv: ['true'], after: [first, second]}
"""


def told(trip: Trip, name: str) -> list[str]:
    """Return the states of a chain and of its members."""
    return [one["state"] for one in json.loads(trip("status", name, "--json").stdout)["runs"]]


def test_a_chain_stops_where_a_member_fails_and_goes_on_from_there(
    dev_slurm, tmp_path: Path
) -> None:
    trip, wish, file = Trip(dev_slurm, tmp_path), tmp_path / "wish", tmp_path / "chain.yaml"
    file.write_text(CHAIN.replace("WISH", str(wish)))
    said = json.loads(trip("submit", "chain", f"chain={file}", *WORDS, "--json").stdout)
    trip("wait", said["run"], code=3)
    assert told(trip, said["run"]) == ["failed", "failed", "cancelled", "cancelled"]
    line, first, second, third = [
        one["why"] for one in json.loads(trip("status", said["run"], "--json").stdout)["runs"]
    ]
    assert line.startswith("first failed, second never ran (first did not complete)")
    assert f"forgia logs {Path(said['members']['first']['path']).name}" in first
    assert second.startswith("it never began: first failed; forgia resume")
    assert third.startswith("it never began: first failed, second never began either")

    wish.touch()
    trip("resume", said["run"])
    trip("wait", said["run"])
    assert told(trip, said["run"]) == ["completed"] * 4
    trip("resume", said["run"], code=2)  # nothing is missing
    attempts = [
        len(RunDir(Path(one["run"])).events("batch_started"))
        for one in members_of(RunDir(Path(said["path"]))).values()
    ]
    assert attempts == [2, 1, 1]


def test_a_member_whose_edge_lied_is_stopped_at_its_door(dev_slurm, tmp_path: Path) -> None:
    trip, file = Trip(dev_slurm, tmp_path), tmp_path / "chain.yaml"
    file.write_text(CHAIN.replace("WISH", str(tmp_path / "never")))
    said = json.loads(trip("submit", "chain", f"chain={file}", *WORDS, "--json").stdout)
    trip("wait", said["run"], code=3)
    second = RunDir(Path(said["members"]["second"]["path"]))
    # Slurm 22.05 takes an edge to a job that it does not know for one that is met
    script = ["sbatch", "--parsable", "--dependency=afterok:999999", second.path / "job.sbatch"]
    job = dev_slurm.run(script, check=False).stdout.strip()
    facts = trip.until(job, "FAILED", "COMPLETED")
    assert (facts["JobState"], facts["ExitCode"]) == ("FAILED", "3:0")
    assert not second.result.exists()
    words = (second.logs / "batch.err").read_text()
    assert "predecessor first" in words
    assert "has not completed: it ended with 3" in words


MADE = """
prepare: {kind: prepare, overrides: ['prepare.contributions=[demo_press]']}
train:
  kind: train
  after: [prepare]
  overrides: [data.dataset=demo_press, data.context=128, data.horizon=32, parallel.precision=fp32, train.steps=4,
    train.global_batch=8, train.checkpoint_every=2, evaluate.enabled=false]
"""


def test_a_member_reads_the_dataset_that_another_one_makes(dev_slurm, tmp_path: Path) -> None:
    trip, file = Trip(dev_slurm, tmp_path), tmp_path / "chain.yaml"
    trip.environment |= {"FORGIA_DATA": str(tmp_path / "data")}
    file.write_text(MADE)
    words = ("submit", "chain", f"chain={file}", *WORDS, "resources.mem_gb=4")
    assert "nothing" not in trip(*words, "--dry-run").stderr
    said = json.loads(trip(*words, "--wait", "--json").stdout)
    assert [one["state"] for one in said["runs"]] == ["completed"]
    chain = RunDir(Path(said["runs"][0]["path"]))
    runs = {name: RunDir(Path(one["run"])) for name, one in members_of(chain).items()}
    made = json.loads(runs["prepare"].result.read_text())["prepare"]["contributions"]["demo_press"]
    admitted = runs["train"].events("admitted")[0].facts
    assert admitted["dataset"] == f"demo_press@{made['version'][:12]}"
    assert runs["train"].events("seal_checked")[-1].facts["data_bytes"] > 0
