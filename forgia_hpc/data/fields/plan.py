"""Lay a set of trajectories out: which shard each gets. Pure; no HDF5, no values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields import index as index_
from forgia_hpc.data.fields.index import FieldIndex
from forgia_hpc.data.fields.layout import FieldSet, Schema, Trajectory
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import SHARDS
from forgia_hpc.data.packed import SPLITS, STAT, Table

SHARD_BYTES = 256 << 20

Run = tuple[Split, int, Sequence[int]]  # of one shard: split, steps, numbers of trajectories


@dataclass(frozen=True)
class FieldPlan:
    """The index without what only a written file tells; trajectories in the order of the index."""

    index: FieldIndex
    trajectories: tuple[Trajectory, ...]


def plan(given: FieldSet, *, shard_bytes: int = SHARD_BYTES, per_shard: int = 0) -> FieldPlan:
    """Return where everything goes: by split, then by number of steps, then as given.

    A shard holds `per_shard` trajectories in a row; without it as many as keep it under `shard_bytes`.
    """
    runs = _runs(given, shard_bytes, per_shard)
    trajectories = tuple(given.trajectories[number] for _, _, run in runs for number in run)
    return FieldPlan(lay(given.name, given.schema, runs, trajectories), trajectories)


def lay(
    name: str, schema: Schema, runs: Sequence[Run], trajectories: Sequence[Trajectory]
) -> FieldIndex:
    """Return the index of shards that hold these runs of trajectories, one after another."""
    shards = _shard_rows(runs, len(schema.signals))
    return FieldIndex(
        name=name,
        schema=schema,
        shards=shards,
        trajectories=_trajectory_rows(trajectories, shards),
        arrays=_array_rows(schema, shards),
        parameters=_parameters(schema, trajectories),
        times=_times(trajectories)[0],
        signals=_signals(schema, trajectories),
        stats=np.zeros(0, STAT),
        deltas=np.zeros(0, STAT),
        leaves=np.zeros((0, 32), np.uint8),
    )


def trajectory_bytes(schema: Schema, steps: int) -> int:
    """Return what one trajectory takes in a shard."""
    return sum(
        int(np.prod(one.shape(schema.grid, steps))) * index_.itemsize(one)
        for one in schema.fields
        if one.per_trajectory
    )


def _runs(given: FieldSet, shard_bytes: int, per_shard: int) -> list[Run]:
    def kind(number: int) -> tuple[int, int]:
        one = given.trajectories[number]
        return SPLITS.index(one.split), len(one.times)

    found: list[Run] = []
    for (split, steps), members in groupby(sorted(range(len(given.trajectories)), key=kind), kind):
        size = trajectory_bytes(given.schema, steps)
        count = per_shard or max(1, shard_bytes // max(size, 1))
        numbers = list(members)
        found += [
            (SPLITS[split], steps, numbers[at : at + count]) for at in range(0, len(numbers), count)
        ]
    return found


def _shard_rows(runs: Sequence[Run], signals: int) -> Table:
    rows = np.zeros(len(runs), index_.SHARD)
    seen: dict[Split, int] = {}
    for row, (split, steps, members) in zip(rows, runs, strict=True):
        seen[split] = seen.get(split, -1) + 1
        row["path"] = f"{SHARDS}/{split.value}-{seen[split]:03d}.h5".encode()
        row["split"], row["steps"] = SPLITS.index(split), steps
        row["trajectories"] = len(members)
    counts = rows["trajectories"]
    rows["trajectory0"] = np.cumsum(counts) - counts
    numbers = counts * rows["steps"].astype(np.int64) * signals
    rows["signals0"] = np.cumsum(numbers) - numbers
    return rows


def _trajectory_rows(trajectories: Sequence[Trajectory], shards: Table) -> Table:
    rows = np.zeros(len(trajectories), index_.TRAJECTORY)
    rows["member"] = [one.member.encode() for one in trajectories]
    rows["shard"] = np.repeat(np.arange(len(shards)), shards["trajectories"])
    rows["row"] = np.arange(len(rows)) - shards["trajectory0"][rows["shard"]]
    rows["times0"] = _times(trajectories)[1]
    return rows


def _array_rows(schema: Schema, shards: Table) -> Table:
    rows = np.zeros(len(shards) * len(schema.fields), index_.ARRAY)
    rows["count"] = [
        int(np.prod(index_.full_shape(schema, at, int(row["trajectories"]), int(row["steps"]))))
        for row in shards
        for at in range(len(schema.fields))
    ]
    return rows


def _parameters(schema: Schema, trajectories: Sequence[Trajectory]) -> NDArray[np.float64]:
    names = [one.name for one in schema.parameters]
    return np.array([one.parameters[name] for one in trajectories for name in names], "<f8")


def _times(trajectories: Sequence[Trajectory]) -> tuple[NDArray[np.float64], list[int]]:
    """Return the times one after another, each kind once, and where each trajectory's begin."""
    known: dict[bytes, int] = {}
    tables: list[NDArray[np.float64]] = []
    places, filled = [], 0
    for one in trajectories:
        times = np.asarray(one.times, "<f8")
        if times.tobytes() not in known:
            known[times.tobytes()] = filled
            tables.append(times)
            filled += len(times)
        places.append(known[times.tobytes()])
    return np.concatenate(tables), places


def _signals(schema: Schema, trajectories: Sequence[Trajectory]) -> NDArray[np.float32]:
    names = [one.name for one in schema.signals]
    if not names:
        return np.zeros(0, "<f4")
    tables = [np.stack([one.signals[name] for name in names], -1) for one in trajectories]
    return np.concatenate([table.astype("<f4").ravel() for table in tables])
