"""Receipts against a real Slurm: together they are what sacct says, to the second."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm.trip import Trip

from forgia_hpc.jobs import journal
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm
SHAPE = ("resources.cpus_per_rank=4", "resources.mem_gb=2", "resources.walltime=00:10:00")


def program(text: str) -> tuple[str, ...]:
    return ("--", sys.executable, "-c", text)


def nap(seconds: float) -> tuple[str, ...]:
    return program(f"import time; time.sleep({seconds})")


@pytest.fixture
def trip(dev_slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trip]:
    monkeypatch.setenv("FORGIA_DEV_SLURM", str(dev_slurm.directory))
    found = Trip(dev_slurm, tmp_path)
    found.runs.mkdir()
    found.environment["COLUMNS"] = "150"
    yield found
    found.open_the_door()


def receipts(trip: Trip, runs: list[RunDir]) -> dict[str, dict]:
    said = json.loads(trip("receipt", "--json", *(run.name for run in runs)).stdout)
    return {one["run"]: one for one in said["receipts"]}


def accounted(slurm, runs: list[RunDir]) -> tuple[int, int, int]:
    """Ask sacct ourselves: attempts, CPU seconds and billing seconds of every job of these runs."""
    words = ["sacct", "-D", "-X", "-n", "-P", "-a", "--starttime=now-1hour"]
    out = slurm.run([*words, "--format=JobName,ElapsedRaw,CPUTimeRAW,AllocTRES"]).stdout
    rows = cpu = billing = 0
    for name, seconds, cpus, tres in (line.split("|") for line in out.splitlines()):
        if any(name.startswith(f"forgia-{run.name}") for run in runs) and int(seconds):
            facts = dict(part.split("=") for part in tres.split(","))
            rows, cpu = rows + 1, cpu + int(cpus)
            billing += int(facts["billing"]) * int(seconds)
    return rows, cpu, billing


def as_an_array(trip: Trip, run: RunDir) -> str:
    """Submit three tasks under the run's next token, as a sweep does."""
    entry = journal.claim(run, journal.next_number(run))
    words = ["sbatch", "--parsable", f"--job-name={entry.name}", "--array=0-2", "--time=5"]
    shape = ["--partition=boost_usr_prod", "--cpus-per-task=2", "--mem=1G", "--output=/dev/null"]
    script = "sleep $((1 + SLURM_ARRAY_TASK_ID)); exit $SLURM_ARRAY_TASK_ID"
    job = trip.slurm.run([*words, *shape, "--wrap", script]).stdout.strip()
    run.event("submitted", job_id=job, name=entry.name, number=entry.number, points=3)
    return job


def test_receipts_sum_to_sacct_over_requeues_arrays_and_failures(trip: Trip) -> None:
    trip.hold_the_door()  # else the first may be done before the one that waits for it is submitted
    well, well_id = trip.submit("command", *SHAPE, *nap(2))
    after, after_id = trip.submit("command", *SHAPE, "--after", well.name, *nap(1))
    trip.open_the_door()
    bad, bad_id = trip.submit("command", *SHAPE, *program("raise SystemExit(7)"))
    again, again_id = trip.submit("command", *SHAPE, *nap(100))
    trip.until(again_id, "RUNNING")
    time.sleep(1.5)
    trip.slurm.run(["scontrol", "requeue", again_id])
    trip.until(again_id, "PENDING")
    trip.slurm.run(["scontrol", "update", f"JobId={again_id}", "StartTime=now+2"])
    trip.until(again_id, "RUNNING")
    time.sleep(1.5)
    unsettled = receipts(trip, [again])[again.name]
    assert unsettled["standing"] == "provisional"
    trip("cancel", again.name)
    array = as_an_array(trip, bad)
    for job in (well_id, after_id, bad_id, again_id):
        trip.until(job, "COMPLETED", "FAILED", "CANCELLED")
    deadline = time.monotonic() + 30
    while trip.slurm.run(["squeue", "-h", "-j", array], check=False).stdout.strip():
        assert time.monotonic() < deadline
        time.sleep(0.3)
    runs = [well, after, bad, again]
    trip("wait", *(run.name for run in runs), code=None)
    deadline = time.monotonic() + 60  # slurmdbd learns of an end some seconds later
    found = receipts(trip, runs)
    while any(one["standing"] != "settled" for one in found.values()):
        assert time.monotonic() < deadline
        found = receipts(trip, runs)
    rows, cpu, billing = accounted(trip.slurm, runs)
    assert sum(len(one["attempts"]) for one in found.values()) == rows == 8
    assert sum(one["cpu_seconds"] for one in found.values()) == cpu
    assert sum(one["billing_seconds"] for one in found.values()) == billing
    assert [a["state"] for a in found[again.name]["attempts"]] == ["REQUEUED", "CANCELLED"]
    _waits_are_told_apart(found[after.name]["wait"], found[again.name]["wait"])
    assert found[again.name]["work"]["useful_s"] == 0
    for one in found.values():
        assert one["energy"]["source"] == "model"
        assert 0 < one["energy"]["low_kwh"] < one["energy"]["kwh"] < one["energy"]["high_kwh"]
    _survives_no_edit(trip, well)


def _waits_are_told_apart(dependent: dict, requeued: dict) -> None:
    assert dependent["dependency_s"] >= 2  # the predecessor's time is not time in the queue
    assert dependent["queue_s"] <= 15  # some turns of the scheduler
    assert requeued["dependency_s"] == 0
    assert requeued["known"]


def _survives_no_edit(trip: Trip, run: RunDir) -> None:
    path = run.path / "receipt.json"
    content = json.loads(path.read_text())
    content["billed"]["amount"] = 0.0
    path.write_text(json.dumps(content))
    assert "edited" in trip("receipt", run.name, code=5).stderr
    trip("receipt", "--again", run.name)


def test_without_accounting_it_stays_provisional_and_says_so(
    dev_slurm_without_accounting, tmp_path: Path
) -> None:
    trip = Trip(dev_slurm_without_accounting, tmp_path)
    trip.runs.mkdir()
    run, job = trip.submit("command", *SHAPE, *nap(2))
    trip.until(job, "COMPLETED")
    told = receipts(trip, [run])[run.name]
    assert (told["standing"], told["why"]) == ("provisional", "provisional: no accounting")
    assert told["billed"]["by"] == "rule"
    elapsed = told["attempts"][0]["elapsed_s"]
    assert told["billed"]["amount"] == pytest.approx(4 * elapsed / 3600, abs=1e-5)
