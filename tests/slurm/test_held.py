"""Jobs that a real Slurm holds: told in a line, released and not sent again; and a signal that comes too early."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm.conftest import DevSlurm, raised
from slurm.trip import SLEEP, Trip, living_of

from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm

SMALL = ("command", "resources.cpus_per_rank=1", "resources.mem_gb=1")


@pytest.fixture(scope="module")
def trip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trip]:
    with raised("--no-accounting") as slurm:  # its own: a prolog that fails drains nodes
        yield Trip(slurm, tmp_path_factory.mktemp("held"))


def told(trip: Trip, run: RunDir) -> dict:
    return json.loads(trip("status", run.name, "--json").stdout)["runs"][0]


def jobs_of(trip: Trip, run: RunDir) -> list[str]:
    asked = ["squeue", "--noheader", "--states=all", "--format=%i %j"]
    lines = [line.split() for line in trip.slurm.run(asked).stdout.splitlines()]
    return [job for job, name in lines if name.startswith(f"forgia-{run.name}")]


def held(trip: Trip, word: str) -> tuple[RunDir, str]:
    trip.hold_the_door()
    run, job = trip.submit(*SMALL, "--", "true")
    trip.slurm.run(["scontrol", word, job])
    trip.open_the_door()
    return run, job


def prolog(slurm: DevSlurm, path: str) -> None:
    lines = slurm.conf.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("Prolog=")]
    slurm.conf.write_text("\n".join([*kept, *([f"Prolog={path}"] if path else [])]) + "\n")
    slurm.run(["scontrol", "reconfigure"])


def test_a_job_that_its_owner_holds_is_released_and_no_other_is_sent(trip: Trip) -> None:
    run, job = held(trip, "uhold")
    found = told(trip, run)
    assert found["state"] == "held"
    assert f"forgia resume {run.name} releases it" in found["why"]
    assert "held by its owner" in trip("wait", run.name, "--timeout", "60", code=6).stdout
    said = json.loads(trip("resume", run.name, "--json").stdout)["runs"][run.name]
    assert (said["job_id"], said["released"]) == (job, True)
    trip("wait", run.name, "--timeout", "100")
    assert jobs_of(trip, run) == [job]
    (event,) = run.events("released")
    assert event.facts["reason"] == "JobHeldUser"
    assert len(list((run.path / "submissions").iterdir())) == 1


def test_what_an_operator_holds_is_his_to_release(trip: Trip) -> None:
    run, job = held(trip, "hold")
    assert told(trip, run)["state"] == "pending"
    assert "ask the cluster's support" in trip("resume", run.name, code=2).stderr
    trip("wait", run.name, "--timeout", "2", code=4)
    assert trip.shown(job)["Reason"] == "JobHeldAdmin"
    trip("cancel", run.name)


def test_a_job_whose_start_failed_goes_on_once_it_is_released(trip: Trip, tmp_path: Path) -> None:
    bad = tmp_path / "prolog"
    bad.write_text("#!/bin/sh\nexit 1\n")
    bad.chmod(0o755)
    prolog(trip.slurm, str(bad))
    said = json.loads(trip("run", *SMALL, "cluster=dev", "--json", "--", "true", code=6).stdout)
    run, job = RunDir(Path(said["path"])), said["job_id"]
    assert "its start failed on a node, and Slurm holds it (launch failed requeued held)" in (
        trip("wait", run.name, "--timeout", "100", code=6).stdout
    )
    prolog(trip.slurm, "")
    for node in ("n1", "n2", "n3", "n4"):  # the one that failed is drained
        words = ["scontrol", "update", f"NodeName={node}", "State=RESUME"]
        trip.slurm.run(words, check=False)
    assert trip("resume", run.name).stdout.strip() == f"{run.name}  job {job} released"
    # without the look that clears the two minutes after a requeue it would take longer
    trip("wait", run.name, "--timeout", "60")
    assert jobs_of(trip, run) == [job]


def test_points_and_members_that_are_held_are_released_together(trip: Trip, tmp_path: Path) -> None:
    file = tmp_path / "chain.yaml"
    file.write_text(
        "one: {kind: command, argv: ['true']}\ntwo: {kind: command, argv: ['true'], after: [one]}\n"
    )
    words = ("cluster=dev", *SMALL[1:], "--json")
    trip.hold_the_door()
    chain = json.loads(trip("submit", "chain", f"chain={file}", *words).stdout)
    sweep = json.loads(trip("sweep", *SMALL[:1], "seed=1,2", *words, "--", "true").stdout)
    jobs = [chain["members"]["one"]["job_id"], sweep["submitted"][0]["job_id"]]
    for job in jobs:
        trip.slurm.run(["scontrol", "uhold", job])
    trip.open_the_door()
    for whole in (chain["run"], sweep["run"]):
        said = trip("wait", whole, "--timeout", "60", code=6).stdout
        assert f"forgia resume {whole} releases" in said
        trip("resume", whole)
        trip("wait", whole, "--timeout", "100")


def test_a_held_job_can_be_cancelled(trip: Trip) -> None:
    run, job = held(trip, "uhold")
    trip("cancel", run.name)
    assert trip.shown(job)["JobState"] == "CANCELLED"
    assert told(trip, run)["state"] == "cancelled"


def test_a_signal_while_the_batch_step_still_starts_is_heard_and_ends_nothing(trip: Trip) -> None:
    run, job = trip.submit(*SMALL, "--", *SLEEP)
    deadline = time.monotonic() + 60
    while not any("forgia_hpc.node.batch" in line for line in living_of(run)):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert not run.events("batch_started")
    trip.slurm.run(["scancel", "--batch", "--signal=USR1", job])
    trip.started(run)
    # the first may have come while nobody could hear it
    trip.slurm.run(["scancel", "--batch", "--signal=USR1", job], check=False)
    assert "stopped" in trip("wait", run.name, "--timeout", "60", code=6).stdout
