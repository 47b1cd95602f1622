"""WebDataset: tar files read from front to end through a shuffle buffer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import webdataset

PACKAGES = ("numpy", "webdataset")
NOTE = "a stream: shuffled shards and a buffer of 1,000, not the windows asked for; values as raw bytes"


@dataclass
class Reader:
    """The stream, and which samples it gave last."""

    stream: Iterator[Any]
    shape: tuple[int, int]
    last: list[int] = field(default_factory=list)


def make(samples: np.ndarray, directory: Path) -> None:
    """Write tar files of 64 MiB."""
    count = max((1 << 26) // samples[0].nbytes, 1)
    with webdataset.ShardWriter(str(directory / "%04d.tar"), maxcount=count, verbose=0) as writer:
        for number, sample in enumerate(samples):
            writer.write({"__key__": f"{number:08d}", "f32": sample.tobytes()})
    np.save(directory / "shape.npy", np.array(samples.shape[1:]))


@contextmanager
def open_reader(directory: Path, way: str, order: np.ndarray) -> Iterator[Reader]:
    """Give the stream, endless."""
    shards = sorted(str(path) for path in directory.glob("*.tar"))
    stream = webdataset.WebDataset(shards, shardshuffle=len(shards)).shuffle(1000).repeat()
    channels, steps = np.load(directory / "shape.npy").tolist()
    yield Reader(iter(stream), (channels, steps))


def read(reader: Reader, numbers: np.ndarray) -> np.ndarray:
    """Return as many samples as were asked for, whichever come next."""
    found = [next(reader.stream) for _ in numbers]
    reader.last = [int(sample["__key__"]) for sample in found]
    parts = [np.frombuffer(sample["f32"], np.float32) for sample in found]
    return np.stack(parts).reshape(-1, *reader.shape)


def told(reader: Reader) -> list[int]:
    """Return the numbers of the last batch."""
    return reader.last
