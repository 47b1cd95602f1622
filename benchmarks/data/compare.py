"""Our reader beside its peers: same data, same windows, a process each, in turns, in one run.

    python benchmarks/data/peers/environments.py ENVIRONMENTS
    python benchmarks/data/compare.py ENVIRONMENTS [--megabytes 256] [--rounds 9] [--seconds 0.6] [--json FILE]

Samples of float32, 4 KiB (1 channel × 1,024 steps) and 64 KiB (16 channels), asked for by chance (run 1) or in
runs of 32 neighbours. Every way first gives batches of the order, compared bit for bit; then rounds, in each of
which every way has one pass, in a sequence dealt anew. A figure is the median over rounds, by the CPU time of all
threads and workers and by wall time. Page cache warm. Ours hashes every leaf before.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from read_windows import machine

sys.path.insert(0, str(Path(__file__).parents[1]))
from common.served import Served

FORMAT = "forgia.peers/1"
PEERS = Path(__file__).parent / "peers"
STEPS, ORDER = 1024, 51_200 * 4096  # steps a sample; bytes an order asks for
BATCH = {1: 256, 16: 32}  # by channels: 1 MiB and 2 MiB a batch
SEED = 0


@dataclass(frozen=True)
class Way:
    """What is measured: its name in the table, its kind, its driver and the driver's word for it."""

    name: str
    kind: str  # ceiling | ours | peer
    driver: str
    way: str = "-"


WAYS = (
    Way("memcpy, one piece", "ceiling", "memcpy", "piece"),
    Way("memcpy, a row a channel", "ceiling", "memcpy", "rows"),
    Way("forgia, mmap, f32", "ours", "forgia", "f32 mmap"),
    Way("forgia, mmap, f32, one series", "ours", "forgia", "series mmap"),
    Way("forgia, mmap, i16", "ours", "forgia", "i16 mmap"),
    Way("forgia, pread, f32", "ours", "forgia", "f32 pread"),
    Way("forgia, encrypted, f32", "ours", "forgia", "encrypted mmap"),
    Way("forgia, cold (gzip), i16", "ours", "forgia", "cold mmap"),
    Way("h5py, ds[i]", "peer", "plain_h5py", "alone"),
    Way("h5py + DataLoader, 0 workers", "peer", "plain_h5py", "0"),
    Way("h5py + DataLoader, 2 workers", "peer", "plain_h5py", "2"),
    Way("the_well", "peer", "well"),
    Way("MosaicML Streaming", "peer", "mosaic"),
    Way("WebDataset", "peer", "tars"),
    Way("Zarr v3, files", "peer", "zarr_v3", "files"),
    Way("Zarr v3, shards", "peer", "zarr_v3", "shards"),
    Way("ArrayRecord (Grain)", "peer", "array_records"),
    Way("Lance", "peer", "lance_table"),
    Way("Hugging Face datasets, numpy", "peer", "hugging_face", "numpy"),
    Way("Hugging Face datasets, arrow", "peer", "hugging_face", "arrow"),
)


class Loader(Served):
    """A way in a process of its own."""

    def __init__(self, way: Way, python: Path, order: str, work: Path) -> None:
        """Start it."""
        words = [python, PEERS / "run.py", "serve", way.driver, way.way, order, work]
        super().__init__(way.name, words)
        self.way = way

    def figures(self) -> dict[str, Any]:
        """Return medians and what they are made of."""
        cpu = [one["windows"] / one["cpu_s"] for one in self.passes]
        wall = [one["windows"] / one["wall_s"] for one in self.passes]
        return {
            "way": self.way.name,
            "kind": self.way.kind,
            "compared": self.facts["compared"],
            "windows_cpu_s": round(statistics.median(cpu), 1),
            "windows_wall_s": round(statistics.median(wall), 1),
            "rounds_cpu": [round(one, 1) for one in cpu],
            "rounds_wall": [round(one, 1) for one in wall],
        }


def make_data(work: Path, channels: int, megabytes: int) -> None:
    """Write samples, whole multiples of 1/128 below 32, and the orders in which they are asked for."""
    chance = np.random.default_rng(SEED)
    shape = ((megabytes << 20) // (4 * STEPS * channels), channels, STEPS)
    values = np.clip(np.rint(chance.normal(0, 500, shape)), -4095, 4095)
    work.mkdir()
    np.save(work / "samples.npy", values.astype(np.float32) / 128)
    size = BATCH[channels]
    batches = ORDER // (4 * STEPS * channels * size)
    for run in (1, 32):
        first = chance.integers(0, shape[0] - run + 1, (batches, size // run, 1))
        np.save(work / f"order-{run}.npy", (first + np.arange(run)).reshape(batches, size))


def python_of(environments: Path, driver: str) -> Path:
    """Return the interpreter of a driver: its own environment's, or this one's for ours."""
    own = environments / driver / "bin/python"
    return Path(sys.executable) if driver in ("forgia", "memcpy") else own


def make_files(ways: list[Way], work: Path, environments: Path) -> None:
    """Have every driver write its files."""
    for driver in dict.fromkeys(way.driver for way in ways):
        words = [python_of(environments, driver), PEERS / "run.py", "make", driver, work]
        began = time.perf_counter()
        subprocess.run(words, check=True, stdout=sys.stderr)
        say(f"  {driver}: files in {time.perf_counter() - began:.0f} s")


def compare(ways: list[Way], run: int, work: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one case."""
    before = os.getloadavg()
    with ExitStack() as stack:
        served = [
            stack.enter_context(
                Loader(way, python_of(asked.environments, way.driver), f"order-{run}", work)
            )
            for way in ways
        ]
        for one in served:
            one.ready()
        chance = random.Random(SEED)
        for _ in range(asked.rounds):
            for one in chance.sample(served, len(served)):
                one.do(asked.seconds)
        versions = {one.way.driver: one.facts["versions"] for one in served}
        figures = [one.figures() for one in served]
    load = {"before": before, "after": os.getloadavg()}
    return {"run": run, "load_average": load, "figures": figures, "versions": versions}


def main() -> None:
    """Measure everything and print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("environments", type=Path, help="where peers/environments.py made them")
    parser.add_argument("--megabytes", type=int, default=256, help="samples of each size")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.6, help="of wall time, a pass")
    parser.add_argument("--only", nargs="+", help="drivers; all without")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    asked = parser.parse_args()
    ways = [way for way in WAYS if not asked.only or way.driver in asked.only]
    facts = {**machine(), "command": sys.argv, "seed": SEED, "megabytes": asked.megabytes}
    cases = []
    with tempfile.TemporaryDirectory() as scratch:
        for channels, batch in BATCH.items():
            work = Path(scratch) / str(channels)
            make_data(work, channels, asked.megabytes)
            make_files(ways, work, asked.environments)
            for run in (1, 32):
                case = compare(ways, run, work, asked)
                sizes = {"window_bytes": 4 * STEPS * channels, "batch": batch}
                cases.append({**sizes, **case})
                show(cases[-1])
                keep(asked.json, {"format": FORMAT, "machine": facts, "cases": cases})


def keep(path: Path | None, results: dict[str, Any]) -> None:
    """Write what there is so far."""
    if path:
        path.write_text(json.dumps(results, indent=1) + "\n")


def show(case: dict[str, Any]) -> None:
    """Print one case."""
    say("{window_bytes} B, batches of {batch}, run {run}".format(**case))
    top = next((row for row in case["figures"] if row["kind"] == "ceiling"), case["figures"][0])
    for row in case["figures"]:
        share = row["windows_cpu_s"] / top["windows_cpu_s"]
        say(
            f"  {row['way']:30s} {row['windows_cpu_s']:12,.0f} /CPU-s {share:7.3f}"
            f" {row['windows_wall_s']:12,.0f} /s"
        )


def say(line: str) -> None:
    """Print: a benchmark is its own CLI."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
