"""The ceiling: the same samples copied from an array in RAM into one warm buffer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PACKAGES = ("numpy",)


@dataclass(frozen=True)
class Reader:
    """Rows in RAM, which of them make each sample, and where they go."""

    rows: np.ndarray
    of_sample: np.ndarray  # (sample, row)
    buffer: np.ndarray


def make(samples: np.ndarray, directory: Path) -> None:
    """Keep the samples as they are."""
    np.save(directory / "samples.npy", samples)


@contextmanager
def open_reader(directory: Path, way: str, order: np.ndarray) -> Iterator[Reader]:
    """Give `piece`, a sample in one piece, or `rows`, a series a channel as a sensor writes it."""
    samples = np.load(directory / "samples.npy")
    count, channels, steps = samples.shape
    numbers = np.arange(count)[:, None]
    buffer = np.empty((order.shape[1], channels, steps), np.float32)
    if way == "rows":
        rows = np.ascontiguousarray(samples.transpose(1, 0, 2)).reshape(-1, steps)
        yield Reader(
            rows,
            numbers + np.arange(channels) * count,
            buffer.reshape(order.shape[1], channels, steps),
        )
    else:
        yield Reader(samples.reshape(count, -1), numbers, buffer)


def read(reader: Reader, numbers: np.ndarray) -> np.ndarray:
    """Copy."""
    rows = reader.of_sample[numbers].ravel()
    into = reader.buffer.reshape(len(rows), -1)
    np.take(reader.rows, rows, axis=0, out=into, mode="clip")
    return reader.buffer
