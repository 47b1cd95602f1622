"""What counting the use of shards costs a training step, beside that step, in one process on this machine.

    python benchmarks/data/usage_cost.py [--data DIR] [--steps 60] [--batch 8] [--json FILE]

The steps are real: the reader's batch, forward, backward and Adam of telemetry_nano, the smallest model there is,
on one thread. CPU time, because the machine may be shared. Counted are noting each step's windows, adding them up,
and the document of a checkpoint every 200 steps. A dataset of many shards is counted too, against the same step.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.access.usage import Use
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import Dataset, open_dataset
from forgia_hpc.data.reading.windows import WindowIndex
from forgia_hpc.data.sampler import Sampler
from forgia_hpc.models.table import resolve
from forgia_hpc.schema.data import Data

CHECKOUT = Path(__file__).resolve().parents[2]
EVERY, NOTED = 200, 20_000  # steps between checkpoints; steps whose counting is timed


class Alone:
    """One rank."""

    def sum(self, values: Any) -> Any:
        """Return the values."""
        return np.asarray(values, np.float64)


class ManyShards:
    """A contribution of many shards, each of 100 windows of 8 series."""

    names = ("many",)

    def homes(self, _contribution: int, windows: Any) -> tuple[Any, Any]:
        """Return the shard of each window, and its series."""
        return windows // 100, np.full_like(windows, 8)


def step_seconds(index: WindowIndex, sampler: Sampler, data: Data, steps: int) -> float:
    """Return the CPU time of one training step: read, forward, backward, Adam."""
    options = yaml.safe_load((CHECKOUT / "configs/model/telemetry_nano.yaml").read_text())
    module = resolve(options["family"])(
        options["options"], context=data.context, horizon=data.horizon
    )
    optimizer = torch.optim.Adam(module.parameters())

    def one(step: int) -> None:
        batch = index.gather(sampler.batch(step))
        words = {"context": batch.context, "target": batch.target, "group": batch.group}
        loss = module(**{name: torch.from_numpy(array) for name, array in words.items()})
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for step in range(5):
        one(step)
    return cpu(lambda: [one(step) for step in range(5, 5 + steps)]) / steps


def count_seconds(use: Use, pairs: list[Any]) -> tuple[float, float]:
    """Return the CPU time of noting and adding up one step's windows, and of one checkpoint's document."""

    def note() -> None:
        for each in pairs:
            use.note(each)
        use.document(len(pairs), Alone())

    noted = cpu(note) / len(pairs)
    written = cpu(lambda: json.dumps(use.document(1, Alone())))
    return noted, written


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU time of some work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def many(batch: int, shards: int) -> tuple[Use, list[Any]]:
    """Return a ledger over many shards, and windows all over them."""
    paths = [f"shards/train-{number:05d}.h5" for number in range(shards)]
    entry = {"contribution": "many", "version": "0" * 64, "contributor": "many", "title": "Many"}
    entry |= {"licence": "MIT", "citation": "", "source": "here"}
    entry["shards"] = [{"path": path, "policy": "0" * 64} for path in paths]
    grant = {"identifier": "many@0", "version": "0" * 64, "digest": "0" * 64, "policies": {}}
    use = Use(ManyShards(), [paths], 36.0, {**grant, "contributions": [entry]})
    rng = np.random.default_rng(0)
    windows = rng.integers(0, shards * 100, (NOTED, batch))
    return use, [np.stack([np.zeros_like(one), one], 1) for one in windows]


def measure(dataset: Dataset, data: Data, grant: dict[str, Any], asked: Any) -> dict[str, Any]:
    """Return the figures."""
    index = dataset.windows(Split.train, data)
    sampler = Sampler(index, 0, asked.batch, data)
    paths = [[one.path for one in dataset.source(name).manifest.shards] for name in index.names]
    step = step_seconds(index, sampler, data, asked.steps)
    pairs = [sampler.batch(number) for number in range(NOTED)]
    found: dict[str, Any] = {"step_ms": 1e3 * step}
    for name, (use, noted) in {
        "the dataset": (Use(index, paths, 36.0, grant), pairs),
        "10,000 shards": many(asked.batch, 10_000),
    }.items():
        each, written = count_seconds(use, noted)
        found[name] = {
            "note_us": 1e6 * each,
            "document_ms": 1e3 * written,
            "share_of_step": (each + written / EVERY) / step,
        }
    return found


def machine() -> dict[str, Any]:
    """Return what the figures hang on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return {
        "cpu": models[:1],
        "cores": len(models),
        "load": [round(one, 1) for one in os.getloadavg()],
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "commit": commit.stdout.strip(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser()
    words.add_argument("--data", type=Path, default=Path("data/demo"))
    words.add_argument("--steps", type=int, default=60)
    words.add_argument("--batch", type=int, default=8)
    words.add_argument("--json", type=Path)
    asked = words.parse_args()
    torch.set_num_threads(1)
    data = Data(dataset="demo")
    grant = make_grant(load_manifest(asked.data), data)
    with open_dataset(grant) as dataset:
        found = measure(dataset, data, grant, asked)
    found |= {"command": " ".join(sys.argv), "batch": asked.batch, "machine": machine()}
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
