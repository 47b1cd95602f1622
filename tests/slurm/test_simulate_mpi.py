"""Groups whose ranks stand on two nodes of a real Slurm, wired by PMIx: gathered, and written by all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.campaign.bed import HERE, Bed, lines, log, told, until
from slurm.trip import Trip

from forgia_hpc.errors import ExitCode

pytestmark = pytest.mark.slurm

PARALLEL = Path(__file__).resolve().parents[2] / ".venv-parallel/bin/python"  # .ci/parallel-hdf5
ENSEMBLE = (
    "ensemble.members=6", "ensemble.refine_share=0", "ensemble.ranks_per_member=2",
    "ensemble.member_s=60",
)  # fmt: skip
NODES = (
    "resources.nodes=2", "resources.ranks_per_node=1", "resources.cpus_per_rank=1",
    "resources.mem_gb=1", "resources.walltime=00:10:00",
)  # fmt: skip


def test_both_writers_on_two_nodes_make_one_dataset(dev_slurm, tmp_path: Path) -> None:
    """The job runs the Python that submitted it: the second one has parallel HDF5."""
    assert PARALLEL.exists(), "make it with .ci/parallel-hdf5"
    found = []
    for writer, python in (("gather", None), ("mpio", str(PARALLEL))):
        root = tmp_path / writer
        trip = Trip(dev_slurm, root, *([python] if python else []))
        trip.runs.mkdir(parents=True)
        own = {"FORGIA_PATH": str(HERE), "FORGIA_DATA": str(root / "data")}
        words = ("solver=ripples", "ensemble=ripples", *ENSEMBLE, f"ensemble.writer={writer}")
        run, _ = trip.submit("simulate", *words, *NODES, **own)
        until(lambda run=run: run.events("batch_ended"), 150)
        assert run.events("batch_ended")[-1].facts["exit_code"] == ExitCode.OK, log(run)
        assert told(run)["admitted"] == 6
        (step,) = {line["step"] for line in lines(run, "opened")}
        asked = ["sacct", "-nP", "-j", step, "-o", "JobID,NNodes,NTasks"]
        until(lambda asked=asked, step=step: f"{step}|2|2" in dev_slurm.run(asked).stdout)
        sums = [line["sums"]["fields/temperature"] for line in lines(run, "solved")]
        assert {isinstance(one, str) for one in sums} == {writer == "gather"}
        found.append(Bed(root).bytes())
    assert found[0] == found[1]


def test_groups_of_mpirun_stand_on_the_nodes_they_were_given(dev_slurm, tmp_path: Path) -> None:
    """Two groups side by side: one on the first two nodes of four, one on the others."""
    trip = Trip(dev_slurm, tmp_path)
    trip.runs.mkdir(parents=True)
    own = {"FORGIA_PATH": str(HERE), "FORGIA_DATA": str(tmp_path / "data")}
    slow = ("ensemble.block=1", "solver.options={sleep_s: 0.3}")
    words = ("solver=ripples", "ensemble=ripples", *ENSEMBLE, *slow, *NODES)
    run, job = trip.submit("simulate", "launch=mpirun", *words, "resources.nodes=4", **own)
    until(lambda: run.events("batch_ended"), 150)
    assert run.events("batch_ended")[-1].facts["exit_code"] == ExitCode.OK, log(run)
    assert told(run)["admitted"] == 6
    assert not list(lines(run, "lost"))
    asked = ["sacct", "-nP", "-j", job, "-o", "JobName,NodeList"]
    # mpirun itself stands on the first node, and starts its daemons on all others
    until(lambda: {"orted|n2", "orted|n[3-4]"} <= {*dev_slurm.run(asked).stdout.split()}, 20)
