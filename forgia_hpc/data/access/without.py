"""The index of a contribution without some of its shards: rows renumbered, nothing else changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.index import Index, overlapping
from forgia_hpc.data.integrity import leaf_count
from forgia_hpc.data.storage import DTYPES


def without(index: Index, dropped: Collection[int]) -> Index:
    """Return the index of the shards that stay; their files stay as they are."""
    kept = np.array([at for at in range(len(index.shards)) if at not in dropped], np.int64)
    leaves = [_leaves(index, int(shard)) for shard in kept]
    shards = index.shards[kept]
    shards["leaf0"] = np.cumsum([0, *map(len, leaves)])[:-1]
    rows = np.flatnonzero(np.isin(index.segments["shard"], kept))
    segments = index.segments[rows]
    segments["shard"] = np.searchsorted(kept, segments["shard"])
    segments["series0"] = np.cumsum(segments["series_count"]) - segments["series_count"]
    series = index.series[np.isin(index.series["segment"], rows)]
    series["segment"] = np.searchsorted(rows, series["segment"])
    channels = len(index.channels)
    stats = index.stats.reshape(-1, channels)[kept].reshape(-1)
    return replace(
        index,
        shards=shards,
        segments=segments,
        series=series,
        marks=index.marks[_inside(index, segments)],
        stats=stats,
        leaves=np.concatenate([np.zeros((0, 32), np.uint8), *leaves]),
    )


def _leaves(index: Index, shard: int) -> NDArray[np.uint8]:
    row = index.shards[shard]
    sizes = [int(count) * DTYPES[at].itemsize for at, count in enumerate(row["count"])]
    first = int(row["leaf0"])
    return index.leaves[first : first + sum(map(leaf_count, sizes))]


def _inside(index: Index, segments: Any) -> NDArray[np.bool_]:
    """Return which marks touch a segment that stays."""
    found = [
        overlapping(segments, mark["asset"], mark["first"], mark["last"]).any()
        for mark in index.marks
    ]
    return np.array(found, np.bool_)
