"""How fast a CSV becomes sealed shards, beside pyarrow's parser alone, in one process on this machine.

    python benchmarks/data/ingest.py [--megabytes 200] [--passes 3] [--json FILE]

Prints MB of CSV a second of CPU time, best pass, and ours as a share of the parser's. The parser is pyarrow's
`read_csv` on one thread: once as people call it (types found by itself), once with every type told. Ours is the
whole way: SHA-256 of the raw file, parsing, unit, range and decimals of every cell, clock, split, statistics,
content id, leaves, HDF5, fsync, SHA-256 of the shards, manifest. CPU time, because the machine may be shared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from forgia_hpc.data.card import card_from
from forgia_hpc.data.ingest.load import recipe_from
from forgia_hpc.data.ingest.sealing import seal_contribution

CHANNELS, NAME = 10, "bench"
CARD = {
    "format": "forgia.card/1",
    "name": NAME,
    "title": "Sensors, 1 s",
    "contributor": "benchmark",
    "description": "Noise around a mean, two decimals.",
    "licence": "MIT",
    "source": "benchmarks/data/ingest.py",
}


def write_csv(path: Path, megabytes: int) -> int:
    """Write a CSV of time and ten channels with two decimals; return its rows."""
    rng = np.random.default_rng(0)
    rows = 0
    with path.open("wb") as file:
        file.write(("time," + ",".join(f"c{n}" for n in range(CHANNELS)) + "\n").encode())
        while file.tell() < megabytes * 10**6:
            count = 50_000
            first = np.datetime64("2025-01-01T00:00:00") + rows
            stamps = np.datetime_as_string(first + np.arange(count))
            cells = [np.char.mod("%.2f", rng.normal(50, 9, count)) for _ in range(CHANNELS)]
            lines = map(",".join, zip(stamps, *cells, strict=True))
            file.write(("\n".join(lines) + "\n").encode())
            rows += count
    return rows


def recipe_of(path: Path) -> dict[str, Any]:
    """Return the recipe of the generated file, as plain data."""
    defaults = {"semantic_base": "https://forgia.example/", "ucum": "Cel", "decimals": 2}
    clock = {"column": "time", "format": "%Y-%m-%dT%H:%M:%S", "step_s": 1.0}
    return {
        "format": "forgia.recipe/1",
        "name": NAME,
        "contributor": "benchmark",
        "licence": "MIT",
        "source": "benchmarks/data/ingest.py",
        "files": [{"path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}],
        "tables": [
            {
                "group": "fast",
                "files": [{"path": path.name, "asset": "machine"}],
                "parser": "csv",
                "clock": clock,
                "defaults": {**defaults, "quantity": "temperature", "min": -100.0, "max": 200.0},
                "columns": [{"column": f"c{n}"} for n in range(CHANNELS)],
            }
        ],
        "split": {"time_share": 0.2},
        "season_steps": {"fast": 60},
    }


def best(run: Callable[[], object], passes: int) -> tuple[float, float]:
    """Return the CPU seconds and wall seconds of the best pass."""
    found = []
    for _ in range(passes):
        cpu, wall = time.process_time(), time.perf_counter()
        run()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(found)


def parsers(path: Path) -> dict[str, Callable[[], object]]:
    """Return the parser alone: types found, and types told."""
    one = pa.csv.ReadOptions(use_threads=False)
    types = {f"c{n}": pa.float64() for n in range(CHANNELS)} | {"time": pa.timestamp("s")}
    told = pa.csv.ConvertOptions(column_types=types)
    return {
        "pyarrow, types found": lambda: pa.csv.read_csv(path, read_options=one),
        "pyarrow, types told": lambda: pa.csv.read_csv(
            path, read_options=one, convert_options=told
        ),
    }


def measured(megabytes: int, passes: int, scratch: Path) -> dict[str, Any]:
    """Return all figures of one run."""
    path = scratch / NAME / "data.csv"
    path.parent.mkdir()
    rows = write_csv(path, megabytes)
    size = path.stat().st_size / 1e6
    recipe, card = recipe_from(recipe_of(path), "benchmark"), card_from(CARD, where="benchmark")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    into = scratch / "sealed"
    ways = {
        "forgia, CSV to sealed": lambda: seal_contribution(
            card, recipe, scratch, into, overwrite=True
        )
    }
    pa.set_cpu_count(1)
    found = {name: best(run, passes) for name, run in ways.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found |= {name: best(run, passes) for name, run in parsers(path).items()}
    ours = found["forgia, CSV to sealed"]
    return {
        "machine": f"{len(os.sched_getaffinity(0))} CPUs {platform.machine()}",
        "csv_mb": round(size, 1),
        "rows": rows,
        "mb_per_cpu_s": {name: round(size / cpu, 1) for name, (cpu, _) in found.items()},
        "mb_per_wall_s": {name: round(size / wall, 1) for name, (_, wall) in found.items()},
        "share_of_parser": {
            name: round(cpu / ours[0], 2) for name, (cpu, _) in found.items() if name[0] == "p"
        },
        "peak_mb": round(peak / 1e3),
        "before_mb": round(before / 1e3),
    }


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--megabytes", type=int, default=200)
    words.add_argument("--passes", type=int, default=3)
    words.add_argument("--json", type=Path)
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measured(given.megabytes, given.passes, Path(scratch))
    text = json.dumps(found, indent=1)
    sys.stdout.write(text + "\n")
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
