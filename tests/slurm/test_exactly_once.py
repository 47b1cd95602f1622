"""What a slurmctld that goes down, or is away, does to a submission; two at once; the next link."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from endurance.bed import of_session
from slurm.trip import SLEEP, Trip

from forgia_hpc.jobs.submission import is_ours
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm
FORGIA = (sys.executable, "-P", "-m", "forgia_hpc.cli.main")


@pytest.fixture
def trip(dev_slurm, tmp_path: Path):
    trip = Trip(dev_slurm, tmp_path)
    trip.runs.mkdir()
    trip.hold_the_door()
    yield trip
    trip.open_the_door()


def jobs_of(trip: Trip, run: RunDir) -> list[str]:
    said = trip.slurm.run(["squeue", "--noheader", "--states=all", "--format=%i|%j"]).stdout
    pairs = [line.split("|") for line in said.splitlines()]
    return [job for job, name in pairs if is_ours(name, run)]


def told(trip: Trip, run: RunDir) -> dict:
    return json.loads(trip("status", run.name, "--json", code=None).stdout)["runs"][0]


def waiting(trip: Trip) -> RunDir:
    """Return a run whose first job was cancelled while it waited: it can be resumed."""
    run, job = trip.submit("command", "--", *SLEEP)
    trip("cancel", run.name)
    trip.until(job, "CANCELLED")
    return run


def test_a_request_that_arrives_after_its_sbatch_is_dead_is_found_and_not_sent_again(
    trip: Trip,
) -> None:
    run = waiting(trip)
    process = subprocess.Popen(
        [*FORGIA, "resume", run.name], env=trip.environment, start_new_session=True
    )
    claim = run.path / "submissions" / "2.json"
    while not claim.exists():
        assert process.poll() is None
        time.sleep(0.001)
    trip.slurm.inside("pkill", "-STOP", "-x", "slurmctld")
    try:
        time.sleep(1)  # sbatch has sent its request, and nobody reads it
        for each in of_session(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        process.wait()
    finally:
        trip.slurm.inside("pkill", "-CONT", "-x", "slurmctld")
    deadline = time.monotonic() + 20
    while len(jobs_of(trip, run)) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    first, late = jobs_of(trip, run)
    assert told(trip, run)["job_id"] == max(first, late, key=int)
    assert "it is pending" in trip("resume", run.name, code=2).stderr
    assert len(jobs_of(trip, run)) == 2
    trip("cancel", run.name)


def test_a_job_that_slurmctld_lost_is_never_mistaken_for_the_one_that_got_its_id(
    trip: Trip,
) -> None:
    """Killed before it saves its state, slurmctld forgets what it has acknowledged and gives the id away."""
    state = trip.slurm.directory / "state"
    kept = trip.slurm.directory / "state.kept"
    asked = time.time()
    trip.slurm.run(["scontrol", "reconfigure"])  # saves what there is, and opens the door
    trip.hold_the_door()
    while (state / "job_state").stat().st_mtime < asked:  # else it forgets an earlier job too
        assert time.time() < asked + 60, "slurmctld does not save its state"
        time.sleep(0.2)
    time.sleep(2)
    shutil.copytree(state, kept)
    run, job = trip.submit("command", "--", *SLEEP)
    trip.slurm.inside("pkill", "-KILL", "-x", "slurmctld")
    shutil.rmtree(state)
    kept.rename(state)
    trip.slurm.inside("slurmctld")
    other, number = trip.submit("command", "--", "true")
    assert number == job
    found = told(trip, run)
    assert (found["state"], found["job_id"]) == ("vanished", job), found
    assert told(trip, other)["job_id"] == job
    again = json.loads(trip("resume", run.name, "--json").stdout)["runs"][run.name]
    assert again["name"] == f"forgia-{run.name}.2"
    assert jobs_of(trip, run) == [again["job_id"]]
    trip("cancel", run.name, other.name)


def test_two_that_resume_at_the_same_instant_send_one_job(trip: Trip) -> None:
    run = waiting(trip)
    both = [
        subprocess.Popen(
            [*FORGIA, "resume", run.name], env=trip.environment, stderr=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    assert sorted(process.wait() for process in both) in ([0, 2], [0, 4])
    assert len(jobs_of(trip, run)) == 2
    trip("cancel", run.name)


def test_a_running_job_queues_its_next_link_once(trip: Trip) -> None:
    trip.open_the_door()
    resume = (
        f"{sys.executable} -P -m forgia_hpc.cli.main resume $(dirname $FORGIA_OUTPUT) --next-link"
    )
    program = f"test $FORGIA_ATTEMPT = 1 && exit 0; {resume}; {resume}; sleep 5; exit 7"
    run, job = trip.submit("command", "--", "sh", "-c", program)
    deadline = time.monotonic() + 60
    while len(jobs_of(trip, run)) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert told(trip, run)["state"] == "running"
    (link,) = {*jobs_of(trip, run)} - {job}
    assert trip.shown(link)["Dependency"].startswith(f"afterany:{job}")
    trip.until(link, "COMPLETED")
    assert len(jobs_of(trip, run)) == 2
    assert told(trip, run)["state"] == "completed"
