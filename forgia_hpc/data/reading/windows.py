"""Windows: which there are, and reading a batch of them.

A window is (segment, first step of the forecast, block of channels). It exists when at least
`min_context` steps of its segment lie before the forecast and `horizon` steps from it on. Blocks are
runs of `channels` input channels of the segment, the last one shorter. Numbers count segment by
segment, then block by block, then step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reading.arrays import Ints
from forgia_hpc.data.reading.cut import Cut, Places, Rows
from forgia_hpc.data.reading.decode import Floats
from forgia_hpc.data.reading.opened import OpenContribution
from forgia_hpc.data.reading.select import check_selection
from forgia_hpc.schema.data import Data

Pairs = Sequence[tuple[int, int]] | Ints  # (contribution, window)


@dataclass(frozen=True)
class Batch:
    """Series cut from windows, NaN where missing. Rows of a window stand together.

    values is float32 (series, context + horizon). What else is known of a row is looked up when it is
    asked for: names cost more than numbers, and training does not want them.
    """

    values: Floats
    context_steps: int
    rows: tuple[Rows, ...]  # one a contribution, in the order of the values

    @property
    def context(self) -> Floats:
        """What the model sees, (series, context)."""
        return self.values[:, : self.context_steps]

    @property
    def target(self) -> Floats:
        """What it is to forecast, (series, horizon)."""
        return self.values[:, self.context_steps :]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where something was measured, (series, context + horizon)."""
        return ~np.isnan(self.values)

    @cached_property
    def group(self) -> Ints:
        """(series,) number of the window in the batch: its series are read jointly."""
        return self._of(lambda rows: rows.group)

    @cached_property
    def contribution(self) -> Ints:
        """(series,) number in WindowIndex.names."""
        return self._of(lambda rows: np.full(len(rows.group), rows.cut.number, np.int64))

    @cached_property
    def segment(self) -> Ints:
        """(series,) number in the contribution's table of segments."""
        return self._of(lambda rows: rows.cut.source.index.series["segment"][rows.series])

    @cached_property
    def start(self) -> Ints:
        """(series,) step of the segment at which the forecast begins (of the grid of data.rate_hz)."""
        return self._of(lambda rows: rows.start)

    @cached_property
    def season(self) -> Ints:
        """(series,) steps of a season, 1: none."""
        return self._of(
            lambda rows: rows.cut.grids.seasons[
                rows.cut.source.index.series["segment"][rows.series]
            ]
        )

    @cached_property
    def channel(self) -> tuple[str, ...]:
        """(series,) names of channels."""
        return tuple(
            rows.cut.source.index.channels[number].channel.name
            for rows in self.rows
            for number in rows.cut.source.index.series["channel"][rows.series].tolist()
        )

    @cached_property
    def asset(self) -> tuple[str, ...]:
        """(series,) names of machines."""
        found: list[str] = []
        for rows in self.rows:
            index = rows.cut.source.index
            assets = index.segments["asset"][index.series["segment"][rows.series]]
            found += [index.assets[number] for number in assets.tolist()]
        return tuple(found)

    def _of(self, fact: Callable[[Rows], Ints]) -> Ints:
        parts = [np.asarray(fact(rows), np.int64) for rows in self.rows]
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int64), *parts])


class WindowIndex:
    """The windows of a split, per contribution, in the order of the dataset."""

    def __init__(self, sources: Sequence[OpenContribution], split: Split, data: Data) -> None:
        """Count all windows; reads nothing but the indexes.

        Raises:
            InputError: data.select names what no contribution has.

        """
        self.data = data
        self.split = split
        self._sources = sources
        check_selection([source.index for source in sources], data)
        self._cuts = [Cut(source, split, data, at) for at, source in enumerate(sources)]
        self.names = tuple(source.manifest.name for source in sources)
        self.contributors = tuple(source.manifest.contributor for source in sources)
        self.counts: tuple[int, ...] = tuple(cut.count for cut in self._cuts)

    @cached_property
    def content_ids(self) -> tuple[str, ...]:
        """Digest of each contribution's decoded values: what a sampler's order hangs on."""
        return tuple(source.manifest.content_id(self.split) for source in self._sources)

    def __len__(self) -> int:
        """Return the number of windows of all contributions."""
        return sum(self.counts)

    def pairs(self, numbers: Sequence[int] | Ints) -> Ints:
        """Return (contribution, window) of numbers that count all windows, contribution by contribution."""
        counted = np.asarray(numbers, np.int64)
        ends = np.cumsum(self.counts)
        if len(counted) and not 0 <= counted.min() <= counted.max() < len(self):
            raise IndexError(f"windows {counted.min()}..{counted.max()} of {len(self)}")
        who = np.searchsorted(ends, counted, side="right")
        return np.stack([who, counted - (ends - np.array(self.counts))[who]], axis=1)

    def places(self, contribution: int, windows: Ints) -> Places:
        """Return segment, block and first forecast step of windows."""
        return self._cuts[contribution].places(np.asarray(windows, np.int64))

    def homes(self, contribution: int, windows: Ints) -> tuple[Ints, Ints]:
        """Return the shard of each window, and how many series it holds, without reading any."""
        return self._cuts[contribution].homes(np.asarray(windows, np.int64))

    def per_shard(self, contribution: int) -> Ints:
        """Return how many windows lie in each shard of a contribution."""
        return self._cuts[contribution].per_shard()

    def spaced(self, contribution: int, every: int) -> Ints:
        """Return the windows whose forecasts begin `every` steps apart, from the earliest on."""
        return self._cuts[contribution].spaced(every)

    def read(self, contribution: int, windows: Ints, out: Floats | None = None) -> Batch:
        """Return the windows of one contribution; series in the order of `windows`."""
        windows = np.asarray(windows, np.int64)
        cut = self._cuts[contribution]
        return self._read([cut.rows(windows, np.arange(len(windows)))], out)

    def gather(self, pairs: Pairs, out: Floats | None = None) -> Batch:
        """Return windows given as (contribution, window); rows ordered by contribution.

        `group` is the window's place in `pairs`. Values are written into the first rows of `out`, float32
        (series or more, context + horizon), where one is given: it is the batch's until it is used again.
        """
        chosen = np.asarray(pairs, np.int64).reshape(-1, 2)
        parts = []
        for contribution in np.unique(chosen[:, 0]).tolist():
            groups = np.flatnonzero(chosen[:, 0] == contribution)
            parts.append(self._cuts[contribution].rows(chosen[groups, 1], groups))
        return self._read(parts, out)

    def _read(self, parts: Sequence[Rows], out: Floats | None) -> Batch:
        context, length = self.data.context, self.data.context + self.data.horizon
        if len(parts) == 1 and out is None:
            return Batch(parts[0].cut.read(parts[0], None), context, tuple(parts))
        ends = np.cumsum([len(rows.series) for rows in parts], dtype=np.int64).tolist()
        total = ends[-1] if ends else 0
        values = np.empty((total, length), np.float32) if out is None else out[:total]
        for rows, end in zip(parts, ends, strict=True):
            rows.cut.read(rows, values[end - len(rows.series) : end])
        return Batch(values, context, tuple(parts))

    def series(self, pairs: Pairs) -> int:
        """Return how many series windows given as (contribution, window) hold; reads only the indexes."""
        chosen = np.asarray(pairs, np.int64).reshape(-1, 2)
        return sum(
            self._cuts[one].series(chosen[chosen[:, 0] == one, 1])
            for one in np.unique(chosen[:, 0]).tolist()
        )
