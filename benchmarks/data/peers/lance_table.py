"""Lance: a column of lists of a fixed size, `take` a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow

PACKAGES = ("numpy", "pylance", "pyarrow")


@dataclass(frozen=True)
class Reader:
    """The dataset and the shape of a sample."""

    dataset: Any
    shape: tuple[int, int]


def make(samples: np.ndarray, directory: Path) -> None:
    """Write one dataset."""
    flat = pyarrow.array(np.asarray(samples).ravel())
    lists = pyarrow.FixedSizeListArray.from_arrays(flat, samples[0].size)
    lance.write_dataset(pyarrow.table({"x": lists}), str(directory / "samples.lance"))
    np.save(directory / "shape.npy", np.array(samples.shape[1:]))


@contextmanager
def open_reader(directory: Path, way: str, order: np.ndarray) -> Iterator[Reader]:
    """Give the dataset."""
    channels, steps = np.load(directory / "shape.npy").tolist()
    yield Reader(lance.dataset(str(directory / "samples.lance")), (channels, steps))


def read(reader: Reader, numbers: np.ndarray) -> np.ndarray:
    """Return the samples of one `take`."""
    column = reader.dataset.take(numbers.tolist()).column("x").combine_chunks()
    values: np.ndarray = column.flatten().to_numpy()
    return values.reshape(-1, *reader.shape)
