"""Training on a real Slurm: two nodes, the walltime's warning, a killed rank."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from slurm.trip import Trip

from forgia_hpc.metrics import read_metrics
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm

STEPS = 12
WORDS = (
    "train",
    "resources.nodes=2",
    "resources.ranks_per_node=1",
    "resources.cpus_per_rank=1",
    "data.dataset=demo_press",
    "data.context=128",
    "data.horizon=32",
    "parallel.precision=fp32",
    f"train.steps={STEPS}",
    "train.global_batch=8",
    "train.checkpoint_every=4",
    "evaluate.max_windows=4",
)

# Run among the bed's processes: the rank is known by what srun told it.
KILL_A_RANK = """
import os, pathlib, signal, sys
run, rank = sys.argv[1:]
for entry in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        words = (entry / "cmdline").read_bytes().split(b"\\0")
        known = (entry / "environ").read_bytes().split(b"\\0")
    except OSError:
        continue
    if b"forgia_hpc.node.entry" in words and run.encode() in words and f"SLURM_PROCID={rank}".encode() in known:
        os.kill(int(entry.name), signal.SIGKILL)
        print("killed")
"""


@pytest.fixture(scope="module")
def data(dev_slurm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the variables that name the root with demo_press, generated and sealed."""
    root = tmp_path_factory.mktemp("sealed")
    found = {"FORGIA_DATA": str(root / "data"), "XDG_CONFIG_HOME": str(root / "config")}
    Trip(dev_slurm, root)("data", "ingest", "demo_press", **found)
    return found


@pytest.fixture
def trip(dev_slurm, tmp_path: Path, data: dict[str, str]) -> Trip:
    found = Trip(dev_slurm, tmp_path)
    found.environment |= data
    return found


@pytest.fixture(scope="module")
def undisturbed(dev_slurm, data: dict[str, str], tmp_path_factory: pytest.TempPathFactory):
    """Return trip, run and job id of a training that nobody disturbed."""
    trip = Trip(dev_slurm, tmp_path_factory.mktemp("undisturbed"))
    trip.environment |= data
    run, job = trip.submit(*WORDS)
    trip("wait", run.name)
    return trip, run, job


def model_bytes(run: RunDir) -> bytes:
    return (run.output / "model" / "model.safetensors").read_bytes()


def until_step(run: RunDir, step: int, seconds: float = 240) -> None:
    """Wait for a step of the training."""
    deadline = time.monotonic() + seconds
    while not run.metrics.exists() or len(read_metrics(run.metrics)) < step:
        logs = {path.name: path.read_text()[-2000:] for path in run.logs.glob("*")}
        assert not run.events("batch_ended"), logs
        assert time.monotonic() < deadline, logs
        time.sleep(0.05)


def test_two_nodes_train_judge_and_report(undisturbed: tuple[Trip, RunDir, str]) -> None:
    trip, run, job = undisturbed
    facts = trip.until(job, "COMPLETED")
    assert (facts["ExitCode"], facts["NumNodes"]) == ("0:0", "2")
    result = json.loads(run.result.read_text())
    assert result["world_size"] == 2
    assert result["train"]["steps"] == STEPS
    rows = read_metrics(run.metrics)
    assert {row["phase"] for row in rows} == {"train", "evaluate"}
    assert [row["step"] for row in rows if row["phase"] == "train"] == list(range(1, STEPS + 1))
    judged = json.loads((run.output / "evaluation.json").read_text())
    assert judged["format"] == "forgia.evaluation/1"
    page = trip("report", run.name).stdout.split("report: ")[1].strip()
    text = Path(page).read_text()
    for word in ("demo_press", "telemetry_nano", "<svg"):
        assert word in text


def test_the_walltimes_warning_saves_and_resume_ends_with_the_same_model(
    trip: Trip, undisturbed: tuple[Trip, RunDir, str]
) -> None:
    run, job = trip.submit(*WORDS)
    until_step(run, 2)
    trip.slurm.run(
        ["scancel", "--signal=STOP", job]
    )  # the ranks: else all is over before the warning
    before = len(read_metrics(run.metrics))
    trip.slurm.run(["scancel", "--batch", "--signal=USR1", job])
    asked(run)
    trip.slurm.run(["scancel", "--signal=CONT", job])
    assert "stopped" in trip("wait", run.name, code=6).stdout
    assert trip.until(job, "FAILED")["ExitCode"] == "6:0"
    stopped = read_metrics(run.metrics)[-1]["step"]
    assert before <= stopped < STEPS
    assert (run.checkpoints / str(stopped) / "manifest.json").is_file()

    again = json.loads(trip("resume", run.name, "--json").stdout)["runs"][run.name]
    trip("wait", run.name)
    assert trip.until(again["job_id"], "COMPLETED")["ExitCode"] == "0:0"
    (resumed,) = run.events("resumed")
    assert resumed.facts["step"] == stopped
    rows, whole = (
        {row["step"]: row["loss"] for row in read_metrics(each.metrics) if row["phase"] == "train"}
        for each in (run, undisturbed[1])
    )
    assert rows == whole
    assert model_bytes(run) == model_bytes(undisturbed[1])


def asked(run: RunDir) -> None:
    deadline = time.monotonic() + 60
    while not run.events("stop_asked"):
        assert time.monotonic() < deadline, "the batch step did not hear the warning"
        time.sleep(0.05)
    assert run.events("stop_asked")[0].facts["signal"] == "SIGUSR1"


def test_a_rank_killed_in_mid_training_fails_the_job_within_a_minute(trip: Trip) -> None:
    run, job = trip.submit(*WORDS, "train.steps=100000", "train.checkpoint_every=1000")
    until_step(run, 2)
    killed = trip.slurm.inside("python3", "-c", KILL_A_RANK, str(run.path), "1").stdout
    assert killed == "killed\n"
    facts = trip.until(job, "FAILED", seconds=60)
    assert facts["ExitCode"] == "3:0"
    said = trip("wait", run.name, code=3).stdout
    assert "rank 1 on n" in said
    assert "Killed" in said
    assert f"forgia logs {run.name} --rank 1" in said
    assert trip.slurm.run(["squeue", "-h", "-j", job], check=False).stdout == ""
