"""The input series of an open dataset, as a source to be searched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.layout import Split
from forgia_hpc.data.leaks.landmarks import Floats
from forgia_hpc.data.reader import Dataset
from forgia_hpc.data.writing.admission import INPUT_ROLES

Ints = NDArray[np.int64]
BETWEEN = ("contributors", "splits", "all")


def compared(between: str, one: tuple[str, bool], other: tuple[str, bool]) -> bool:
    """Whether two sides (contributor, held out) are compared, by one of BETWEEN."""
    others = between != "splits" and one[0] != other[0]
    return others or (between != "contributors" and one[1] != other[1])


@dataclass(frozen=True)
class Place:
    """A series in words."""

    contribution: str
    contributor: str
    split: Split
    asset: str
    channel: str
    first: int  # step of the asset's own clock


class Pool:
    """Every granted input series with a number: contribution after contribution, as the index lists them."""

    def __init__(self, dataset: Dataset) -> None:
        """List the series; labels and targets are left out."""
        self._dataset = dataset
        self._rows: list[tuple[int, int]] = []
        steps: list[int] = []
        sides: dict[tuple[str, bool], int] = {}
        side: list[int] = []
        for number, source in enumerate(dataset.sources):
            index = source.index
            for row, entry in enumerate(index.series):
                segment = index.segments[entry["segment"]]
                channel = index.channels[entry["channel"]].channel
                if channel.role not in INPUT_ROLES or int(segment["shard"]) not in source.granted:
                    continue
                judged = index.split_of(int(segment["shard"])) is not Split.train
                self._rows.append((number, row))
                steps.append(int(segment["steps"]))
                key = (source.manifest.contributor, judged)
                side.append(sides.setdefault(key, len(sides)))
        self.steps: Ints = np.array(steps, np.int64)
        self.side: Ints = np.array(side, np.int64)
        self._sides = list(sides)

    def __len__(self) -> int:
        """Return how many series there are."""
        return len(self._rows)

    def comparable(self, between: str) -> NDArray[np.bool_]:
        """Return (side, side): what is compared, by one of BETWEEN."""
        rows = [[compared(between, one, other) for other in self._sides] for one in self._sides]
        return np.array(rows, np.bool_).reshape(len(rows), len(rows))

    def place(self, number: int) -> Place:
        """Return a series in words."""
        at, row = self._rows[number]
        source = self._dataset.sources[at]
        index = source.index
        segment = index.segments[index.series["segment"][row]]
        return Place(
            contribution=source.manifest.name,
            contributor=source.manifest.contributor,
            split=index.split_of(int(segment["shard"])),
            asset=index.assets[segment["asset"]],
            channel=index.channels[index.series["channel"][row]].channel.name,
            first=int(segment["first"]),
        )

    def read_part(self, series: int, first: int, length: int) -> Floats:
        """Return float32 (step,), NaN where nothing was measured."""
        at, row = self._rows[series]
        source = self._dataset.sources[at]
        found: Floats = source.gather(np.array([row]), np.array([first]), length)[0]
        return found
