"""How fast windows become batches, beside memcpy and beside h5py, in one process on this machine.

    python benchmarks/data/read_windows.py [--values 64] [--seconds 2] [--batch 32 256] [--json FILE]

Windows of 4 KiB (1 channel × 1,024 steps) and 64 KiB (16 channels) as float32, stored as i16 and f32, in
runs of 1 (a full shuffle) and 32 neighbours that do not overlap. Windows a second of CPU time (workers'
too), because the machine may be shared: alone on it, wall time is the same. The ways take turns, five
passes, the best of each counts; the share is that of the memcpy of the same run. Leaves are hashed by a
first pass over everything. Before timing, all ways are compared bit for bit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import psutil
from ways import Case, Reader, by_h5py, ways

from forgia_hpc.data.layout import Channel, Contribution, Segment, Split
from forgia_hpc.data.writer import seal

PASSES, BATCHES, LENGTH = 5, 240, 1024
IRI = "https://forgia.example/quantity/"
CARD = {
    "format": "forgia.card/1",
    "name": "signals",
    "title": "Signals",
    "contributor": "benchmark",
    "description": "Noise, quantised as a 12-bit converter does.",
    "licence": "MIT",
    "source": "benchmarks/data/read_windows.py",
}


def contribution(values: int, channels: int, *, scale: float | None) -> Contribution:
    """Return one machine with `values` numbers in all."""
    raw = np.random.default_rng(0).integers(-2000, 2000, (channels, values // channels))
    words = tuple(
        Channel(name=f"s{k}", ucum="Cel", quantity="temperature", semantic_id=IRI, scale=scale)
        for k in range(channels)
    )
    one = Segment(
        asset="machine",
        group="fast",
        split=Split.train,
        channels=words,
        values=raw * 0.01,
        t0_ns=None,
        rate_num=100,
        rate_den=1,
    )
    return Contribution(name="signals", contributor="benchmark", segments=(one,))


def orders(windows: int, batch: int, run: int) -> np.ndarray:
    """Return (batch, window): random runs of `run` windows that lie one behind the other."""
    rng = np.random.default_rng(1)
    first = rng.integers(0, windows // LENGTH - run, (BATCHES, batch // run))
    return ((first[:, :, None] + np.arange(run)) * LENGTH).reshape(BATCHES, batch)


def cpu_seconds() -> float:
    """Return the CPU time of this process and its living children."""
    spent = time.process_time()
    for child in psutil.Process().children():
        times = child.cpu_times()
        spent += times.user + times.system
    return spent


def one_pass(read: Reader, order: np.ndarray, seconds: float, at: int) -> float:
    """Return the windows a CPU second of one pass."""
    begin, until, windows = cpu_seconds(), time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        for _ in range(8):
            read(order[at % len(order)])
            windows += order.shape[1]
            at += 1
    return windows / max(cpu_seconds() - begin, 1e-9)


def measured(case: Case, batch: int, run: int, seconds: float) -> list[dict[str, object]]:
    """Measure all ways of one case; DataLoaders at a run of 1 only, they do not care."""
    steps = h5py.File(case.shard)["index/segments"]["steps"][0]
    order = orders(int(steps) - case.length + 1, batch, run)
    with ExitStack() as stack:
        found = dict(ways(case, order, stack, full=run == 1))
        expected = by_h5py(case)(order[0])
        for name in ("forgia mmap", "forgia pread", "forgia mmap, out="):
            np.testing.assert_array_equal(found[name](order[0]), expected)
        best = dict.fromkeys(found, 0.0)
        for number in range(PASSES):
            for name, read in found.items():
                speed = one_pass(read, order, seconds / PASSES, number * 37)
                best[name] = max(best[name], speed)
    return [
        {
            "window_bytes": 4 * case.channels * case.length,
            "storage": case.storage,
            "batch": batch,
            "run": run,
            "way": name,
            "windows_s": round(speed),
            "gb_s": round(speed * 4e-9 * case.channels * case.length, 3),
            "of_memcpy": round(speed / best["memcpy"], 3),
        }
        for name, speed in best.items()
    ]


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "hardware": f"{len(names)} x {names[0]}" if names else platform.machine(),
        "load_average": os.getloadavg(),
        "commit": commit,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "h5py": h5py.__version__,
        "hashes": "every leaf hashed once before timing; sizes and index when opened",
    }


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=int, default=64, help="millions of stored numbers")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 256], help="windows a batch")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each way")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    figures: list[dict[str, object]] = []
    facts = machine()
    with tempfile.TemporaryDirectory() as root:
        for channels in (1, 16):
            for storage, scale in (("i16", 0.01), ("f32", None)):
                directory = Path(root) / f"{storage}-{channels}"
                whole = contribution(arguments.values * 10**6, channels, scale=scale)
                seal(whole, CARD, directory, shard_bytes=1 << 40)
                case = Case(directory, storage, channels, LENGTH)
                for batch in arguments.batch:
                    for run in (1, 32):
                        rows = measured(case, batch, run, arguments.seconds)
                        figures += rows
                        show(rows)
                        keep(arguments.json, facts, figures)


def keep(path: Path | None, facts: dict[str, object], figures: list[dict[str, object]]) -> None:
    """Write what there is so far."""
    if path:
        text = {"machine": {**facts, "load_average_after": os.getloadavg()}, "figures": figures}
        path.write_text(json.dumps(text, indent=1) + "\n")


def show(rows: list[dict[str, object]]) -> None:
    """Print: a benchmark is its own CLI."""
    for row in rows:
        sys.stdout.write(
            "{window_bytes:6d} B {storage} batch {batch:3d} run {run:2d}  {way:24s} "
            "{windows_s:10,d}/s {gb_s:7.2f} GB/s {of_memcpy:6.3f}\n".format(**row)
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
