"""Ours: a machine whose channels are the samples one behind the other, so that a window may begin at any step."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import make_key
from forgia_hpc.data.crypto.sealed_blocks import BlockCache
from forgia_hpc.data.crypto.sealed_file import BLOCK_BYTES
from forgia_hpc.data.layout import Channel, Contribution, Segment, Split
from forgia_hpc.data.reader import Dataset, open_dataset
from forgia_hpc.data.reading.windows import WindowIndex
from forgia_hpc.data.repack import to_cold
from forgia_hpc.data.writer import seal
from forgia_hpc.schema.data import Data

PACKAGES = ("numpy", "h5py", "cryptography")
STEP = 1 / 128  # the samples are whole multiples of it
CACHE = 8 << 20  # decrypted blocks kept: so few that most windows by chance find none of theirs
CARD = {
    "format": "forgia.card/1",
    "name": "samples",
    "title": "Samples",
    "contributor": "benchmark",
    "description": "Random windows.",
    "licence": "MIT",
    "source": "benchmarks/data/peers",
}


@dataclass(frozen=True)
class Reader:
    """Open windows, the steps of one, and the shape of a sample."""

    index: WindowIndex
    steps: int
    shape: tuple[int, int]


def make(samples: np.ndarray, directory: Path) -> None:
    """Seal the samples as f32, as i16 and as one long series, encrypt the first, pack the second."""
    count, channels, steps = samples.shape
    one = samples.reshape(count, 1, channels * steps)
    seal(_contribution(one, None), CARD, directory / "series" / "samples", shard_bytes=1 << 40)
    for storage, scale in (("f32", None), ("i16", STEP)):
        seal(
            _contribution(samples, scale),
            CARD,
            directory / storage / "samples",
            shard_bytes=1 << 40,
        )
    public = make_key(directory / "key.json", "benchmark")
    encrypt(directory / "f32/samples", [public], directory / "encrypted")
    (directory / "cold").mkdir()
    to_cold(directory / "i16/samples", directory / "cold/samples", "gzip", lambda *_: None)
    np.save(directory / "shape.npy", np.array([channels, steps]))


def _contribution(samples: np.ndarray, scale: float | None) -> Contribution:
    count, channels, steps = samples.shape
    iri = "https://forgia.example/x"
    words = tuple(
        Channel(name=f"s{k}", ucum="1", quantity="ratio", semantic_id=iri, scale=scale)
        for k in range(channels)
    )
    one = Segment(
        asset="machine",
        group="fast",
        split=Split.train,
        channels=words,
        values=samples.transpose(1, 0, 2).reshape(channels, count * steps).astype(np.float64),
        t0_ns=None,
        rate_num=100,
        rate_den=1,
    )
    return Contribution(name="samples", contributor="benchmark", segments=(one,))


@contextmanager
def open_reader(directory: Path, way: str, order: np.ndarray) -> Iterator[Reader]:
    """Give the windows, every leaf hashed; `way` is a form of the dataset and how it is read: `f32 mmap`."""
    os.environ["FORGIA_KEY"] = str(directory / "key.json")
    form, io = way.split()
    channels, steps = shape = np.load(directory / "shape.npy").tolist()
    if form == "series":
        channels, steps = 1, channels * steps
    data = Data(context=steps - 1, min_context=steps - 1, horizon=1, channels=channels)
    with open_dataset(directory / form / "samples", io=io) as dataset:
        if form == "encrypted":
            _forget(dataset)
        reader = Reader(dataset.windows(Split.train, data), steps, shape)
        for part in np.array_split(np.arange(len(reader.index) // steps + 1), 64):
            read(reader, part)
        yield reader


def _forget(dataset: Dataset) -> None:
    """Keep few decrypted blocks: 64 MiB, as without this, would be a quarter of these data."""
    dataset.sources[0].access.keyring.caches[BLOCK_BYTES] = BlockCache(BLOCK_BYTES, CACHE)


def read(reader: Reader, numbers: np.ndarray) -> np.ndarray:
    """Return the samples of one call."""
    values: np.ndarray = reader.index.read(0, numbers * reader.steps).values
    return values.reshape(len(numbers), *reader.shape)
