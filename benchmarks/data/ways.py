"""The ways to read windows that read_windows.py compares; each returns float32 (window * channel, time)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.reading.adapter import WindowDataset
from forgia_hpc.data.reading.windows import WindowIndex
from forgia_hpc.schema.data import Data

Reader = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Case:
    """One sealed dataset of one segment, and what a window of it is."""

    directory: Path
    storage: str
    channels: int
    length: int

    @property
    def data(self) -> Data:
        """Windows of `length` steps: window w begins at step w."""
        context = self.length - 64
        return Data(context=context, min_context=context, horizon=64, channels=self.channels)

    @property
    def shard(self) -> Path:
        """The one shard."""
        return self.directory / "shards/train-000.h5"


class BySeries(Dataset):  # type: ignore[type-arg]
    """Plain h5py: ds[a:b] a series; the file opens in the process that reads, as h5py's users do it."""

    def __init__(self, case: Case) -> None:
        """Take the case."""
        self.case = case
        self.file: h5py.File | None = None

    def _open(self) -> h5py.File:
        self.file = h5py.File(self.case.shard, locking=False)
        self.array = self.file[f"signals/{self.case.storage}"]
        self.steps = int(self.file["index/segments"]["steps"][0])
        scale = self.file["index/channels"]["scale"][0]
        self.scale = np.float32(1 if self.case.storage == "f32" else scale)
        return self.file

    def __len__(self) -> int:
        """Return the number of windows."""
        _ = self.file or self._open()
        return self.steps - self.case.length + 1

    def __getitem__(self, window: int) -> np.ndarray:
        """Return (channel, time) float32."""
        _ = self.file or self._open()
        found = np.empty((self.case.channels, self.case.length), np.float32)
        for channel in range(self.case.channels):
            begin = channel * self.steps + window
            found[channel] = self.array[begin : begin + self.case.length]
        found *= self.scale
        return found


def memcpy(case: Case) -> Reader:
    """The ceiling: the same rows at the same places of a float32 array in RAM, into one warm buffer."""
    with h5py.File(case.shard) as file:
        whole = file[f"signals/{case.storage}"][:].astype(np.float32)
    count = len(whole) // case.channels // case.length
    rows = whole[: count * case.channels * case.length].reshape(-1, case.length)
    buffer = np.empty((1, case.length), np.float32)

    def read(windows: np.ndarray) -> np.ndarray:
        nonlocal buffer
        numbers = ((windows // case.length)[:, None] + np.arange(case.channels) * count).ravel()
        if len(buffer) != len(numbers):
            buffer = np.empty((len(numbers), case.length), np.float32)
        return np.take(rows, numbers, axis=0, out=buffer, mode="clip")

    return read


def by_index(index: WindowIndex) -> Reader:
    """Our reader, a fresh batch each."""
    return lambda windows: index.read(0, windows).values


def into_buffer(index: WindowIndex, case: Case) -> Reader:
    """Our reader, into one buffer."""
    buffer = np.empty((0, case.length), np.float32)

    def read(windows: np.ndarray) -> np.ndarray:
        nonlocal buffer
        if len(buffer) != len(windows) * case.channels:
            buffer = np.empty((len(windows) * case.channels, case.length), np.float32)
        return index.gather(np.stack([np.zeros_like(windows), windows], axis=1), buffer).values

    return read


def by_h5py(case: Case) -> Reader:
    """Plain h5py without a DataLoader."""
    dataset = BySeries(case)
    return lambda windows: np.concatenate([dataset[window] for window in windows.tolist()])


class Batched:
    """A DataLoader as a way to read: the order is given beforehand, a call takes the next batch."""

    def __init__(self, loader: Callable[[], Iterator[np.ndarray]]) -> None:
        """Take what begins a pass over the order."""
        self._begin = loader
        self._now = loader()

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Return the next batch, of whichever windows are next in the order."""
        found = next(self._now, None)
        if found is None:
            self._now = self._begin()
            found = next(self._now)
        return found


def through_dataloader(
    dataset: Dataset, order: np.ndarray, workers: int, collate: Callable | None
) -> Batched:
    """Return a DataLoader over `order` (batch, window); workers live as long as it does."""
    loader = DataLoader(
        dataset,
        batch_sampler=order.tolist(),
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
    )

    def begin() -> Iterator[np.ndarray]:
        for batch in loader:
            found = batch if isinstance(batch, torch.Tensor) else batch["context"]
            yield found.numpy()

    return Batched(begin)


def ways(
    case: Case, order: np.ndarray, stack: ExitStack, full: bool
) -> Iterator[tuple[str, Reader]]:
    """Yield the ways by name, the ceiling first; `full` adds the DataLoaders."""
    yield "memcpy", memcpy(case)
    for io in ("mmap", "pread"):
        opened = stack.enter_context(open_dataset(case.directory, io=io))
        index = opened.windows(Split.train, case.data)
        touch(index, case.length)
        yield f"forgia {io}", by_index(index)
        if io == "mmap":
            yield "forgia mmap, out=", into_buffer(index, case)
    yield "h5py ds[a:b] a series", by_h5py(case)
    if full:
        ours = WindowDataset(case.directory, Split.train, case.data)
        for workers in (0, 2):
            name = f"DataLoader({workers})"
            yield (
                f"h5py + {name}",
                through_dataloader(BySeries(case), order, workers, None),
            )
            yield (
                f"forgia + {name}",
                through_dataloader(ours, order, workers, WindowDataset.collate),
            )


def touch(index: WindowIndex, length: int) -> None:
    """Read everything once: every leaf is hashed, every page is in the page cache."""
    begins = np.append(np.arange(0, len(index), length), len(index) - 1)
    for part in np.array_split(begins, max(len(begins) // 500, 1)):
        index.read(0, part)
