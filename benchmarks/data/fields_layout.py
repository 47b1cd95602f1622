"""One read a sample (all channels packed) against one read a field (The Well's groups): what does packing buy?

    python benchmarks/data/fields_layout.py --megabytes 256 --seconds 2

The same random samples of k steps, float32, from two files with the same numbers: `state` as (trajectory, step,
channel, cells), and one array (trajectory, step, cells) a field. Both are read into the same batch (sample, step,
channel, cells) by address, without HDF5, page cache warm, one thread; memcpy fills the batch from RAM.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BATCH = 8
STEPS = 5
CASES = {"4 x 256^2": (4, 256**2), "4 x 64^2": (4, 64**2), "3 x 16^3": (3, 16**3)}

Batch = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """Two open files with the same numbers, and the numbers in RAM."""

    packed: int
    fields: list[int]
    memory: Batch  # (trajectory, step, channel, cells)

    def pread_sample(self, out: Batch, at: list[tuple[int, int]]) -> None:
        """One preadv a sample."""
        _, length, channels, cells = self.memory.shape
        for row, (trajectory, step) in enumerate(at):
            os.preadv(self.packed, [out[row]], (trajectory * length + step) * channels * cells * 4)

    def pread_field(self, out: Batch, at: list[tuple[int, int]]) -> None:
        """One preadv a field of a sample, scattered into its place in the batch."""
        _, length, _, cells = self.memory.shape
        for row, (trajectory, step) in enumerate(at):
            offset = (trajectory * length + step) * cells * 4
            for channel, file in enumerate(self.fields):
                os.preadv(file, [out[row, t, channel] for t in range(STEPS)], offset)

    def memcpy(self, out: Batch, at: list[tuple[int, int]]) -> None:
        """From an array in RAM."""
        for row, (trajectory, step) in enumerate(at):
            out[row] = self.memory[trajectory, step : step + STEPS]


def make(folder: Path, channels: int, cells: int, megabytes: int) -> Case:
    """Write both files."""
    length = 50
    count = max(1, megabytes * 2**20 // (length * channels * cells * 4))
    memory = np.random.default_rng(0).normal(size=(count, length, channels, cells))
    memory = memory.astype(np.float32)
    memory.tofile(folder / "state")
    for channel in range(channels):
        np.ascontiguousarray(memory[:, :, channel]).tofile(folder / str(channel))
    files = [os.open(folder / str(channel), os.O_RDONLY) for channel in range(channels)]
    return Case(os.open(folder / "state", os.O_RDONLY), files, memory)


def rate(read: Callable[[Batch, list[tuple[int, int]]], None], case: Case, seconds: float) -> float:
    """Return samples a second of CPU."""
    rng = np.random.default_rng(1)
    count, length, channels, cells = case.memory.shape
    out = np.zeros((BATCH, STEPS, channels, cells), np.float32)
    starts = rng.integers(0, (count, length - STEPS + 1), (1000, BATCH, 2)).tolist()
    batches = [[(a, b) for a, b in one] for one in starts]
    read(out, batches[0])
    for row, (trajectory, step) in enumerate(batches[0]):
        np.testing.assert_array_equal(out[row], case.memory[trajectory, step : step + STEPS])
    began, done = time.process_time(), 0
    while time.process_time() - began < seconds:
        read(out, batches[done % len(batches)])
        done += 1
    return done * BATCH / (time.process_time() - began)


def main() -> None:
    """Print one JSON line a case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    for name, (channels, cells) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            case = make(Path(folder), channels, cells, given.megabytes)
            ways = {"memcpy": case.memcpy, "sample": case.pread_sample, "field": case.pread_field}
            best = {
                way: max(rate(read, case, given.seconds / 3) for _ in range(3))
                for way, read in ways.items()
            }
            kilobytes = STEPS * channels * cells * 4 // 1024
            line = {"case": name, "kB": kilobytes, **{way: round(n) for way, n in best.items()}}
            line["field/sample"] = round(best["field"] / best["sample"], 3)
            sys.stdout.write(json.dumps(line) + "\n")
            for file in (case.packed, *case.fields):
                os.close(file)


if __name__ == "__main__":
    main()
