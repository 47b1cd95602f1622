"""Series to be searched, and how they come: end to end, in pieces that a core's own cache holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from forgia_hpc.data.leaks.landmarks import Floats, Ints

BLOCK = 1 << 18  # values sketched at once


class Source(Protocol):
    """Series to be searched."""

    steps: Ints  # (series,)

    def read_part(self, series: int, first: int, length: int) -> Floats:
        """Return a part of one (step,); NaN where nothing was measured."""


def blocks(source: Source) -> Iterator[tuple[Floats, Ints, Ints, Ints]]:
    """Yield values end to end, and of each part its series, where it begins here and in its series."""
    order = np.argsort(source.steps, kind="stable")
    held: list[Floats] = []
    rows: list[tuple[int, int]] = []
    size = 0
    for number in order.tolist():
        steps = int(source.steps[number])
        for first in range(0, steps, BLOCK):
            part = normal(source.read_part(number, first, min(BLOCK, steps - first)))
            held.append(part)
            rows.append((number, first))
            size += len(part)
            if size >= BLOCK:
                yield _end_to_end(held, rows)
                held, rows, size = [], [], 0
    if held:
        yield _end_to_end(held, rows)


def _end_to_end(held: list[Floats], rows: list[tuple[int, int]]) -> tuple[Floats, Ints, Ints, Ints]:
    lengths = np.array([len(part) for part in held])
    table = np.array(rows, np.int64)
    return np.concatenate(held), table[:, 0], np.cumsum(lengths) - lengths, table[:, 1]


def normal(values: Floats) -> Floats:
    """Return values of mean 0 and deviation 1, gaps bridged by straight lines."""
    gaps = np.isnan(values)
    if gaps.all():
        return np.zeros_like(values)
    if gaps.any():
        there = np.flatnonzero(~gaps)
        values = np.interp(np.arange(len(values)), there, values[there]).astype(np.float32)
    values = values - values.mean(dtype=np.float64).astype(np.float32)
    spread = float(values.std(dtype=np.float64))
    return values / np.float32(spread) if spread > 0 else values
