"""Jobs longer than a walltime, on a real Slurm: requeued with everything saved, and the same to the bit."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm.training import SLOW, losses, ready, steps_told, training
from slurm.trip import Trip, living_of

from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm

STEPS = 90  # of a second each
CLEARED_S = 90  # a hold that nobody clears lasts 120; an overloaded machine once took 62
WORDS = training(STEPS, *SLOW)
# A program of the user's own that saves when it is asked to, and one that does not; both exit with 0 then.
COUNT = """
import os, pathlib, signal, sys, time
state = pathlib.Path(os.environ["FORGIA_OUTPUT"], "states", "count")
state.parent.mkdir(exist_ok=True)
count = int(state.read_text()) if state.exists() else 0
def leave(*_):
    if sys.argv[1] == "saves":
        state.write_text(str(count))
    sys.exit(0)
signal.signal(signal.SIGUSR1, leave)
while count < 110:
    time.sleep(1)
    count += 1
    print(count, flush=True)
"""
RESUMABLE = (
    "command",
    "resources.cpus_per_rank=1",
    "resources.mem_gb=1",
    "resources.walltime=00:02:00",
    "command.resumable=true",
    "command.progress=states",
    "command.stop_signal=SIGUSR1",
    "command.save_s=10",
)


@dataclass
class Runs:
    """Jobs that ran side by side, and how `forgia status` tells of them."""

    trip: Trip
    short: RunDir  # its walltime is too short for its steps
    wholes: tuple[RunDir, RunDir]  # the same steps undisturbed, with two seeds
    stuck: RunDir  # a walltime in which not even a step is done
    sweep: Path  # two points with the seeds, and too short a walltime, as one array
    own: dict[str, RunDir]  # programs of the user's that call themselves resumable
    told: dict[str, dict]


@pytest.fixture(scope="module")
def runs(dev_slurm, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    trip = ready(dev_slurm, tmp_path_factory.mktemp("walltime"))
    short, _ = trip.submit(*WORDS, "resources.walltime=00:02:00")
    own = {}
    for word in ("saves", "loses"):
        program = ("--", sys.executable, "-uc", COUNT, word)
        own[word], _ = trip.submit(*RESUMABLE, *program)
    until_it_computes(short)
    words = ("cluster=dev", *WORDS[1:], "seed=0,1", "resources.walltime='00:02:00'")
    sweep = Path(json.loads(trip("sweep", "train", "--json", *words).stdout)["path"])
    until_it_computes(*(RunDir(sweep / "points" / f"{index:05d}") for index in range(2)))
    whole, _ = trip.submit(*WORDS, "resources.walltime=01:00:00")
    other, _ = trip.submit(*WORDS, "resources.walltime=01:00:00", "seed=1")
    stuck, _ = trip.submit(*WORDS, "resources.walltime=00:01:00")
    found = [run.name for run in (short, whole, other, stuck, RunDir(sweep), *own.values())]
    trip("wait", *found, code=3)
    said = {
        each["run"]: each for each in json.loads(trip("status", *found, "--json").stdout)["runs"]
    }
    return Runs(trip, short, (whole, other), stuck, sweep, own, said)


def until_it_computes(*runs: RunDir) -> None:
    """Let jobs be alone meanwhile: they have a minute for their start and some steps."""
    deadline = time.monotonic() + 60
    while not all(run.metrics.exists() for run in runs) and time.monotonic() < deadline:
        time.sleep(0.2)


def test_a_job_longer_than_its_walltime_ends_as_if_undisturbed(runs: Runs) -> None:
    assert runs.told[runs.short.name]["state"] == "completed"
    assert len(runs.short.events("batch_started")) > 1
    assert losses(runs.short) == losses(runs.wholes[0])
    model = [run.output / "model" / "model.safetensors" for run in (runs.short, runs.wholes[0])]
    assert model[0].read_bytes() == model[1].read_bytes()


def test_no_step_is_lost_and_none_is_done_twice(runs: Runs) -> None:
    assert steps_told(runs.short) == list(range(1, STEPS + 1))


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
    assert (started.time_ns - again.time_ns) / 1e9 < CLEARED_S, (
        "the hold after a requeue was not cleared"
    )


def test_a_job_without_progress_is_not_requeued_for_ever(runs: Runs) -> None:
    told = runs.told[runs.stuck.name]
    assert told["state"] == "failed"
    assert "this attempt saved nothing new" in told["why"]
    assert len(runs.stuck.events("batch_started")) == 1
    assert not runs.stuck.events("resubmitted")


def test_each_task_of_an_array_is_requeued_by_itself(runs: Runs) -> None:
    told = runs.told[runs.sweep.name]
    assert (told["state"], told["why"]) == ("completed", "2 done")
    for index, whole in enumerate(runs.wholes):
        point = RunDir(runs.sweep / "points" / f"{index:05d}")
        assert len(point.events("batch_started")) > 1
        again = [event.facts for event in point.events("resubmitted")]
        assert {one["way"] for one in again} == {"requeue"}
        assert all(one["job_id"].endswith(f"_{index}") for one in again), "another task's"
        assert steps_told(point) == list(range(1, STEPS + 1))
        assert losses(point) == losses(whole)
        waits = zip(point.events("resubmitted"), point.events("batch_started")[1:], strict=True)
        assert all((start.time_ns - end.time_ns) / 1e9 < CLEARED_S for end, start in waits), "held"


def test_a_program_that_saves_is_requeued_until_it_is_done(runs: Runs) -> None:
    run = runs.own["saves"]
    assert runs.told[run.name]["state"] == "completed"
    asked = run.events("stop_asked")[0].facts
    assert (asked["cause"], asked["margin_s"]) == ("walltime", 40)
    first = run.events("batch_ended")[0].facts
    assert (first["exit_code"], first["goes_on"]) == (6, "requeue")
    counted = [int(line) for line in (run.logs / "rank-0.log").read_text().split()]
    assert counted == list(range(1, 111)), "a second was lost or done twice"


def test_a_program_that_saves_nothing_is_not_requeued_for_ever(runs: Runs) -> None:
    run = runs.own["loses"]
    told = runs.told[run.name]
    assert (told["state"], len(run.events("batch_started"))) == ("failed", 1)
    assert "this attempt saved nothing new" in told["why"]


def test_nobody_is_left_behind(runs: Runs) -> None:
    for run in (runs.short, *runs.wholes, runs.stuck, RunDir(runs.sweep), *runs.own.values()):
        assert living_of(run) == []
