"""A small training on a dev Slurm, as the tests of endings, of walltimes and of stalls share it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from slurm.trip import Trip

from forgia_hpc.metrics import read_metrics
from forgia_hpc.rundir import RunDir

SLOW = (
    "model.family=own_model:OwnForecaster",  # with dropout: its random states must come back too
    "model.options={pause_s: 1.0}",  # slept and not computed: the machine does other things too
)
NEVER = 100_000
KILL = """
import os, pathlib, signal, sys
run, word = sys.argv[1:]
for entry in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        words = (entry / "cmdline").read_bytes().decode().split("\\0")
    except OSError:
        continue
    wanted = words[0] == "srun" if word == "srun" else words[1:3] == ["-m", word]
    if wanted and any(run in each for each in words):
        os.kill(int(entry.name), signal.SIGKILL)
"""


def training(steps: int, *more: str, every: int = NEVER, nodes: int = 1) -> tuple[str, ...]:
    """Return the words of a training with one rank a node that saves every so many steps."""
    return (
        "train",
        f"resources.nodes={nodes}",
        "resources.ranks_per_node=1",
        "resources.cpus_per_rank=1",
        "resources.mem_gb=8",
        "data.dataset=demo_press",
        "data.context=64",
        "data.horizon=16",
        "parallel.precision=fp32",
        "train.global_batch=4",
        f"train.checkpoint_every={every}",
        "evaluate.enabled=false",
        f"train.steps={steps}",
        *more,
    )


def ready(slurm, root: Path) -> Trip:
    """Return a trip with settings, data and a model of its own, and make the dataset."""
    trip, site = Trip(slurm, root), root / "site"
    site.mkdir()
    shutil.copy(Path(__file__).parents[1] / "ranks" / "own_model.py", site)
    trip.environment |= {
        "FORGIA_PATH": str(site),
        "FORGIA_DATA": str(root / "data"),
        "XDG_CONFIG_HOME": str(root / "config"),
    }
    trip("data", "ingest", "demo_press")
    return trip


def kill(trip: Trip, run: RunDir, word: str) -> None:
    """Kill a run's `srun`, or its processes of one of our modules."""
    trip.slurm.inside("python3", "-c", KILL, str(run.path), word)


def losses(run: RunDir) -> dict[int, float]:
    """Return the loss of every step; of one that was done twice the later."""
    return {row["step"]: row["loss"] for row in read_metrics(run.metrics)}


def steps_told(run: RunDir) -> list[int]:
    """Return the step of every line, those done twice among them."""
    return [json.loads(line)["step"] for line in run.metrics.read_text().splitlines()]
