"""What it costs to open a dataset of ten thousand shards and a hundred million windows.

    python benchmarks/data/open_many.py [--shards 10000] [--json FILE]

The index and the manifest are as a writer leaves them; the shards themselves are sparse files, which
opening does not touch. Each of several fresh processes opens the directory and counts the windows once:
CPU and wall time, calls of read(2) (/proc/self/io), growth of resident memory. Imports come before.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from forgia_hpc.data import index as index_
from forgia_hpc.data.layout import Channel, Split
from forgia_hpc.data.packed import STAT
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.digest import canonical_json
from forgia_hpc.schema.data import Data

DATA = Data(context=512, min_context=512, horizon=64, channels=1)
WINDOWS = 10_000  # of a shard
STEPS = WINDOWS + 575
TRIES = 5


def make(directory: Path, shards: int) -> None:
    """Write index.pack, manifest.json, a card and sparse shards."""
    (directory / "shards").mkdir(parents=True)
    data = index_.pack(_index(shards))
    paths = [f"shards/train-{number:05d}.h5" for number in range(shards)]
    for path in paths:
        with (directory / path).open("wb") as file:
            file.truncate(4096 + 2 * STEPS)
    card = b"format: forgia.card/1\nname: many\n"
    content = {
        "format": "forgia.dataset/1",
        "layout": "forgia.telemetry/1",
        "name": "many",
        "contributor": "benchmark",
        "files": [_write(directory, "index.pack", data), _write(directory, "card.yaml", card)],
        "shards": [_entry(path) for path in paths],
        "season_steps": {},
        "marks": {"sealed": 0, "outside": 0},
        "provenance": {},
    }
    _write(directory, "manifest.json", canonical_json(content))


def _index(shards: int) -> index_.Index:
    rows = np.zeros(shards, index_.SHARD)
    rows["path"] = [f"shards/train-{number:05d}.h5".encode() for number in range(shards)]
    rows["bytes"], rows["leaf0"] = 4096 + 2 * STEPS, np.arange(shards)
    rows["offset"][:, 0], rows["count"][:, 0] = 4096, STEPS
    segments = np.zeros(shards, index_.SEGMENT)
    segments["shard"] = segments["series0"] = np.arange(shards)
    segments["asset"], segments["series_count"], segments["steps"] = (
        np.arange(shards) % 1000,
        1,
        STEPS,
    )
    segments["t0_ns"], segments["rate_num"], segments["rate_den"] = index_.NO_CLOCK, 100, 1
    series = np.zeros(shards, index_.SERIES)
    series["segment"], series["mask"] = np.arange(shards), index_.NO_MASK
    channel = Channel(
        name="s", ucum="1", quantity="ratio", semantic_id="https://forgia.example/x", scale=0.01
    )
    return index_.Index(
        name="many",
        channels=(index_.IndexedChannel(0, 0, channel),),
        groups=("fast",),
        season_steps=(1,),
        assets=tuple(f"machine-{number}" for number in range(1000)),
        codes=(),
        shards=rows,
        segments=segments,
        series=series,
        marks=np.zeros(0, index_.MARK),
        stats=np.zeros(shards, STAT),
        leaves=np.zeros((shards, 32), np.uint8),
    )


def _entry(path: str) -> dict[str, object]:
    digest = hashlib.sha256(path.encode()).hexdigest()
    numbers = {"segments": 1, "series": 1, "steps": STEPS, "values": STEPS}
    digests = dict.fromkeys(("sha256", "merkle_root", "content_id"), digest)
    times = {"t_min_ns": None, "t_max_ns": None}
    return {
        "path": path,
        "bytes": 4096 + 2 * STEPS,
        "split": "train",
        **digests,
        **numbers,
        **times,
    }


def _write(directory: Path, name: str, data: bytes) -> dict[str, object]:
    (directory / name).write_bytes(data)
    return {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def reads() -> int:
    """Return how many read(2) and its like this process has called."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("syscr")).split()[1])


def resident() -> float:
    """Return the process's resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_once(directory: Path) -> dict[str, float]:
    """Open it and count the windows."""
    counting = reads()
    own = reads() - counting  # of reading the count itself
    before, memory = reads(), resident()
    cpu, wall = time.process_time(), time.perf_counter()
    with open_dataset(directory) as dataset:
        index = dataset.windows(Split.train, DATA)
        spent, passed = time.process_time() - cpu, time.perf_counter() - wall
        grown, called = resident() - memory, reads() - before
        cpu = time.process_time()
        _ = index.content_ids  # what a sampler asks for: parses the manifest's entries
        return {
            "windows": len(index),
            "cpu_ms": round(spent * 1e3, 1),
            "wall_ms": round(passed * 1e3, 1),
            "reads": called - own - 1,  # statm
            "mb": round(grown, 1),
            "content_ids_cpu_ms": round((time.process_time() - cpu) * 1e3, 1),
        }


def main() -> None:
    """Make the dataset, and open it in fresh processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--once", type=Path, help="open this directory, print one JSON object")
    arguments = parser.parse_args()
    if arguments.once:
        sys.stdout.write(json.dumps(open_once(arguments.once)) + "\n")
        return
    figures = []
    with tempfile.TemporaryDirectory() as root:
        make(Path(root) / "many", arguments.shards)
        command = [sys.executable, __file__, "--once", str(Path(root) / "many")]
        for _ in range(TRIES):
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            sys.stdout.write(told)
            figures.append(json.loads(told))
    if arguments.json:
        facts = {"shards": arguments.shards, "load_average": os.getloadavg(), "figures": figures}
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
