"""Runs and real ranks for the tests: a small sealed dataset, a run directory, child processes."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from safetensors.numpy import load_file

from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.layout import Channel, Contribution, Segment, Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.writer import seal
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.evaluation import Evaluate
from forgia_hpc.schema.job import TrainJob
from forgia_hpc.schema.model import Model
from forgia_hpc.schema.training import Optimizer, Parallel, Precision, Train

HERE = Path(__file__).parent
DATA = Data(dataset="waves", context=32, min_context=16, horizon=8, channels=2, temperature=0.5)


def sealed_waves(root: Path) -> Path:
    """Two machines with three noisy channels each; gaps in one."""
    chance = np.random.default_rng(7)
    channels = tuple(
        Channel(
            name=name,
            ucum="1",
            quantity="signal",
            semantic_id=f"https://forgia.example/signal/{name}",
        )
        for name in ("first", "second", "third")
    )
    steps = np.arange(400)
    segments = []
    for machine in range(2):
        values = np.stack([np.sin(steps / (5 + 3 * each + machine)) for each in range(3)])
        values = (values + chance.normal(0, 0.1, values.shape)).astype(np.float32)
        values[1, 50:60] = np.nan
        segments.append(
            Segment(
                asset=f"machine_{machine}",
                group="machines",
                split=Split.train,
                channels=channels,
                values=values.astype(np.float64),
                t0_ns=None,
                rate_num=1,
                rate_den=1,
            )
        )
    card = {
        "format": "forgia.card/1",
        "name": "waves",
        "title": "Waves",
        "contributor": "tests",
        "description": "Sines with noise.",
        "licence": "CC0-1.0",
        "source": "made here",
    }
    directory = root / "waves"
    seal(Contribution(name="waves", contributor="tests", segments=tuple(segments)), card, directory)
    return directory


def waves_job(stage: int, precision: Precision, **words: Any) -> TrainJob:
    train = {"steps": 12, "global_batch": 8, "checkpoint_every": 4, **words.pop("train", {})}
    return TrainJob(
        seed=words.pop("seed", 3),
        data=DATA,
        model=Model(name="own", family="own_model:OwnForecaster", options=words.pop("options", {})),
        parallel=Parallel(zero_stage=stage, precision=precision, **words.pop("parallel", {})),
        optimizer=Optimizer(learning_rate=3e-3),
        train=Train(**train),
        evaluate=Evaluate(enabled=False),
        **words,
    )


def new_run(root: Path, job: TrainJob, dataset: Path) -> RunDir:
    run = RunDir(root / f"20260101-000000-train-{secrets.token_hex(3)}")
    run.inputs.mkdir(parents=True)
    (run.path / "logs").mkdir()
    OmegaConf.save(OmegaConf.structured(job), run.config)
    write_json(run.inputs / "grant.json", make_grant(load_manifest(dataset), job.data))
    return run


@dataclass
class Ranks:
    """Ranks of one attempt as child processes."""

    run: RunDir
    processes: list[subprocess.Popen[bytes]]

    def wait(self, seconds: float = 180) -> list[int]:
        deadline = time.monotonic() + seconds
        try:
            return [one.wait(max(0.1, deadline - time.monotonic())) for one in self.processes]
        finally:
            for one in self.processes:
                one.kill()
                one.wait()

    def log(self, rank: int) -> str:
        return (self.run.logs / f"rank-{rank}.log").read_text(errors="replace")


def start(run: RunDir, size: int, attempt: int = 0, **variables: str) -> Ranks:
    launch = secrets.token_hex(4)
    processes = []
    for rank in range(size):
        own = {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)]),
            "DS_ACCELERATOR": "cpu",
            "OMP_NUM_THREADS": "1",
            "FORGIA_ATTEMPT": str(attempt),
            "FORGIA_LAUNCH": launch,
            "FORGIA_RENDEZVOUS_S": "60",
            "RANK": str(rank),
            "WORLD_SIZE": str(size),
            "LOCAL_RANK": str(rank),
            "LOCAL_WORLD_SIZE": str(size),
            **variables,
        }
        with (run.logs / f"rank-{rank}.log").open("ab") as log:
            argv = [sys.executable, str(HERE / "one_rank.py"), str(run.path)]
            processes.append(subprocess.Popen(argv, stdout=log, stderr=log, env=own))
    return Ranks(run, processes)


def trained(run: RunDir, size: int, attempt: int = 0, **variables: str) -> dict[str, Any]:
    ranks = start(run, size, attempt, **variables)
    codes = ranks.wait()
    assert codes == [0] * size, "\n".join(ranks.log(rank)[-4000:] for rank in range(size))
    figures: dict[str, Any] = json.loads((run.output / "train.json").read_text())
    return figures


def weights_digest(run: RunDir) -> str:
    facts = json.loads((run.output / "model" / "model.json").read_text())
    return str(facts["sha256"])


def weights(run: RunDir) -> dict[str, Any]:
    return dict(load_file(run.output / "model" / "model.safetensors"))


def wait_for_step(run: RunDir, step: int, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if run.metrics.exists() and f'"step": {step},' in run.metrics.read_text():
            return
        time.sleep(0.02)
    raise AssertionError(f"no step {step} in {seconds} s")
