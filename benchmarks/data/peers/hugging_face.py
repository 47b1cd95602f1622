"""Hugging Face datasets: an Arrow table mapped from the disk, `dataset[numbers]` a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

import datasets

PACKAGES = ("numpy", "datasets", "pyarrow")


@dataclass(frozen=True)
class Reader:
    """The dataset in a format, and the shape of a sample."""

    dataset: Any
    format: str
    shape: tuple[int, int]


def make(samples: np.ndarray, directory: Path) -> None:
    """Save one dataset."""
    flat = pyarrow.array(np.asarray(samples).ravel())
    lists = pyarrow.FixedSizeListArray.from_arrays(flat, samples[0].size)
    datasets.Dataset(datasets.table.InMemoryTable(pyarrow.table({"x": lists}))).save_to_disk(
        directory / "saved"
    )
    np.save(directory / "shape.npy", np.array(samples.shape[1:]))


@contextmanager
def open_reader(directory: Path, way: str, order: np.ndarray) -> Iterator[Reader]:
    """Give the dataset; `way` is `numpy` or `arrow`."""
    channels, steps = np.load(directory / "shape.npy").tolist()
    dataset = datasets.load_from_disk(directory / "saved").with_format(way)
    yield Reader(dataset, way, (channels, steps))


def read(reader: Reader, numbers: np.ndarray) -> np.ndarray:
    """Return the samples."""
    found = reader.dataset[numbers.tolist()]
    if reader.format == "arrow":
        found = {"x": found.column("x").combine_chunks().flatten().to_numpy()}
    return np.asarray(found["x"]).reshape(-1, *reader.shape)
