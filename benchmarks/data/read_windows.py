"""How fast windows become batches, beside memcpy and beside h5py, in one process on this machine.

    python benchmarks/data/read_windows.py [--values 64] [--batch 32] [--seconds 3] [--json FILE]

Prints windows a second of CPU time, GB/s of float32 delivered, and the share of the memcpy of the
same run, best of five passes each. CPU time, because the machine may be shared: alone on it, wall
time is the same (one thread, files in the page cache). Every way reads the same windows; before
timing they are compared bit for bit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from forgia_hpc.data.layout import Channel, Contribution, Segment, Split
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.windows import WindowIndex
from forgia_hpc.data.writer import seal
from forgia_hpc.schema.data import Data

CHANNELS, PASSES = 8, 5
DATA = Data(context=512, min_context=512, horizon=64, channels=CHANNELS)
LENGTH = DATA.context + DATA.horizon
IRI = "https://forgia.example/quantity/"
CARD = {
    "format": "forgia.card/1",
    "name": "signals",
    "title": "Signals",
    "contributor": "benchmark",
    "description": "Sinusoids with noise, quantised as a 12-bit converter does.",
    "licence": "MIT",
    "source": "benchmarks/data/read_windows.py",
}
Reader = Callable[[np.ndarray], np.ndarray]


def contribution(values: int, *, scale: float | None) -> Contribution:
    """Return one machine with CHANNELS channels, `values` numbers in all."""
    rng = np.random.default_rng(0)
    steps = values // CHANNELS
    clock = np.arange(steps) / 100
    raw = np.stack(
        [1500 * np.sin(clock * (k + 1)) + rng.normal(0, 40, steps) for k in range(CHANNELS)]
    )
    channels = tuple(
        Channel(name=f"s{k}", ucum="Cel", quantity="temperature", semantic_id=IRI, scale=scale)
        for k in range(CHANNELS)
    )
    one = Segment(
        asset="machine",
        group="fast",
        split=Split.train,
        channels=channels,
        values=np.rint(raw) * 0.01,
        t0_ns=None,
        rate_num=100,
        rate_den=1,
    )
    return Contribution(name="signals", contributor="benchmark", segments=(one,))


def measure(read: Reader, batches: list[np.ndarray], seconds: float) -> float:
    """Return the windows/s of the best pass."""
    best = 0.0
    for _ in range(PASSES):
        begin, windows = time.process_time(), 0
        while (spent := time.process_time() - begin) < seconds / PASSES:
            batch = batches[windows // len(batches[0]) % len(batches)]
            read(batch)
            windows += len(batch)
        best = max(best, windows / spent)
    return best


def ways(shard: Path, index: WindowIndex, storage: str) -> Iterator[tuple[str, Reader]]:
    """Yield each way to read; all return (window, channel, time) in float32, or the rows of it."""
    with h5py.File(shard) as file:
        dataset = file[f"signals/{storage}"]
        words = file["index/channels"][0]
        steps = int(file["index/segments"]["steps"][0])
        scale = np.float32(1 if storage == "f32" else words["scale"])
        whole = dataset[:].astype(np.float32) * scale
        rows = whole[: len(whole) // LENGTH * LENGTH].reshape(-1, LENGTH)
        buffer = np.empty((1, LENGTH), np.float32)

        def memcpy(windows: np.ndarray) -> np.ndarray:
            nonlocal buffer
            numbers = (windows[:, None] * CHANNELS + np.arange(CHANNELS)).ravel() % len(rows)
            if len(buffer) != len(numbers):
                buffer = np.empty((len(numbers), LENGTH), np.float32)
            return np.take(rows, numbers, axis=0, out=buffer, mode="clip")

        def by_h5py(windows: np.ndarray) -> np.ndarray:
            found = np.empty((len(windows) * CHANNELS, LENGTH), np.float32)
            for at, window in enumerate(windows.tolist()):
                for channel in range(CHANNELS):
                    begin = channel * steps + window
                    found[at * CHANNELS + channel] = dataset[begin : begin + LENGTH]
            found *= scale
            return found

        def by_reader(windows: np.ndarray) -> np.ndarray:
            return index.read(0, windows).context

        def joined(windows: np.ndarray) -> np.ndarray:
            batch = index.read(0, windows)
            return np.concatenate([batch.context, batch.target], axis=1)

        check = np.arange(7) * 1009
        np.testing.assert_array_equal(joined(check), by_h5py(check))
        yield "np.take of float32 rows in RAM (memcpy)", memcpy
        yield "forgia reader", by_reader
        yield "h5py ds[a:b] per series", by_h5py


def main() -> None:
    """Measure both storages and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=int, default=64, help="millions of stored numbers")
    parser.add_argument("--batch", type=int, default=32, help="windows a batch")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each way")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory() as root:
        for storage, scale in (("i16", 0.01), ("f32", None)):
            directory = Path(root) / storage
            seal(contribution(arguments.values * 10**6, scale=scale), CARD, directory)
            figures += measured(directory, storage, arguments.batch, arguments.seconds)
    load = os.getloadavg()[0]
    text = {"hardware": processor(), "load_average": load, "figures": figures}
    say(f"{processor()}; load average {load:.1f}; numpy {np.__version__}; h5py {h5py.__version__}")
    if arguments.json:
        arguments.json.write_text(json.dumps(text, indent=1) + "\n")


def measured(directory: Path, storage: str, batch: int, seconds: float) -> list[dict[str, object]]:
    """Measure all ways of one storage."""
    found: list[dict[str, object]] = []
    with open_dataset(directory) as dataset:
        index = dataset.windows(Split.train, DATA)
        begin = time.process_time()
        index.read(0, np.arange(0, len(index), LENGTH))  # touches, and so verifies, every leaf
        spent = time.process_time() - begin
        say(f"{storage}: {len(index)} windows of {CHANNELS} x {LENGTH}; first touch {spent:.2f} s")
        rng = np.random.default_rng(1)
        batches = [rng.integers(0, len(index), batch) for _ in range(200)]
        memcpy = 0.0
        for name, read in ways(directory / "shards/train-000.h5", index, storage):
            speed = measure(read, batches, seconds)
            memcpy = memcpy or speed
            delivered = speed * CHANNELS * LENGTH * 4 / 1e9
            say(
                f"  {name:42s} {speed:10,.0f} windows/CPU-s {delivered:6.2f} GB/s {speed / memcpy:6.3f}"
            )
            found.append({"storage": storage, "way": name, "windows_s": speed, "gb_s": delivered})
    return found


def processor() -> str:
    """Return the CPU's name, as far as the kernel tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


def say(line: str) -> None:
    """Print: a benchmark is its own CLI."""
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
