"""A requeued job that somebody lets start at once: on a real Slurm that may be its end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from slurm.trip import Trip

from forgia_hpc.slurm.control import clear_hold

pytestmark = pytest.mark.slurm

SCRIPT = ("--nodes=2", "--mem=1G", "--time=10", "--requeue", "--output=/dev/null")
ROUNDS = 3


def test_a_hold_that_is_cleared_at_once_starts_the_job_and_does_not_end_it(
    dev_slurm, tmp_path: Path
) -> None:
    """With `StartTime=now` it ends as FAILED: its new credential is of the second of the old one's end."""
    trip = Trip(dev_slurm, tmp_path)
    words = ["sbatch", "--parsable", "-p", "boost_usr_prod", *SCRIPT, "--wrap", "sleep 300"]
    job = dev_slurm.run(words).stdout.strip()
    for number in range(ROUNDS):
        trip.until(job, "RUNNING", seconds=30)
        time.sleep(0.3)
        time.sleep(1 - time.time() % 1)  # the most of a second is left
        dev_slurm.run(["scontrol", "requeue", job])
        deadline = time.monotonic() + 20
        while not clear_hold(job, dev_slurm.env, now=time.time()):
            assert time.monotonic() < deadline, trip.shown(job)
        assert trip.until(job, "RUNNING", seconds=30)["Restarts"] == str(number + 1)
    dev_slurm.run(["scancel", job])
