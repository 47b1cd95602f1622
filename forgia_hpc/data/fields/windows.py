"""Windows of time steps of trajectories: counted from the index, read into one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.layout import Schema
from forgia_hpc.data.fields.normal import Normal, merged, normal_of
from forgia_hpc.data.fields.opened import Floats, Ints, OpenFields
from forgia_hpc.data.layout import Split
from forgia_hpc.errors import InputError, Problem


@dataclass(frozen=True, kw_only=True)
class FieldBatch:
    """Windows of k steps. Space is (*grid): the axes of the schema's grid, slowest first."""

    values: Floats  # (row, step, channel, *grid); NaN where there is nothing
    static: Floats  # (row, channel, *grid): the fields that do not vary in time
    mask: NDArray[np.bool_] | None  # (row, *grid): inside the body; None: everywhere
    times: NDArray[np.float64]  # (row, step)
    parameters: Floats  # (row, parameter)
    signals: Floats  # (row, step, signal)
    contribution: Ints  # (row,)
    trajectory: Ints  # (row,)
    step: Ints  # (row,): the first


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """What a window is: how many steps, how far apart, of which fields (none named: all that vary in time)."""

    steps: int = 2
    stride: int = 1
    fields: tuple[str, ...] = ()

    @property
    def span(self) -> int:
        """Steps of the trajectory from the first to the last, both included."""
        return (self.steps - 1) * self.stride + 1


class FieldWindows:
    """Windows, numbered trajectory by trajectory, then step by step; a Sampler may order them."""

    def __init__(self, sources: Sequence[OpenFields], split: Split, cutting: Cutting) -> None:
        """Count all windows; reads nothing but the indexes."""
        if problems := _unfit(sources, cutting):
            raise InputError(problems)
        self.sources, self.split, self.cutting = sources, split, cutting
        self.schema = sources[0].schema
        self.names = tuple(source.manifest.name for source in sources)
        self.contributors = tuple(source.manifest.contributor for source in sources)
        self.content_ids = tuple(source.manifest.content_id(split) for source in sources)
        self._rows = [np.array(source.trajectories(split), np.int64) for source in sources]
        self._ends = [
            np.cumsum([max(0, len(source.index.times_of(row)) - cutting.span + 1) for row in rows])
            for source, rows in zip(sources, self._rows, strict=True)
        ]
        self.counts: tuple[int, ...] = tuple(
            int(ends[-1]) if len(ends) else 0 for ends in self._ends
        )
        if not sum(self.counts):
            limit = f"no trajectory of {split.value} has {cutting.span} steps"
            raise InputError(Problem(field="steps", got=cutting.steps, limit=limit))
        self.channels = self.schema.channels(self.schema.chosen(cutting.fields))

    def __len__(self) -> int:
        """Return the number of windows of all contributions."""
        return sum(self.counts)

    def homes(self, contribution: int, windows: Ints) -> tuple[Ints, Ints]:
        """Return the shard of each window, and how many channels it holds, without reading any."""
        at = np.searchsorted(self._ends[contribution], windows, side="right")
        rows = self._rows[contribution][at]
        shards = self.sources[contribution].index.trajectories["shard"][rows]
        return shards.astype(np.int64), np.full(len(rows), len(self.channels), np.int64)

    def normal(self) -> Normal:
        """Return means and deviations of `channels` over the granted shards of the split."""
        found = []
        if not all(len(source.index.stats) for source in self.sources):
            limit = "is not sealed and has no stats.yaml"
            fix = "forgia data ingest --well, which counts"
            raise InputError(Problem(field="dataset", got=self.names, limit=limit, fix=fix))
        for name in ("stats", "deltas"):
            parts = [
                _channels_of(source, shard, name, self.cutting)
                for source in self.sources
                for shard in sorted(source.granted)
                if source.index.split_of(shard) is self.split
            ]
            found.append(merged(parts, len(self.channels)))
        return normal_of(*found)

    def gather(
        self, pairs: Ints | Sequence[tuple[int, int]], out: FieldBatch | None = None
    ) -> FieldBatch:
        """Return windows given as (contribution, window), a row each, in the order given.

        `out`: a batch of as many rows, filled again; fresh memory costs more than the copy into it.
        """
        chosen = np.array(pairs, np.int64).reshape(-1, 2)
        batch = self._empty(chosen) if out is None else out
        batch.contribution[:] = chosen[:, 0]
        for number in np.unique(chosen[:, 0]).tolist():
            rows = np.flatnonzero(chosen[:, 0] == number)
            part = batch if len(rows) == len(chosen) else self._empty(chosen[rows])
            self._read(number, chosen[rows, 1], part)
            if part is not batch:
                _put(batch, rows, part)
        return batch

    def _empty(self, chosen: Ints) -> FieldBatch:
        schema, rows, steps = self.schema, len(chosen), self.cutting.steps
        grid = schema.grid.shape
        static = len(schema.channels(_static(schema)))
        masked = any(one.mask for one in schema.fields)
        return FieldBatch(
            values=np.empty((rows, steps, len(self.channels), *grid), np.float32),
            static=np.empty((rows, static, *grid), np.float32),
            mask=np.ones((rows, *grid), np.bool_) if masked else None,
            times=np.empty((rows, steps)),
            parameters=np.empty((rows, len(schema.parameters)), np.float32),
            signals=np.empty((rows, steps, len(schema.signals)), np.float32),
            contribution=chosen[:, 0].copy(),
            trajectory=np.empty(rows, np.int64),
            step=np.empty(rows, np.int64),
        )

    def _read(self, number: int, windows: Ints, out: FieldBatch) -> None:
        source, ends = self.sources[number], self._ends[number]
        at = np.searchsorted(ends, windows, side="right")
        trajectories = self._rows[number][at]
        firsts = windows - np.where(at > 0, ends[at - 1], 0)
        out.trajectory[:], out.step[:] = trajectories, firsts
        steps = firsts[:, None] + np.arange(self.cutting.steps) * self.cutting.stride
        for row, trajectory in enumerate(trajectories.tolist()):
            out.times[row] = source.index.times_of(trajectory)[steps[row]]
            out.parameters[row] = source.index.parameters_of(trajectory)
            out.signals[row] = source.index.signals_of(trajectory)[steps[row]]
        when = (firsts, self.cutting.steps, self.cutting.stride)
        self._fields(source, trajectories, when, out)

    def _fields(
        self, source: OpenFields, rows: Ints, when: tuple[Ints, int, int], out: FieldBatch
    ) -> None:
        """Read every chosen field into its channels, the static ones and the masks too."""
        names, schema = self.schema.grid.names, source.schema
        chosen = schema.chosen(self.cutting.fields or _varying(self.schema))
        for fields, target in ((chosen, out.values), (_static(schema), out.static[:, None])):
            begin = 0
            for field in fields:
                parts = len(schema.fields[field].components(names))
                source.fill(field, rows, when, target[:, :, begin : begin + parts])
                begin += parts
        if out.mask is not None:
            out.mask[...] = self._inside(source, rows, when)

    def _inside(
        self, source: OpenFields, rows: Ints, when: tuple[Ints, int, int]
    ) -> NDArray[np.bool_]:
        """Return (row, *grid): where every mask says so, at every step."""
        schema = source.schema
        inside = np.ones((len(rows), *schema.grid.shape), np.bool_)
        for field, one in enumerate(schema.fields):
            if one.mask:
                steps = self.cutting.steps if one.time_varying else 1
                found = np.empty((len(rows), steps, 1, *schema.grid.shape), np.float32)
                source.fill(field, rows, when, found)
                inside &= (found[:, :, 0] > 0.5).all(1)
        return inside


def _static(schema: Schema) -> list[int]:
    return [at for at, one in enumerate(schema.fields) if not one.time_varying and not one.mask]


def _varying(schema: Schema) -> tuple[str, ...]:
    return tuple(schema.fields[at].name for at in schema.chosen())


def _channels_of(source: OpenFields, shard: int, table: str, cutting: Cutting) -> Any:
    """Return the rows of statistics of the channels that a window has."""
    index, schema = source.index, source.schema
    total = len(schema.channels(range(len(schema.fields))))
    rows = [
        shard * total + index.channels_before(field) + part
        for field in schema.chosen(cutting.fields)
        for part in range(len(schema.fields[field].components(schema.grid.names)))
    ]
    return getattr(index, table)[rows]


def _put(batch: FieldBatch, rows: Ints, part: FieldBatch) -> None:
    for name, values in vars(part).items():
        if values is not None:
            getattr(batch, name)[rows] = values


def _unfit(sources: Sequence[OpenFields], cutting: Cutting) -> list[Problem]:
    """Return why these contributions can't be read into one batch."""
    first = sources[0].schema
    known = [one.name for one in first.fields if one.time_varying]
    found = [
        Problem(field="fields", got=name, limit=f"that vary in time: {', '.join(known)}")
        for name in cutting.fields
        if name not in known
    ]
    if cutting.steps < 1 or cutting.stride < 1:
        found.append(
            Problem(field="steps", got=(cutting.steps, cutting.stride), limit="at least 1")
        )
    for source in sources[1:]:
        if not found and _shape_of(source.schema, cutting) != _shape_of(first, cutting):
            limit = f"other fields, grid or parameters than {sources[0].manifest.name}"
            fix = "train on one of them, or name the fields that both have"
            found.append(Problem(field="data", got=source.manifest.name, limit=limit, fix=fix))
    return found


def _shape_of(schema: Schema, cutting: Cutting) -> object:
    names = {one.name for one in schema.fields}
    if not set(cutting.fields) <= names:
        return None
    inputs = [[one.name for one in some] for some in (schema.parameters, schema.signals)]
    fields = [*schema.chosen(cutting.fields), *_static(schema)]
    masks = any(one.mask for one in schema.fields)
    return schema.grid.names, schema.grid.shape, schema.channels(fields), inputs, masks
