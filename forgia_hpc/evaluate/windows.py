"""Which windows are judged. The choice depends on data and config only, never on the number of ranks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reader import Dataset
from forgia_hpc.data.reading.normal import moments_of
from forgia_hpc.data.reading.windows import Batch, WindowIndex
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.evaluate.metrics import Ints
from forgia_hpc.schema.data import Data

CHUNK = 8  # windows forecast together; fixed, because rounding depends on who shares a batch


@dataclass(frozen=True)
class Chunk:
    """A piece of work that one rank does: a few windows of one contribution and split."""

    contribution: int  # number in the window index
    split: Split
    windows: Ints
    number: int  # of the chunk among those of its contribution and split


def parse_splits(names: list[str]) -> list[Split]:
    """Return the splits of evaluate.splits.

    Raises:
        InputError: names that are no split, all of them.
    """
    known = [split.value for split in Split]
    problems = [
        Problem(field="evaluate.splits", got=name, limit=f"one of {', '.join(known)}")
        for name in names
        if name not in known
    ]
    if problems:
        raise InputError(problems)
    return [Split(name) for name in names]


def spread(count: int, most: int) -> Ints:
    """Return at most `most` of the windows 0 … count - 1: one out of each of `most` equal parts, by a fixed seed.

    Not evenly spaced: machines have cycles, and with forecasts 64 steps apart a press of 32, 48 or 64 steps
    was only ever met at the same angle. A fit on such windows failed on all others.
    """
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, most + 1).astype(np.int64)
    return np.random.default_rng(0).integers(edges[:-1], edges[1:])


def chunks(index: WindowIndex, most: int) -> Iterator[Chunk]:
    """Yield the work of one split: at most `most` windows a contribution."""
    for contribution in range(len(index.names)):
        windows = spread(index.counts[contribution], most)
        for at in range(0, len(windows), CHUNK):
            yield Chunk(contribution, index.split, windows[at : at + CHUNK], at // CHUNK)


def channel_spreads(dataset: Dataset, name: str, data: Data) -> dict[tuple[int, str], float]:
    """Return the standard deviation of each channel over the train split, by group and channel name.

    From the sums sealed in the index; in the units of `data`: of normalised values it is 1.
    """
    source = dataset.source(name)
    spread = moments_of(source).deviation
    if data.normalise == "channel":
        spread = (spread > 0).astype(np.float64)
    return {
        (entry.group, entry.channel.name): float(spread[at])
        for at, entry in enumerate(source.index.channels)
    }


def training_rows(dataset: Dataset, name: str, data: Data, most: int) -> Batch | None:
    """Return windows of a contribution's train split, or None where none may be read or none is long enough."""
    if not dataset.segments(name, Split.train):
        return None
    index = dataset.windows(Split.train, replace(data, contributions=[name]))
    windows = spread(index.counts[0], most)
    return index.read(0, windows) if len(windows) else None
