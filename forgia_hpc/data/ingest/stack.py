"""Channels (channel, row) that may lie on disk: put together one channel at a time, so that memory holds one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Steps = NDArray[np.int64]
BLOCK = 1 << 20  # rows of a channel looked at together


class Columns(Protocol):
    """Something with rows of channels: an array, in memory or on disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels and rows."""

    def __getitem__(self, channel: Any) -> Any:
        """Return the values of a channel."""


@dataclass(frozen=True)
class Picked:
    """Some rows of columns."""

    columns: Columns
    rows: Steps

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and rows picked."""
        return (self.columns.shape[0], len(self.rows))

    def __getitem__(self, channel: int) -> Values:
        """Return the picked values of a channel."""
        return np.asarray(self.columns[channel])[self.rows]


@dataclass(frozen=True)
class Stack:
    """Columns one after another, of which some rows are kept.

    keep: the rows that stay; None: all. mean: rows left out, and the kept row that each is averaged into.
    """

    sources: Sequence[Columns]
    keep: Steps | None = None
    mean: tuple[Steps, Steps] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and rows that stay."""
        rows = sum(one.shape[1] for one in self.sources)
        return (self.sources[0].shape[0], rows if self.keep is None else len(self.keep))

    def __iter__(self) -> Iterator[Values]:
        """Yield the channels."""
        return (self.channel(number) for number in range(self.shape[0]))

    def of_sources(self, rows: Steps) -> Steps:
        """Return which rows of all sources these rows are."""
        return rows if self.keep is None else self.keep[rows]

    @cached_property
    def _ends(self) -> Steps:
        return np.cumsum([one.shape[1] for one in self.sources])

    def channel(self, number: int) -> Values:
        """Return the values of one channel."""
        return self.between(number, 0, self.shape[1])

    def finite(self) -> int:
        """Return how many values are no gaps; a part of a channel is read at a time."""
        rows = range(0, self.shape[1], BLOCK)
        return sum(
            int(np.isfinite(self.between(number, begin, min(begin + BLOCK, self.shape[1]))).sum())
            for number in range(self.shape[0])
            for begin in rows
        )

    def between(self, number: int, begin: int, end: int) -> Values:
        """Return the values of some rows of a channel; reads what they need, and no more."""
        if self.keep is None:
            return self._raw(number, begin, end)
        kept = self._some(number, self.keep[begin:end])
        if self.mean is None:
            return kept
        late, target = self.mean
        mine = (target >= begin) & (target < end)
        return _averaged(kept, self._some(number, late[mine]), target[mine] - begin)

    def _some(self, number: int, rows: Steps) -> Values:
        if not len(rows):
            return np.zeros(0)
        first = int(rows.min())
        return self._raw(number, first, int(rows.max()) + 1)[rows - first]

    def _raw(self, number: int, begin: int, end: int) -> Values:
        """Return rows of the sources, a view where they lie in one."""
        at = int(np.searchsorted(self._ends, begin, side="right"))
        parts = []
        while begin < end:
            first = int(self._ends[at]) - self.sources[at].shape[1]
            stop = min(end, int(self._ends[at]))
            parts.append(np.asarray(self.sources[at][number])[begin - first : stop - first])
            begin, at = stop, at + 1
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0), *parts])


@dataclass(frozen=True)
class Placed:
    """Rows of a stack at their steps, NaN between them; looks like an array (channel, step)."""

    stack: Stack
    rows: slice  # of the stack
    at: Steps | range  # the step of each row
    begin: int
    end: int

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and steps."""
        return (self.stack.shape[0], self.end - self.begin)

    def __len__(self) -> int:
        """Return how many channels there are."""
        return self.shape[0]

    def __iter__(self) -> Iterator[Values]:
        """Yield the channels."""
        return (self.channel(number) for number in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        """Return a channel, all channels between two steps, or whatever an array would."""
        if isinstance(key, int | np.integer):
            return self.channel(int(key))
        if isinstance(key, tuple) and len(key) == 2 and key[0] == slice(None):
            begin, end, step = key[1].indices(self.end - self.begin)
            if step == 1:
                return self._between(self.begin + begin, self.begin + end)
        return np.asarray(self)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Values:
        """Return all of it in memory."""
        del copy  # there is nothing to share
        whole = np.empty(self.shape, dtype or np.float64)
        for number in range(len(self)):
            whole[number] = self.channel(number)
        return whole

    def in_memory(self) -> Values:
        """Return all of it as one array, a view where nothing has to be moved."""
        (source, *others) = self.stack.sources
        whole = not others and self.stack.keep is None and len(self.at) == self.end - self.begin
        if whole and isinstance(source, np.ndarray):
            view: Values = source[:, self.rows]
            return view
        return np.asarray(self)

    def channel(self, number: int) -> Values:
        """Return one channel."""
        values = self.stack.between(number, self.rows.start, self.rows.stop)
        if isinstance(self.at, range) or len(self.at) == self.end - self.begin:
            return values
        row = np.full(self.end - self.begin, np.nan)
        row[self.at - self.begin] = values
        return row

    def _between(self, begin: int, end: int) -> Placed:
        if isinstance(self.at, range):
            first, last = (min(max(one - self.at.start, 0), len(self.at)) for one in (begin, end))
        else:
            first, last = np.searchsorted(self.at, (begin, end)).tolist()
        rows = slice(self.rows.start + first, self.rows.start + last)
        return Placed(self.stack, rows, self.at[first:last], begin, end)


class Room:
    """One array in memory for the stretches of a file, so that they need not be joined by copying."""

    def __init__(self, share: float, first: tuple[int, ...]) -> None:
        """Take the shape of the first stretch and its share of the file; pages never written cost nothing."""
        channels, rows = first
        self._array = np.empty((channels, int(rows / max(share, 1e-6) * 1.1) + 1))
        self._filled = 0

    def take(self, values: Values) -> Values:
        """Return the values (channel, row) in their place here, or as they are where there is no room."""
        end = self._filled + values.shape[1]
        if end > self._array.shape[1]:
            return values
        place = self._array[:, self._filled : end]
        place[:] = values
        self._filled = end
        return place


def adjacent(sources: Sequence[Columns]) -> Sequence[Columns]:
    """Return one view of sources that lie beside each other in one room, else the sources."""
    arrays = [one for one in sources if isinstance(one, np.ndarray)]
    base = arrays[0].base if arrays else None
    if len(arrays) != len(sources) or not isinstance(base, np.ndarray) or base.ndim != 2:
        return sources
    places = [
        (one.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // base.itemsize
        for one in arrays
    ]
    ends = np.cumsum([places[0], *(one.shape[1] for one in arrays)]).tolist()
    if any(one.base is not base for one in arrays) or places != ends[:-1]:
        return sources
    return [base[:, places[0] : ends[-1]]]


def _averaged(kept: Values, late: Values, target: Steps) -> Values:
    """Return each kept value, or the mean of it and what came late, gaps not counted."""
    sums, counts = np.nan_to_num(kept, nan=0.0), np.isfinite(kept).astype(np.float64)
    valid = np.isfinite(late)
    np.add.at(sums, target[valid], late[valid])
    np.add.at(counts, target[valid], 1.0)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
