"""Plain h5py: one contiguous dataset, `dataset[number]` a sample, alone or in PyTorch's DataLoader."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from torch.utils.data import DataLoader, Dataset

PACKAGES = ("numpy", "h5py", "torch")
AHEAD = 4  # batches that two workers fetch while others are measured: not counted


class Samples(Dataset):  # type: ignore[type-arg]
    """Opened in the process that reads, as h5py's users do it."""

    def __init__(self, path: Path) -> None:
        """Take the path."""
        self.path = path
        self.dataset: h5py.Dataset | None = None

    def __getitem__(self, number: int) -> np.ndarray:
        """Return (channel, step)."""
        if self.dataset is None:
            self.dataset = h5py.File(self.path, locking=False)["samples"]
        return self.dataset[number]


class Endless:
    """The batches of an order, again and again."""

    def __init__(self, order: np.ndarray) -> None:
        """Take (batch, place)."""
        self.order = order.tolist()

    def __iter__(self) -> Iterator[list[int]]:
        """Give lists, as a batch sampler does."""
        return itertools.cycle(self.order)


def make(samples: np.ndarray, directory: Path) -> None:
    """Write one dataset (sample, channel, step)."""
    with h5py.File(directory / "samples.h5", "w") as file:
        file["samples"] = samples


@contextmanager
def open_reader(directory: Path, way: str, order: np.ndarray) -> Iterator[Any]:
    """Give the samples, or the next batches of a DataLoader; `way` is its number of workers."""
    samples = Samples(directory / "samples.h5")
    if way == "alone":
        yield samples
    else:
        loader = DataLoader(samples, batch_sampler=Endless(order), num_workers=int(way))  # type: ignore[arg-type]
        yield iter(loader)


def read(reader: Any, numbers: np.ndarray) -> np.ndarray:
    """Return the samples, one read each; a DataLoader knows the order already."""
    if isinstance(reader, Samples):
        return np.stack([reader[number] for number in numbers.tolist()])
    found: np.ndarray = next(reader).numpy()
    return found
