"""Windows as a torch Dataset, for training code that has a DataLoader of its own.

    loader = DataLoader(dataset, sampler=…, batch_size=64, collate_fn=WindowDataset.collate)

Use `num_workers=0`. Workers give the same batches, but each crosses a pipe and shared memory, which costs
more than reading it here (benchmarks/data); to read ahead, `data.loader.Loader` needs a thread only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reader import Dataset, open_dataset
from forgia_hpc.data.reading.windows import WindowIndex
from forgia_hpc.schema.data import Data

Tensors = dict[str, torch.Tensor]


class WindowDataset(torch.utils.data.Dataset):  # type: ignore[misc] # torch is untyped here
    """All windows of a split, numbered contribution by contribution; close() or a `with` block ends it.

    Every process opens the files for itself: a handle that a worker inherits gives wrong data silently in
    other libraries, and what is pickled for a spawned worker is the grant, never a mapping.
    """

    def __init__(self, grant: dict[str, Any] | Path, split: Split, data: Data) -> None:
        """Take what to open: a grant, or a dataset's directory."""
        self._wanted = (grant, split, data)
        self._process = -1
        self._opened: tuple[Dataset, WindowIndex] | None = None

    def __enter__(self) -> WindowDataset:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files behind: a worker opens its own."""
        return {"_wanted": self._wanted, "_process": -1, "_opened": None}

    @property
    def index(self) -> WindowIndex:
        """The windows, open in this process."""
        if self._opened is None or self._process != os.getpid():
            grant, split, data = self._wanted
            opened = open_dataset(grant, verify=data.verify, io=data.io)
            self._opened = opened, opened.windows(split, data)
            self._process = os.getpid()
        return self._opened[1]

    def close(self) -> None:
        """Close this process's files; they open again when they are asked for."""
        if self._opened is not None and self._process == os.getpid():
            self._opened[0].__exit__(None, None, None)
        self._opened = None

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.index)

    def __getitem__(self, number: int) -> Tensors:
        """Return one window: context (series, context), target (series, horizon), group (series,)."""
        return self.__getitems__([number])

    def __getitems__(self, numbers: Sequence[int]) -> Tensors:
        """Return windows as one batch; `group` says which rows belong together."""
        batch = self.index.gather(self.index.pairs(numbers))
        arrays = {"context": batch.context, "target": batch.target, "group": batch.group}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    @staticmethod
    def collate(batch: Tensors) -> Tensors:
        """Return the batch: it was read as one."""
        return batch
