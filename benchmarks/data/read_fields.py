"""Random windows of fields into a batch: ours, plain h5py, The Well's own loader where it is installed, memcpy.

    python benchmarks/data/read_fields.py --megabytes 256 --seconds 3

The same generated shards (which are The Well's files too), the same windows of k steps, one thread, page cache
warm, leaves verified before. Ours and h5py fill one kept batch (sample, step, channel, *grid) of float32, as
memcpy does; every way is compared with the numbers in RAM before it is timed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from forgia_hpc.data.fields.layout import Axis, Field, FieldSet, Grid, Schema, Trajectory
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.storage import affine
from forgia_hpc.data.fields.windows import Cutting, FieldWindows
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.data.layout import Split

STEPS, LENGTH, BATCH = 5, 50, 8
CASES = {"4 x 256^2": (4, (256, 256)), "4 x 64^2": (4, (64, 64)), "3 x 16^3": (3, (16, 16, 16))}
CARD = {
    "format": "forgia.card/1",
    "name": "made",
    "title": "Made up",
    "contributor": "nobody",
    "description": "Made up.",
    "licence": "CC0-1.0",
    "source": "made up",
}
Rows = list[tuple[int, int]]  # trajectory, first step


@dataclass(frozen=True)
class Case:
    """One sealed set, and its numbers in RAM."""

    folder: Path
    memory: np.ndarray[Any, Any]  # (trajectory, step, channel, *grid)

    @property
    def names(self) -> list[str]:
        """Names of the fields."""
        return [f"f{number}" for number in range(self.memory.shape[2])]


def make(folder: Path, channels: int, shape: tuple[int, ...], megabytes: int, storage: str) -> Case:
    """Seal random trajectories."""
    count = max(2, megabytes * 2**20 // (LENGTH * channels * int(np.prod(shape)) * 4))
    rng = np.random.default_rng(0)
    memory = rng.random((count, LENGTH, channels, *shape), np.float32)
    axes = tuple(
        Axis(name=name, coordinates=np.arange(float(size)))
        for name, size in zip("zyx"[-len(shape) :], shape, strict=True)
    )
    scale, zero, error = affine(0, 1) if storage == "i16" else (None, 0.0, 0.0)
    more = {"storage": storage, "scale": scale, "zero": zero, "max_abs_err": error}
    names = [f"f{number}" for number in range(channels)]
    schema = Schema(grid=Grid(axes=axes), fields=tuple(Field(name=one, **more) for one in names))
    trajectories = [
        Trajectory(
            member=str(row),
            split=Split.train,
            times=np.arange(float(LENGTH)),
            values={name: memory[row, :, at] for at, name in enumerate(names)},
        )
        for row in range(count)
    ]
    given = FieldSet(name="made", contributor="nobody", schema=schema, trajectories=trajectories)
    began = time.process_time()
    seal_fields(given, CARD, folder / "made")
    spent = time.process_time() - began
    sys.stderr.write(f"sealed {memory.nbytes / 2**20:.0f} MB as {storage} in {spent:.1f} CPU-s\n")
    return Case(folder / "made", memory)


def ours(windows: FieldWindows) -> Callable[[Rows], Any]:
    """Return our way."""
    per = LENGTH - STEPS + 1
    kept = windows.gather([(0, 0)] * BATCH)

    def read(rows: Rows) -> Any:
        return windows.gather([(0, row * per + step) for row, step in rows], kept).values

    return read


def plain_h5py(case: Case) -> Callable[[Rows], Any]:
    """Return h5py, files kept open, one read a field."""
    files = [h5py.File(path, "r") for path in sorted((case.folder / "shards").glob("*.h5"))]
    arrays = [[file[f"t0_fields/{name}"] for name in case.names] for file in files]
    ends = np.cumsum([file.attrs["n_trajectories"] for file in files])
    out = np.zeros((BATCH, STEPS, *case.memory.shape[2:]), np.float32)

    def read(rows: Rows) -> Any:
        for at, (row, step) in enumerate(rows):
            file = int(np.searchsorted(ends, row, side="right"))
            first = row - (int(ends[file - 1]) if file else 0)
            for channel, array in enumerate(arrays[file]):
                out[at, :, channel] = array[first, step : step + STEPS]
        return out

    return read


def the_wells(case: Case) -> Callable[[Rows], Any] | None:
    """Return The Well's loader, samples stacked; None where it is not installed."""
    try:
        from the_well.data import WellDataset  # noqa: PLC0415
    except ImportError:
        return None
    data = WellDataset(path=str(case.folder / "shards"), n_steps_input=STEPS - 1, n_steps_output=1)
    per = LENGTH - STEPS + 1

    def read(rows: Rows) -> Any:
        samples = [data[row * per + step] for row, step in rows]
        parts = [np.concatenate([s["input_fields"], s["output_fields"]]) for s in samples]
        return np.moveaxis(np.stack(parts), -1, 2)

    return read


def rate(read: Callable[[Rows], Any], case: Case, seconds: float, error: float) -> float:
    """Return windows a second of CPU, best of three, after comparing one batch."""
    rng = np.random.default_rng(1)
    high = (len(case.memory), LENGTH - STEPS + 1)
    batches = [[tuple(one) for one in b] for b in rng.integers(0, high, (500, BATCH, 2)).tolist()]
    expected = np.stack([case.memory[row, step : step + STEPS] for row, step in batches[0]])
    np.testing.assert_allclose(read(batches[0]), expected, rtol=0, atol=error)
    best = 0.0
    for _ in range(3):
        began, done = time.process_time(), 0
        while time.process_time() - began < seconds / 3:
            read(batches[done % len(batches)])
            done += 1
        best = max(best, done * BATCH / (time.process_time() - began))
    return best


def main() -> None:
    """Print one JSON line a case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    for name, (channels, shape) in CASES.items():
        for storage in ("f32", "i16"):
            with tempfile.TemporaryDirectory() as folder:
                case = make(Path(folder), channels, shape, given.megabytes, storage)
                found = measured(case, storage, given.seconds)
                line = {"case": name, "storage": storage, **found}
                sys.stdout.write(json.dumps(line) + "\n")


def measured(case: Case, storage: str, seconds: float) -> dict[str, float]:
    """Return the ways' windows a CPU second, and ours as a share of memcpy."""
    error = 2e-5 if storage == "i16" else 0.0
    out = np.zeros((BATCH, STEPS, *case.memory.shape[2:]), np.float32)

    def memcpy(rows: Rows) -> Any:
        for at, (row, step) in enumerate(rows):
            out[at] = case.memory[row, step : step + STEPS]
        return out

    found = {"memcpy": rate(memcpy, case, seconds, 0)}
    for io in ("mmap", "pread"):
        with open_fields(case.folder, io=io) as dataset:
            windows = dataset.windows(Split.train, Cutting(steps=STEPS))
            windows.gather([(0, n) for n in range(0, len(windows), STEPS)][:BATCH])
            for begin in range(0, len(windows), LENGTH - STEPS + 1):  # every leaf once
                windows.gather([(0, begin + n) for n in range(0, LENGTH - STEPS + 1, STEPS)])
            found[f"forgia {io}"] = rate(ours(windows), case, seconds, error)
    if storage == "f32":
        found["h5py"] = rate(plain_h5py(case), case, seconds, 0)
        peer = the_wells(case)
        if peer:
            found["the_well"] = rate(peer, case, seconds, 0)
    share = found["forgia mmap"] / found["memcpy"]
    return {way: round(value, 1) for way, value in found.items()} | {"share": round(share, 3)}


if __name__ == "__main__":
    main()
