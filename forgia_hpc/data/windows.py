"""Windows: which there are, and reading a batch of them.

A window is (segment, first step of the forecast, block of channels). It exists when at least
`min_context` steps of its segment lie before the forecast and `horizon` steps from it on. Blocks are
runs of `channels` input channels of the segment, the last one shorter. Numbers count segment by
segment, then block by block, then step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.admission import INPUT_ROLES
from forgia_hpc.data.layout import Split
from forgia_hpc.data.mapped import Ints
from forgia_hpc.data.opened import OpenContribution
from forgia_hpc.schema.data import Data


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Series cut from windows, NaN where missing. Rows of a window stand together.

    context is float32 (series, context), target float32 (series, horizon).
    """

    context: NDArray[np.float32]
    target: NDArray[np.float32]
    group: Ints  # (series,) number of the window in the batch: its series are read jointly
    contribution: Ints  # (series,) number in WindowIndex.names
    season: Ints  # (series,) steps of a season, 1: none
    segment: Ints  # (series,) number in the contribution's table of segments
    start: Ints  # (series,) step of the segment at which the forecast begins
    channel: tuple[str, ...]
    asset: tuple[str, ...]


@dataclass(frozen=True)
class Places:
    """Where windows are: one entry a window."""

    segment: Ints  # row of the contribution's table of segments
    block: Ints
    start: Ints  # step of the segment at which the forecast begins


class Cut:
    """The windows of one contribution in one split."""

    def __init__(self, source: OpenContribution, split: Split, data: Data) -> None:
        """Count the windows of every granted segment of the split."""
        index = source.index
        self.source = source
        self.data = data
        inputs = np.array([one.channel.role in INPUT_ROLES for one in index.channels], np.bool_)
        is_input = inputs[index.series["channel"]]
        self.inputs = np.flatnonzero(is_input)  # rows of the table of series
        before = np.concatenate([[0], np.cumsum(is_input)])
        shards = [shard for shard in source.granted if index.split_of(shard) is split]
        self.segments = np.flatnonzero(np.isin(index.segments["shard"], shards))
        rows = index.segments[self.segments]
        self.input0 = before[rows["series0"]]
        self.input_count = before[rows["series0"] + rows["series_count"]] - self.input0
        self.blocks = -(-self.input_count // data.channels)
        self.starts = np.maximum(rows["steps"] - data.horizon - data.min_context + 1, 0)
        self.ends = np.cumsum(self.starts * self.blocks)
        self.begins = self.ends - self.starts * self.blocks
        self.count = int(self.ends[-1]) if len(self.ends) else 0
        seasons = np.array(index.season_steps, np.int64)
        self.seasons = seasons[index.segments["group"]]
        self.channel_names = np.array([one.channel.name for one in index.channels], object)
        self.asset_names = np.array(index.assets, object)

    def places(self, windows: Ints) -> tuple[Places, Ints]:
        """Return where windows are, and the row of self.segments of each."""
        if len(windows) and (windows.min() < 0 or windows.max() >= self.count):
            raise IndexError(f"windows {windows.min()}..{windows.max()} of {self.count}")
        row = np.searchsorted(self.ends, windows, side="right")
        inside = windows - self.begins[row]
        block, start = np.divmod(inside, np.maximum(self.starts[row], 1))
        return Places(self.segments[row], block, start + self.data.min_context), row

    def series(self, windows: Ints) -> int:
        """Return how many series these windows hold, without reading any."""
        return int(self._series(*self.places(windows)).sum())

    def _series(self, places: Places, row: Ints) -> Ints:
        left: Ints = self.input_count[row] - places.block * self.data.channels
        return np.minimum(left, self.data.channels)

    def read(self, windows: Ints, groups: Ints, number: int) -> Batch:
        """Return the series of windows; `groups` are their numbers in the batch."""
        data = self.data
        places, row = self.places(windows)
        first = places.block * data.channels
        counts = self._series(places, row)
        owner = np.repeat(np.arange(len(windows)), counts)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        series = self.inputs[(self.input0[row] + first)[owner] + within]
        start = places.start[owner]
        length = data.context + data.horizon
        values = self.source.gather(series, start - data.context, length)
        segment = places.segment[owner]
        index = self.source.index
        return Batch(
            context=values[:, : data.context],
            target=values[:, data.context :],
            group=groups[owner],
            contribution=np.full(len(owner), number, np.int64),
            season=self.seasons[segment],
            segment=segment,
            start=start,
            channel=tuple(self.channel_names[index.series["channel"][series]]),
            asset=tuple(self.asset_names[index.segments["asset"][segment]]),
        )


class WindowIndex:
    """The windows of a split, per contribution, in the order of the dataset."""

    def __init__(self, sources: Sequence[OpenContribution], split: Split, data: Data) -> None:
        """Count all windows; reads nothing but the indexes."""
        self.data = data
        self.split = split
        self._cuts = [Cut(source, split, data) for source in sources]
        self.names = tuple(source.manifest.name for source in sources)
        self.content_ids = tuple(source.manifest.content_id(split) for source in sources)
        self.counts: tuple[int, ...] = tuple(cut.count for cut in self._cuts)

    def __len__(self) -> int:
        """Return the number of windows of all contributions."""
        return sum(self.counts)

    def places(self, contribution: int, windows: Ints) -> Places:
        """Return segment, block and first forecast step of windows."""
        return self._cuts[contribution].places(np.asarray(windows, np.int64))[0]

    def spaced(self, contribution: int, every: int) -> Ints:
        """Return the windows whose forecasts begin `every` steps apart, from the earliest on."""
        cut = self._cuts[contribution]
        runs = np.repeat(cut.starts, cut.blocks)  # windows of each block of each segment
        begins = np.cumsum(runs) - runs
        found = [
            begin + np.arange(0, run, every)
            for begin, run in zip(begins.tolist(), runs.tolist(), strict=True)
        ]
        return np.concatenate([np.zeros(0, np.int64), *found])

    def read(self, contribution: int, windows: Ints) -> Batch:
        """Return the windows of one contribution; series in the order of `windows`."""
        windows = np.asarray(windows, np.int64)
        return self._cuts[contribution].read(windows, np.arange(len(windows)), contribution)

    def gather(self, pairs: Sequence[tuple[int, int]]) -> Batch:
        """Return windows given as (contribution, window); rows ordered by contribution.

        `group` is the window's place in `pairs`.
        """
        chosen = np.array(pairs, np.int64).reshape(-1, 2)
        parts = []
        for contribution in np.unique(chosen[:, 0]).tolist():
            groups = np.flatnonzero(chosen[:, 0] == contribution)
            windows = chosen[groups, 1]
            parts.append(self._cuts[contribution].read(windows, groups, contribution))
        return parts[0] if len(parts) == 1 else _joined(parts)

    def series(self, pairs: Sequence[tuple[int, int]]) -> int:
        """Return how many series windows given as (contribution, window) hold; reads only the indexes."""
        chosen = np.array(pairs, np.int64).reshape(-1, 2)
        return sum(
            self._cuts[one].series(chosen[chosen[:, 0] == one, 1])
            for one in np.unique(chosen[:, 0]).tolist()
        )


def _joined(parts: Sequence[Batch]) -> Batch:
    arrays = ("context", "target", "group", "contribution", "season", "segment", "start")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays}
    return Batch(
        channel=tuple(name for part in parts for name in part.channel),
        asset=tuple(name for part in parts for name in part.asset),
        **joined,
    )
