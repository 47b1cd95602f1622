"""Hot against cold: bytes, packing and unpacking, and windows a second, for sealed contributions of telemetry.

    python benchmarks/data/cold.py data/refinery data/turbofan --filters gzip zstd

Cold is made, read by windows and made hot again, which must give the same bytes; CPU seconds, one thread,
page cache warm, leaves verified.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.repack import to_cold, to_hot
from forgia_hpc.schema.data import Data

BATCH = 32


def quiet(*_: object) -> None:
    """Nobody looks."""


def shard_bytes(directory: Path) -> int:
    """Return the size of the shards."""
    return sum(entry.bytes for entry in load_manifest(directory).shards)


def rate(directory: Path, seconds: float) -> float:
    """Return windows of 512 + 64 steps a CPU second, in random order."""
    with open_dataset(directory) as dataset:
        windows = dataset.windows(Split.train, Data(context=512, horizon=64, min_context=64))
        rng = np.random.default_rng(0)
        pairs = np.stack([np.zeros(64 * BATCH, int), rng.integers(0, len(windows), 64 * BATCH)], 1)
        batches = pairs.reshape(64, BATCH, 2)
        for batch in batches:
            windows.gather(batch)
        began, done = time.process_time(), 0
        while time.process_time() - began < seconds:
            windows.gather(batches[done % 64])
            done += 1
        return done * BATCH / (time.process_time() - began)


def main() -> None:
    """Print one JSON line a dataset and filter."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directories", nargs="+", type=Path)
    parser.add_argument("--filters", nargs="+", default=["gzip"])
    parser.add_argument("--seconds", type=float, default=1.0)
    given = parser.parse_args()
    for directory in given.directories:
        hot = rate(directory, given.seconds)
        for filter_ in given.filters:
            with tempfile.TemporaryDirectory() as folder:
                cold, again = Path(folder) / "cold", Path(folder) / "again"
                began = time.process_time()
                to_cold(directory, cold, filter_, quiet)
                packed = time.process_time() - began
                speed = rate(cold, given.seconds)
                began = time.process_time()
                to_hot(cold, again, quiet)
                unpacked = time.process_time() - began
                same = (again / "manifest.json").read_bytes()
                assert same == (directory / "manifest.json").read_bytes()
                before, after = shard_bytes(directory), shard_bytes(cold)
            line = {
                "dataset": directory.name,
                "filter": filter_,
                "hot_bytes": before,
                "ratio": round(before / after, 2),
                "pack_MB_per_CPU_s": round(before / packed / 1e6, 1),
                "unpack_MB_per_CPU_s": round(before / unpacked / 1e6, 1),
                "hot_windows_per_CPU_s": round(hot),
                "cold_windows_per_CPU_s": round(speed),
            }
            sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
