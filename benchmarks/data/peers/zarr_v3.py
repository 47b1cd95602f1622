"""Zarr v3: a chunk is a sample, not compressed; a file a chunk, or 256 chunks in a shard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr

PACKAGES = ("numpy", "zarr")


def make(samples: np.ndarray, directory: Path) -> None:
    """Write both."""
    one = samples.shape[1:]
    for name, shards in (("files", None), ("shards", (256, *one))):
        array = zarr.create_array(
            store=directory / name,
            shape=samples.shape,
            dtype="float32",
            chunks=(1, *one),
            shards=shards,
            compressors=None,
        )
        array[:] = samples


@contextmanager
def open_reader(directory: Path, way: str, order: np.ndarray) -> Iterator[Any]:
    """Give the array."""
    yield zarr.open_array(directory / way, mode="r")


def read(reader: Any, numbers: np.ndarray) -> np.ndarray:
    """Return the samples in one selection."""
    found: np.ndarray = reader.oindex[numbers]
    return found
