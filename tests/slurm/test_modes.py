"""Every way to start the ranks on a real Slurm: each rank in its place, with a log of its own, and a verdict."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fakes.apptainer import install_apptainer, told
from slurm.trip import PARTITION, Trip

from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm

CLUSTERS = Path(__file__).resolve().parents[2] / "slurm" / "clusters"
# few cores and little memory: the jobs of all modes run side by side
SMALL = (
    "resources.nodes=2",
    "resources.ranks_per_node=2",
    "resources.cpus_per_rank=1",
    "resources.mem_gb=2",
)
PLACE = (
    "import os; e = os.environ; print(e['SLURMD_NODENAME'], e['RANK'], e['WORLD_SIZE'], "
    "e['LOCAL_RANK'], e['MASTER_ADDR'] and int(e['MASTER_PORT']) > 1023)"
)
MPI = "from mpi4py import MPI; c = MPI.COMM_WORLD; print(c.rank, c.size, c.allreduce(c.rank))"


@pytest.fixture
def trip(dev_slurm, tmp_path: Path):
    """The dev Slurm under a profile of our own, which says how MPI and containers start here."""
    text = (CLUSTERS / "dev.yaml").read_text()
    mine = tmp_path / "mine" / "slurm" / "clusters" / "boxed.yaml"
    mine.parent.mkdir(parents=True)
    own = "  mpi: pmix\n  container: {runtime: apptainer, gpu_flag: --nv}\n"
    mine.write_text(
        text.replace("name: dev\n", "name: boxed\n").replace("software:\n", f"software:\n{own}")
    )
    found = Trip(dev_slurm, tmp_path)
    found.environment["FORGIA_PATH"] = str(tmp_path / "mine")
    return found


def logs(run: RunDir) -> list[str]:
    return [(run.logs / f"rank-{rank}.log").read_text().strip() for rank in range(4)]


def test_each_mode_puts_each_rank_in_its_place(trip: Trip) -> None:
    def begin(launch: str, code: str) -> RunDir:
        words = ("command", "cluster=boxed", f"launch={launch}", *SMALL)
        return trip.submit(*words, "--", sys.executable, "-c", code)[0]

    placed = {mode: begin(mode, PLACE) for mode in ("srun", "srun_mpi", "mpirun", "torchrun")}
    over_mpi = {mode: begin(mode, MPI) for mode in ("srun_mpi", "mpirun")}
    trip("wait", *(run.name for run in (*placed.values(), *over_mpi.values())))
    for mode, run in placed.items():
        places = [line.split() for line in logs(run)]
        assert [words[1:] for words in places] == [
            [str(rank), "4", str(rank % 2), "True"] for rank in range(4)
        ], mode
        assert places[0][0] == places[1][0] != places[2][0] == places[3][0], mode
    for mode, run in over_mpi.items():
        assert logs(run) == [f"{rank} 4 6" for rank in range(4)], mode


def test_a_failed_rank_fails_the_job_and_is_named(trip: Trip) -> None:
    fails = "import os; raise SystemExit(9 if os.environ['RANK'] == '3' else 0)"
    dies = (
        "import os, signal, time; time.sleep(0 if os.environ['RANK'] == '3' else 60); "
        "os.kill(os.getppid(), signal.SIGKILL)"
    )
    runs = {}
    for launch in ("srun_mpi", "mpirun", "torchrun"):
        for word, code in (("exit code 9", fails), ("kill", dies)):
            words = ("command", "cluster=boxed", f"launch={launch}", *SMALL, "--")
            runs[launch, word] = trip.submit(*words, sys.executable, "-c", code)[0]
    trip("wait", *(run.name for run in runs.values()), code=None)
    for (launch, word), run in runs.items():
        said = run.events("batch_ended")[-1].facts
        assert said["exit_code"] == 3, launch
        assert "rank 3 on n" in said["why"], launch
        assert word in said["why"].lower(), launch


def test_a_run_inside_salloc_uses_its_nodes(trip: Trip) -> None:
    salloc = ("salloc", "-p", PARTITION, "-N2", "--mem=2G", "-t", "5", "--ntasks-per-node=2")
    run = ("run", "command", "--json", "cluster=boxed", *SMALL)
    forgia = (sys.executable, "-P", "-m", "forgia_hpc.cli.main", *run)
    shown = (*forgia, "--", sys.executable, "-c", PLACE)
    done = trip.slurm.run([*salloc, *shown], env=trip.environment)
    places = [line.split() for line in logs(RunDir(Path(json.loads(done.stdout)["path"])))]
    assert [words[1] for words in places] == ["0", "1", "2", "3"]
    assert places[0][0] == places[1][0] != places[2][0] == places[3][0]


def test_a_program_in_a_container_on_two_nodes(trip: Trip, tmp_path: Path) -> None:
    record = install_apptainer(tmp_path / "bin")
    image = tmp_path / "torch.sif"
    image.write_bytes(b"an image")
    path = {"PATH": f"{tmp_path / 'bin'}:{trip.environment['PATH']}"}
    words = ("command", "cluster=boxed", f"container.image={image}", *SMALL)
    run, _ = trip.submit(*words, "--", sys.executable, "-c", PLACE, **path)
    trip("wait", run.name)
    assert [line.split()[1] for line in logs(run)] == ["0", "1", "2", "3"]
    starts = told(record)
    assert len(starts) == 4
    assert {start["image"] for start in starts} == {str(image)}
    assert {start["env"]["APPTAINERENV_WORLD_SIZE"] for start in starts} == {"4"}
