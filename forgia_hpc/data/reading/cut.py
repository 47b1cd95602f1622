"""The windows of one contribution in one split, and reading the rows they are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reading.arrays import Ints
from forgia_hpc.data.reading.decode import Floats
from forgia_hpc.data.reading.normal import Normal, normal_of
from forgia_hpc.data.reading.opened import OpenContribution
from forgia_hpc.data.reading.resample import Grids
from forgia_hpc.data.reading.select import chosen_channels
from forgia_hpc.schema.data import Data


@dataclass(frozen=True)
class Places:
    """Where windows are: one entry a window."""

    segment: Ints  # row of the contribution's table of segments
    block: Ints
    start: Ints  # step of the segment at which the forecast begins


@dataclass(frozen=True)
class Rows:
    """Where the rows of a batch come from; series of a window stand together."""

    cut: Cut
    group: Ints  # (row,) number of the window in the batch
    series: Ints  # (row,) of the contribution's table of series
    start: Ints  # (row,) step at which the forecast begins


class Cut:
    """The windows of one contribution in one split.

    A *strip* is a block of channels of one segment: its windows differ by their start only.
    """

    def __init__(self, source: OpenContribution, split: Split, data: Data, number: int) -> None:
        """Count the windows of every granted segment of the split; `number` is the contribution's."""
        index = source.index
        self.source, self.data, self.number = source, data, number
        self.length = data.context + data.horizon
        self.grids = Grids(index, data)
        wanted = chosen_channels(index, data)[index.series["channel"]]
        self.inputs = np.flatnonzero(wanted)  # rows of the table of series
        before = np.concatenate([[0], np.cumsum(wanted)])
        shards = np.zeros(len(index.shards), np.bool_)
        shards[[shard for shard in index.shards_of(split).tolist() if shard in source.granted]] = (
            True
        )
        self.segments = np.flatnonzero(shards[index.segments["shard"]])
        rows = index.segments[self.segments]
        first = before[rows["series0"]]
        count = before[rows["series0"] + rows["series_count"]] - first
        self.blocks = -(-count // data.channels)
        steps = self.grids.steps[self.segments]
        self.starts = np.maximum(steps - data.horizon - data.min_context + 1, 0)
        self._strips(first, count)
        self.normal: Normal | None = normal_of(source) if data.normalise == "channel" else None

    def _strips(self, first: Ints, count: Ints) -> None:
        """Lay out the strips, segment by segment."""
        owner = np.repeat(np.arange(len(self.segments)), self.blocks)
        ends = np.cumsum(self.blocks)
        self._block = np.arange(len(owner)) - (ends - self.blocks)[owner]
        skipped = self._block * self.data.channels
        self._segment = self.segments[owner]
        self._first = first[owner] + skipped  # place of its first series in self.inputs
        self._count = np.minimum(count[owner] - skipped, self.data.channels)
        widest = int(self._count.max(initial=0))
        self._width = widest if (self._count == widest).all() else 0  # 0: strips differ in width
        self._ends = np.cumsum(self.starts[owner])
        self._zeroth = self._ends - self.starts[owner] - self.data.min_context
        self.count = int(self._ends[-1]) if len(owner) else 0

    def _find(self, windows: Ints) -> tuple[Ints, Ints]:
        """Return the strip of each window, and the step at which its forecast begins."""
        if len(windows) and (windows.min() < 0 or windows.max() >= self.count):
            raise IndexError(f"windows {windows.min()}..{windows.max()} of {self.count}")
        strip = np.searchsorted(self._ends, windows, side="right")
        return strip, windows - self._zeroth[strip]

    def places(self, windows: Ints) -> Places:
        """Return where windows are."""
        strip, start = self._find(windows)
        return Places(self._segment[strip], self._block[strip], start)

    def series(self, windows: Ints) -> int:
        """Return how many series these windows hold, without reading any."""
        return int(self._count[self._find(windows)[0]].sum())

    def homes(self, windows: Ints) -> tuple[Ints, Ints]:
        """Return the shard of each window, and how many series it holds, without reading any."""
        strip = self._find(windows)[0]
        shards = self.source.index.segments["shard"][self._segment[strip]]
        return shards.astype(np.int64), self._count[strip]

    def per_shard(self) -> Ints:
        """Return how many windows lie in each shard of the contribution."""
        shards = self.source.index.segments["shard"][self.segments]
        found = np.zeros(len(self.source.index.shards), np.int64)
        np.add.at(found, shards, self.starts * self.blocks)
        return found

    def spaced(self, every: int) -> Ints:
        """Return the windows whose forecasts begin `every` steps apart, from the earliest on."""
        runs = np.repeat(self.starts, self.blocks)  # windows of each strip
        begins = np.cumsum(runs) - runs
        found = [
            begin + np.arange(0, run, every)
            for begin, run in zip(begins.tolist(), runs.tolist(), strict=True)
        ]
        return np.concatenate([np.zeros(0, np.int64), *found])

    def rows(self, windows: Ints, groups: Ints) -> Rows:
        """Return the rows that make up windows; `groups` are their numbers in the batch."""
        strip, start = self._find(windows)
        first, width = self._first[strip], self._width
        if width == 1:
            return Rows(self, groups, self.inputs[first], start)
        if width:
            series = self.inputs[(first[:, None] + np.arange(width)).ravel()]
            return Rows(self, groups.repeat(width), series, start.repeat(width))
        counts = self._count[strip]
        within = np.arange(int(counts.sum())) - (np.cumsum(counts) - counts).repeat(counts)
        series = self.inputs[first.repeat(counts) + within]
        return Rows(self, groups.repeat(counts), series, start.repeat(counts))

    def read(self, rows: Rows, out: Floats | None) -> Floats:
        """Return the values (row, context + horizon), in `out` where one is given."""
        begins = rows.start - self.data.context
        found = self.grids.gather(self.source, rows.series, begins, self.length, out)
        if self.normal is not None:
            self.normal.apply(found, rows.series)
        return found
