"""Jobs longer than a walltime, on a real Slurm: requeued with everything saved, and the same to the bit."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm.trip import Trip, living_of

from forgia_hpc.metrics import read_metrics
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm

STEPS = 90  # of a second each, slept and not computed: the machine does other things too
WORDS = (
    "train",
    "resources.nodes=1",
    "resources.ranks_per_node=1",
    "resources.cpus_per_rank=1",
    "data.dataset=demo_press",
    "data.context=64",
    "data.horizon=16",
    "parallel.precision=fp32",
    "train.global_batch=4",
    "train.checkpoint_every=100000",
    "model.family=own_model:OwnForecaster",  # with dropout: its random states must come back too
    "model.options={pause_s: 1.0}",
    "evaluate.enabled=false",
    f"train.steps={STEPS}",
)


@dataclass
class Runs:
    """Three jobs that ran side by side, and how `forgia status` tells of them."""

    trip: Trip
    short: RunDir  # its walltime is too short for its steps
    whole: RunDir  # the same steps undisturbed
    stuck: RunDir  # a walltime in which not even a step is done
    told: dict[str, dict]


@pytest.fixture(scope="module")
def runs(dev_slurm, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    root = tmp_path_factory.mktemp("walltime")
    trip = Trip(dev_slurm, root)
    site = root / "site"
    site.mkdir()
    shutil.copy(Path(__file__).parents[1] / "ranks" / "own_model.py", site)
    trip.environment |= {
        "FORGIA_PATH": str(site),
        "FORGIA_DATA": str(root / "data"),
        "XDG_CONFIG_HOME": str(root / "config"),
    }
    trip("data", "ingest", "demo_press")
    short, _ = trip.submit(*WORDS, "resources.walltime=00:02:00")
    deadline = (
        time.monotonic() + 60
    )  # alone meanwhile: it has a minute for its start and some steps
    while not short.metrics.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    whole, _ = trip.submit(*WORDS, "resources.walltime=01:00:00")
    stuck, _ = trip.submit(*WORDS, "resources.walltime=00:01:00")
    found = (short, whole, stuck)
    trip("wait", *(run.name for run in found), code=3)
    said = json.loads(trip("status", *(run.name for run in found), "--json").stdout)["runs"]
    return Runs(trip, short, whole, stuck, {each["run"]: each for each in said})


def test_a_job_longer_than_its_walltime_ends_as_if_undisturbed(runs: Runs) -> None:
    assert runs.told[runs.short.name]["state"] == "completed"
    assert len(runs.short.events("batch_started")) > 1
    assert losses(runs.short) == losses(runs.whole)
    model = [run.output / "model" / "model.safetensors" for run in (runs.short, runs.whole)]
    assert model[0].read_bytes() == model[1].read_bytes()


def test_no_step_is_lost_and_none_is_done_twice(runs: Runs) -> None:
    lines = [json.loads(line) for line in runs.short.metrics.read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))


def test_it_stops_in_time_by_slurms_own_end_and_goes_on_without_the_hold(runs: Runs) -> None:
    ends = [event.facts for event in runs.short.events("deadline")]
    assert {facts["source"] for facts in ends} == {"slurm"}
    first = runs.short.events("stop_asked")[0]
    assert first.facts["cause"] == "walltime"
    ended = runs.short.events("batch_ended")[0]
    assert ended.time_ns / 1e9 < first.facts["end_time"]
    assert (ended.facts["exit_code"], ended.facts["goes_on"]) == (6, "requeue")
    (again, *_) = runs.short.events("resubmitted")
    started = runs.short.events("batch_started")[1]
    assert (started.time_ns - again.time_ns) / 1e9 < 60, "the hold after a requeue was not cleared"


def test_a_job_without_progress_is_not_requeued_for_ever(runs: Runs) -> None:
    told = runs.told[runs.stuck.name]
    assert told["state"] == "failed"
    assert "this attempt saved nothing new" in told["why"]
    assert len(runs.stuck.events("batch_started")) == 1
    assert not runs.stuck.events("resubmitted")


def test_nobody_is_left_behind(runs: Runs) -> None:
    assert [living_of(run) for run in (runs.short, runs.whole, runs.stuck)] == [[], [], []]


def losses(run: RunDir) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in read_metrics(run.metrics)}
