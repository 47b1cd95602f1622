"""MosaicML Streaming: MDS shards on the local disk, `dataset[i]` a sample."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

# Its data sets of pictures want torchvision, whose wheel does not load beside a torch without CUDA.
sys.modules["streaming.vision"] = types.ModuleType("streaming.vision")
from streaming import MDSWriter, StreamingDataset  # noqa: E402
from streaming.base.util import clean_stale_shared_memory  # noqa: E402

PACKAGES = ("numpy", "mosaicml-streaming", "torch")


def make(samples: np.ndarray, directory: Path) -> None:
    """Write shards of 64 MiB, not compressed."""
    _, channels, steps = samples.shape
    columns = {"x": f"ndarray:float32:{channels},{steps}"}
    with MDSWriter(out=str(directory), columns=columns, size_limit=1 << 26) as writer:
        for sample in samples:
            writer.write({"x": np.array(sample)})


@contextmanager
def open_reader(directory: Path, way: str, order: np.ndarray) -> Iterator[Any]:
    """Give the dataset; what it leaves in shared memory is taken away."""
    clean_stale_shared_memory()
    yield StreamingDataset(local=str(directory), shuffle=False, batch_size=order.shape[1])
    clean_stale_shared_memory()


def read(reader: Any, numbers: np.ndarray) -> np.ndarray:
    """Return the samples."""
    return np.stack([reader[number]["x"] for number in numbers.tolist()])
