"""From solver to judged model on a real Slurm, in one command."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from slurm.trip import Trip

from forgia_hpc.jobs.chain_state import members_of
from forgia_hpc.models.field_shape import KEY
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm

SMALL = (
    "simulate:solver.options.shape=[10,10]",
    "simulate:solver.options.frames=9",
    "simulate:ensemble.members=10",
    "simulate:resources.ranks_per_node=2",
    "train:train.steps=3",
    "train:train.global_batch=4",
    "evaluate:evaluate.rollout=[1,5]",
)
RESOURCES = ("cluster=dev", "resources.cpus_per_rank=1", "resources.mem_gb=4")


def test_simulate_train_and_evaluate_are_one_chain(dev_slurm, tmp_path: Path) -> None:
    trip = Trip(dev_slurm, tmp_path)
    trip.environment |= {"FORGIA_DATA": str(tmp_path / "data")}
    words = ("submit", "chain", "chain=surrogate", *RESOURCES, *SMALL)
    said = json.loads(trip(*words, "--wait", "--json").stdout)
    assert [one["state"] for one in said["runs"]] == ["completed"]
    chain = RunDir(Path(said["runs"][0]["path"]))
    runs = {name: RunDir(Path(one["run"])) for name, one in members_of(chain).items()}
    admitted = runs["train"].events("admitted")[0].facts
    judged = json.loads(runs["evaluate"].result.read_text())["evaluate"]
    facts = json.loads((runs["train"].output / "model" / "model.json").read_text())
    assert facts["dataset"] == admitted["dataset"]
    shape = facts["extra"][KEY]
    assert (shape["channels"], shape["grid"]) == (["temperature"], [10, 10])
    assert len(shape["noise"]) == 1, "the campaign's own error reaches the trainer"
    assert {"vrmse_1", "vrmse_5", "persistence_vrmse_1"} <= set(judged)
    assert judged["windows"] >= 1
    _told_against_the_solver(runs["evaluate"], judged)
    trip("report", str(runs["evaluate"].path))
    page = (runs["evaluate"].path / "report.html").read_text()
    assert re.search(r"A step of the model takes [^:]+ m?s, of the solver [^:]+ m?s: the", page)
    assert "times the solver" in page


def _told_against_the_solver(run: RunDir, judged: dict[str, Any]) -> None:
    """The campaign's seconds reach the judge, in its document and its headline."""
    cost = json.loads((run.output / "evaluation.json").read_text())["cost"]
    assert judged["faster"] == cost["faster"] == cost["solver_s"] / cost["model_s"]
    equal = cost["equal"]
    assert equal["error_ratio"] > 1, "three steps of training err more than the solver"
    assert equal["solver_s"] < cost["solver_s"], "so a coarser mesh would do"
    assert equal["faster"] == equal["solver_s"] / cost["model_s"]
