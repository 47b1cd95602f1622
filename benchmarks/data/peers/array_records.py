"""ArrayRecord, by Grain's data source: a record is a sample's bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grain
import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter

PACKAGES = ("numpy", "grain", "array_record")
NOTE = "records not compressed, group_size 1, as advised for random access"


@dataclass(frozen=True)
class Reader:
    """The source and the shape of a sample."""

    source: Any
    shape: tuple[int, int]


def make(samples: np.ndarray, directory: Path) -> None:
    """Write one file."""
    writer = ArrayRecordWriter(str(directory / "samples.arrayrecord"), "group_size:1,uncompressed")
    for sample in samples:
        writer.write(sample.tobytes())
    writer.close()
    np.save(directory / "shape.npy", np.array(samples.shape[1:]))


@contextmanager
def open_reader(directory: Path, way: str, order: np.ndarray) -> Iterator[Reader]:
    """Give the source."""
    channels, steps = np.load(directory / "shape.npy").tolist()
    with grain.sources.ArrayRecordDataSource(str(directory / "samples.arrayrecord")) as source:
        yield Reader(source, (channels, steps))


def read(reader: Reader, numbers: np.ndarray) -> np.ndarray:
    """Return the samples of one call."""
    records = reader.source.__getitems__(numbers.tolist())
    parts = [np.frombuffer(record, np.float32) for record in records]
    return np.stack(parts).reshape(-1, *reader.shape)
