"""A campaign on a real Slurm: two groups as steps on two nodes, cut by the walltime, and the same in the end."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from fakes.campaign.bed import HERE, Bed, account, ended, lines, log, told, until
from slurm.trip import Trip, living_of

from forgia_hpc.errors import ExitCode

pytestmark = pytest.mark.slurm

ENSEMBLE = (
    "ensemble.members=60",
    "ensemble.block=4",
    "ensemble.member_s=60",
    "solver.options={sleep_s: 0.4}",
)
NODES = (
    "resources.nodes=2", "resources.ranks_per_node=1", "resources.cpus_per_rank=1",
    "resources.mem_gb=1", "resources.walltime=00:10:00",
)  # fmt: skip


def test_a_campaign_cut_by_its_walltime_goes_on_and_ends_as_a_local_one(
    dev_slurm, tmp_path: Path
) -> None:
    trip = Trip(dev_slurm, tmp_path / "slurm")
    trip.runs.mkdir(parents=True)
    own = {"FORGIA_PATH": str(HERE), "FORGIA_DATA": str(tmp_path / "slurm" / "data")}
    words = ("simulate", "solver=ripples", "ensemble=ripples", *ENSEMBLE, *NODES)
    run, job = trip.submit(*words, **own)
    until(lambda: sum(1 for _ in lines(run, "solved")) >= 8, 120)
    # a walltime is a minute at least: the end is brought near, and Slurm's warning with it
    dev_slurm.run(["scontrol", "update", f"JobId={job}", "TimeLimit=1"])
    dev_slurm.run(["scancel", "--signal=USR1", "--batch", job])
    until(lambda: run.events("stop_asked"), 60)
    dev_slurm.run(["scontrol", "update", f"JobId={job}", "TimeLimit=10"])
    until(lambda: run.events("resubmitted"), 60)
    _wait(trip, run)
    assert run.events("stop_asked")[0].facts["cause"] == "walltime"
    first, *_, last = run.events("batch_ended")
    assert (first.facts["exit_code"], first.facts["goes_on"]) == (ExitCode.STOPPED, "requeue")
    assert last.facts["exit_code"] == ExitCode.OK, log(run)
    endings = Counter(line["member"] for line in lines(run, "solved"))
    assert max(endings.values()) == 1, "nothing is solved twice"
    assert all(line["step"] for line in lines(run, "opened")), "each group is a step"
    until(lambda: not living_of(run), 20)

    here = Bed(tmp_path / "local")
    local = here.seal(*ENSEMBLE, "resources.ranks_per_node=2")
    assert ended(local) == ExitCode.OK, log(local)
    there = tmp_path / "slurm" / "data" / "ripples"
    found = {str(p.relative_to(there)): p.read_bytes() for p in there.rglob("*") if p.is_file()}
    assert found == here.bytes()
    assert told(run)["version"] == told(local)["version"]
    assert account(run)["computed"] == account(local)["computed"]


def _wait(trip: Trip, run) -> None:
    """Wait for the end; a requeued job is not kept waiting for two minutes."""
    deadline = time.monotonic() + 150
    while not run.result.exists() and time.monotonic() < deadline:
        trip("status", run.name)  # whoever asks clears the hold
        time.sleep(1)
    until(lambda: run.events("batch_ended")[-1].facts["exit_code"] == ExitCode.OK, 30)
