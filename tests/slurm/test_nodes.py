"""Nodes that stall or die under whole jobs, on a real Slurm: the runs go on elsewhere, nobody is left behind."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm.conftest import DEV, raised
from slurm.training import losses, ready, training
from slurm.trip import Trip, living_of

from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm

STEPS = 160
PAUSE = ("model.family=own_model:OwnForecaster", "model.options={pause_s: 0.4}")
ONE = training(STEPS, *PAUSE, every=10)
STALL = ("train.stall_s=6", "resources.mem_gb=480")
JOBS = {
    "stalled": training(STEPS, *PAUSE, *STALL, every=10, nodes=2),
    "killed": (*ONE, "resources.mem_gb=480"),  # that of a whole node, so that each job has its own
    "two": (*ONE, "resources.ranks_per_node=2"),
    "one": ONE,
}
SILENT_S = 15  # after which a slurmd is a failed node


@dataclass
class Bed:
    """Disturbed runs beside undisturbed ones of the same words, and what `forgia status` says of each."""

    trip: Trip
    runs: dict[str, RunDir]
    jobs: dict[str, str]
    told: dict[str, dict]

    def submit(self, name: str) -> None:
        words = (*JOBS[name], "resources.walltime=00:30:00")
        self.runs[name], self.jobs[name] = self.trip.submit(*words)

    def saves(self, name: str) -> bool:
        return bool(self.runs[name].events("checkpoint_saved"))


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with raised(f"--slurmd-timeout={SILENT_S}") as slurm:
        trip = ready(slurm, tmp_path_factory.mktemp("nodes"))
        found = Bed(trip, {}, {}, {})
        for name in ("killed", "stalled"):
            found.submit(name)
        # before it is done: the node is found out a ping after SILENT_S
        until(lambda: found.saves("killed"))
        node = kill_slurmd(found, "killed")
        until(lambda: found.saves("stalled"))
        stop_a_rank(found.runs["stalled"])
        for name in ("two", "one"):
            found.submit(name)
        trip("wait", "--timeout", "300", *(run.name for run in found.runs.values()))
        names = [run.name for run in found.runs.values()]
        said = json.loads(trip("status", *names, "--json").stdout)["runs"]
        by_run = {each["run"]: each for each in said}
        found.told = {name: by_run[run.name] for name, run in found.runs.items()}
        slurm.inside(DEV / "node", slurm.directory, node)
        yield found


def until(true: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def kill_slurmd(bed: Bed, name: str) -> str:
    """Kill the slurmd of a job's node and nothing else: its batch step and its rank live on."""
    node = bed.trip.shown(bed.jobs[name])["NodeList"]
    bed.trip.slurm.inside("pkill", "-KILL", "-f", f"^slurmd -N {node} ")
    return node


def stop_a_rank(run: RunDir) -> None:
    """Stop the rank on the second node, as a node that hangs would."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            seen = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if (
            words[1:4] == ["-m", "forgia_hpc.node.entry", str(run.path)]
            and "SLURM_PROCID=1" in seen
        ):
            os.kill(int(entry.name), signal.SIGSTOP)


def nodes_of(run: RunDir) -> list[str]:
    return [event.facts["nodes"] for event in run.events("batch_started")]


def test_a_stalled_job_is_requeued_without_the_node_it_blames(bed: Bed) -> None:
    run, told = bed.runs["stalled"], bed.told["stalled"]
    (stall,) = run.events("stalled")
    assert (stall.facts["verdict"], stall.facts["ranks"]) == ("dead rank", [1])
    (node,) = stall.facts["nodes"]
    assert bed.trip.shown(bed.jobs["stalled"])["ExcNodeList"] == node
    assert len(nodes_of(run)) == 2
    assert told["state"] == "completed"
    assert told["why"] == f"attempt 0 stalled: dead rank 1 on {node}; requeued without {node}"
    assert "no sign of life" in " ".join(told["evidence"])
    assert "rank-0.stack" in stall.facts["stacks"], "the stacks of those who waited"
    assert losses(run) == losses(bed.runs["two"])


def test_a_job_whose_slurmd_was_killed_goes_on_elsewhere(bed: Bed) -> None:
    run, told = bed.runs["killed"], bed.told["killed"]
    first, second = nodes_of(run)
    assert first != second
    assert told["state"] == "completed"
    assert told["why"] == f"attempt 0 was lost: node {first} failed"
    assert any(line.startswith(f"node {first}: ") for line in told["evidence"])
    asked = ["sacct", "-D", "-X", "-n", "-P", "-j", bed.jobs["killed"], "--format=State"]
    assert bed.trip.slurm.run(asked).stdout.split() == ["NODE_FAIL", "COMPLETED"]
    assert losses(run) == losses(bed.runs["one"])


def test_the_attempt_that_was_given_up_leaves_by_itself(bed: Bed) -> None:
    run = bed.runs["killed"]
    (given,) = run.events("superseded")
    assert given.facts["attempt"] == 0
    assert [event.facts["attempt"] for event in run.events("batch_ended")] == [1]
    later = run.events("batch_started")[1]
    assert (given.time_ns - later.time_ns) / 1e9 < 20, "two attempts ran side by side"


def test_nobody_is_left_behind(bed: Bed) -> None:
    until(lambda: not [line for run in bed.runs.values() for line in living_of(run)], 30)
