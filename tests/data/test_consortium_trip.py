"""The consortium's trip with the real files: five contributions, two ranks, one judged model and its page."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from forgia_hpc.metrics import read_metrics
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.data

MEMBERS = {"machine_temperature", "refinery", "steel_energy", "tennessee_eastman", "turbofan"}
STEPS = 5


def test_from_the_publishers_files_to_a_judged_model(forgia, tmp_path: Path) -> None:
    raw = os.environ.get("FORGIA_RAW")
    assert raw, "the data tier needs $FORGIA_RAW, the directory of the raw files"
    done = forgia("data", "ingest", "consortium", "--json", "--raw", raw)
    assert done.returncode == 0, done.stderr
    version = json.loads(done.stdout)["datasets"]["consortium"]["version"]
    done = forgia("data", "check", "consortium")
    assert done.returncode == 0, done.stdout

    shape = [f"train.steps={STEPS}", "resources.ranks_per_node=2", "evaluate.max_windows=4"]
    done = forgia("run", "train", "data=consortium", *shape, "--json", timeout_s=900)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    run = RunDir(Path(said["path"]))
    assert said["state"] == "completed"

    granted = json.loads((run.inputs / "grant.json").read_text())
    assert {entry["contribution"] for entry in granted["contributions"]} == MEMBERS
    trained = json.loads(run.result.read_text())["train"]
    assert trained["dataset"] == f"consortium@{version[:12]}"
    rows = [row for row in read_metrics(run.metrics) if row["phase"] == "train"]
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    judged = (run.output / "evaluation.json").read_text()
    page = Path(said["report"]).read_text()
    for name in MEMBERS:
        assert f'"{name}"' in judged
        assert name in page
