"""A campaign on a real Slurm: two groups as steps on two nodes, cut by the walltime, and the same in the end."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from fakes.campaign.bed import (
    HERE,
    Bed,
    account,
    ended,
    lines,
    log,
    told,
    until,
)
from slurm.trip import Trip, living_of

from forgia_hpc.errors import ExitCode
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm

ROOT = Path(__file__).resolve().parents[2]

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
    # nobody has asked for a status yet, so the job is still held when it gets its time back
    dev_slurm.run(["scontrol", "update", f"JobId={job}", "TimeLimit=10"])
    until(lambda: run.events("resubmitted"), 60)
    _wait(trip, run)
    assert run.events("stop_asked")[0].facts["cause"] == "walltime"
    first, *_, last = run.events("batch_ended")
    assert (first.facts["exit_code"], first.facts["goes_on"]) == (ExitCode.STOPPED, "requeue")
    assert last.facts["exit_code"] == ExitCode.OK, log(run)
    endings = Counter(line["member"] for line in lines(run, "solved"))
    assert max(endings.values()) == 1, "nothing is solved twice"
    steps = {line["step"] for line in lines(run, "opened")}
    names = dev_slurm.run(
        ["sacct", "-nP", "-j", job, "--duplicates", "-o", "JobID,JobName%80"]
    ).stdout
    assert {one.partition("|")[0] for one in names.splitlines() if run.name in one} >= steps
    until(lambda: not living_of(run), 20)

    here = Bed(tmp_path / "local")
    local = here.seal(*ENSEMBLE, "resources.ranks_per_node=2")
    assert ended(local) == ExitCode.OK, log(local)
    there = tmp_path / "slurm" / "data" / "ripples"
    found = {str(p.relative_to(there)): p.read_bytes() for p in there.rglob("*") if p.is_file()}
    assert found == here.bytes()
    assert told(run)["version"] == told(local)["version"]
    assert account(run)["computed"] == account(local)["computed"]


LEFT = """
import os, signal, subprocess, sys, time
from forgia_hpc.node.steps import _steps, end_steps, name_of, step_name
def start(launch):
    words = ["srun", "--overlap", "--mem=0", "--ntasks=1", "--job-name=" + step_name("/runs/a", launch)]
    one = subprocess.Popen([*words, "sh", "-c", "exec sleep 120"])
    while not _steps([step_name("/runs/a", launch)]):
        time.sleep(0.1)
    return one
lost, beside = start("000-0.0.1"), start("000-0.0.10")
subprocess.run(["pkill", "-KILL", "-f", "^srun .*000-0.0.1 "])
lost.wait()
time.sleep(1)
print(len(_steps([name_of("/runs/a")])))
end_steps([step_name("/runs/a", "000-0.0.1")], 5)
print(len(_steps([name_of("/runs/a")])), len(_steps([step_name("/runs/a", "000-0.0.1")])), beside.poll())
end_steps([name_of("/runs/a")], 5)
print(len(_steps([name_of("/runs/a")])))
"""


def test_a_step_whose_srun_was_killed_is_ended_by_its_name(dev_slurm, tmp_path: Path) -> None:
    """Nobody was told its number; without its srun it goes on to the end of the job."""
    script = tmp_path / "left.py"
    script.write_text(LEFT)
    words = ["salloc", "--quiet", "-p", "boost_usr_prod", "-N1", "-n2", "--mem=1G", "-t", "5"]
    own = {**dev_slurm.env, "PYTHONPATH": str(ROOT)}
    said = dev_slurm.run([*words, sys.executable, script], env=own).stdout
    assert said.split() == ["2", "1", "0", "None", "0"]


def _wait(trip: Trip, run: RunDir) -> None:
    """Wait for the end; a requeued job is not kept waiting for two minutes."""
    deadline = time.monotonic() + 240
    while (last := run.events("batch_ended")[-1].facts).get("goes_on") == "requeue":
        trip("status", run.name)  # whoever asks clears the hold
        assert time.monotonic() < deadline, _seen(trip, run)
        time.sleep(1)
    assert last["exit_code"] == ExitCode.OK, _seen(trip, run)


def _seen(trip: Trip, run: RunDir) -> str:
    """Return what there is to see of a campaign that does not end as it should."""
    events = "\n".join(f"{one.what} {one.facts}" for one in run.events())
    jobs = trip.slurm.run(["scontrol", "show", "job"]).stdout
    nodes = trip.slurm.run(["sinfo", "-N", "-o", "%N %T %E"]).stdout
    said = trip("status", run.name, code=None).stdout
    return "\n\n".join((said, events, log(run), jobs, nodes))
