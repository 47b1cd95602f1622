"""index.pack: where every series of a contribution lies, in one file, opened with one read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.checked import require
from forgia_hpc.data.integrity import LEAF_BYTES
from forgia_hpc.data.layout import Channel, Mark, Split
from forgia_hpc.data.packed import (
    BROKEN,
    LEAF,
    SPLITS,
    STAT,
    PackedIndex,
    Table,
    pack_tables,
    unpack_tables,
)
from forgia_hpc.data.storage import DTYPES, STORAGES
from forgia_hpc.errors import SealBrokenError

FORMAT = "forgia.index/1"
NO_CLOCK = -(2**63)  # t0_ns of a segment whose clock is an index
NO_MASK = -1

SHARD = np.dtype(
    [
        ("path", "S32"),
        ("split", "<u4"),
        ("leaf0", "<i8"),  # of the table of leaves; i16, i32, f32 follow each other
        ("bytes", "<i8"),
        ("offset", "<i8", (3,)),  # byte of the file where i16, i32, f32 begin; 0: not there
        ("count", "<i8", (3,)),  # numbers in i16, i32, f32
    ]
)
SEGMENT = np.dtype(
    [
        ("shard", "<u4"),
        ("asset", "<u4"),
        ("group", "<u4"),
        ("series_count", "<u4"),
        ("series0", "<i8"),
        ("first", "<i8"),  # step of the asset's own clock
        ("steps", "<i8"),
        ("t0_ns", "<i8"),
        ("rate_num", "<i8"),
        ("rate_den", "<i8"),
    ]
)
SERIES = np.dtype(
    [
        ("segment", "<u4"),
        ("channel", "<u4"),
        ("offset", "<i8"),  # number of the storage's array where the series begins
        ("mask", "<i8"),  # byte of /masks/valid, or -1: no gaps
    ]
)
MARK = np.dtype(
    [("asset", "<u4"), ("code", "<u4"), ("first", "<i8"), ("last", "<i8"), ("value", "<f8")]
)
TABLES = {
    "shards": SHARD,
    "segments": SEGMENT,
    "series": SERIES,
    "marks": MARK,
    "stats": STAT,  # (shard, channel), channel fastest
    "leaves": LEAF,
}


@dataclass(frozen=True)
class IndexedChannel:
    """A channel of a group, and how its numbers are stored."""

    group: int
    storage: int
    channel: Channel


@dataclass(frozen=True, kw_only=True)
class Index(PackedIndex):
    """The tables of one contribution; numbers in one table count rows of another."""

    channels: tuple[IndexedChannel, ...]
    groups: tuple[str, ...]
    season_steps: tuple[int, ...]  # of each group
    assets: tuple[str, ...]
    codes: tuple[str, ...]  # of marks
    segments: Table
    series: Table
    marks: Table

    def shards_of(self, split: Split) -> NDArray[np.int64]:
        """Return the shards of a split."""
        return np.flatnonzero(self.shards["split"] == SPLITS.index(split))

    def series_of(self, segment: int) -> range:
        """Return the rows of the table of series that a segment has."""
        start = int(self.segments["series0"][segment])
        return range(start, start + int(self.segments["series_count"][segment]))

    def mark(self, row: Any) -> Mark:
        """Return a row of the table of marks in words."""
        return Mark(
            asset=self.assets[row["asset"]],
            code=self.codes[row["code"]],
            first=int(row["first"]),
            last=int(row["last"]),
            value=float(row["value"]),
        )


def overlapping(rows: Table, asset: int, first: int, last: int) -> NDArray[np.bool_]:
    """Return which segments of an asset a stretch of its steps touches."""
    found: NDArray[np.bool_] = (
        (rows["asset"] == asset) & (rows["first"] <= last) & (rows["first"] + rows["steps"] > first)
    )
    return found


def pack(index: Index) -> bytes:
    """Return the bytes of index.pack; the same index gives the same bytes."""
    channels = [
        {"group": entry.group, "storage": entry.storage, **asdict(entry.channel)}
        for entry in index.channels
    ]
    return pack_tables(
        index,
        TABLES,
        format=FORMAT,
        channels=channels,
        groups=index.groups,
        season_steps=index.season_steps,
        assets=index.assets,
        codes=index.codes,
    )


def unpack(data: bytes, *, where: str) -> Index:
    """Return the index in `data`, after checking that no number in it points outside.

    Raises:
        SealBrokenError: cut off, of another version, or pointing outside; names `where`.

    """
    try:
        words, tables = unpack_tables(data, TABLES, FORMAT)
        index = _index(words, tables)
        _check_numbers(index)
        _check_arrays(index)
    except BROKEN as error:
        raise SealBrokenError(f"{where}: index.pack is broken ({error})") from error
    return index


def _index(words: dict[str, Any], tables: dict[str, Any]) -> Index:
    return Index(
        name=words["name"],
        channels=tuple(_channel(entry) for entry in words["channels"]),
        groups=tuple(words["groups"]),
        season_steps=tuple(words["season_steps"]),
        assets=tuple(words["assets"]),
        codes=tuple(words["codes"]),
        **tables,
    )


def _channel(entry: dict[str, Any]) -> IndexedChannel:
    group, storage = entry.pop("group"), entry.pop("storage")
    channel = Channel(**{**entry, "codes": tuple(entry["codes"])})
    return IndexedChannel(group, storage, channel)


def _check_numbers(index: Index) -> None:
    """Refuse a number that counts a row which its table does not have."""
    channels = index.channels
    limits = [
        ("shard.split", index.shards["split"], len(SPLITS)),
        ("segment.shard", index.segments["shard"], len(index.shards)),
        ("segment.asset", index.segments["asset"], len(index.assets)),
        ("segment.group", index.segments["group"], len(index.groups)),
        ("series.segment", index.series["segment"], len(index.segments)),
        ("series.channel", index.series["channel"], len(channels)),
        ("mark.asset", index.marks["asset"], len(index.assets)),
        ("mark.code", index.marks["code"], len(index.codes)),
        ("channel.group", np.array([entry.group for entry in channels], int), len(index.groups)),
        ("channel.storage", np.array([entry.storage for entry in channels], int), len(STORAGES)),
    ]
    for name, numbers, limit in limits:
        require(((numbers >= 0) & (numbers < limit)).all(), name)
    require(len(index.stats) == len(index.shards) * len(channels), "stats")
    require(len(index.season_steps) == len(index.groups), "season_steps")
    require(min(index.season_steps, default=1) >= 1, "season_steps")


def _check_arrays(index: Index) -> None:
    """Refuse a series, an array or a leaf outside its file: a reader must never follow it."""
    shards, segments, series = index.shards, index.segments, index.series
    for name in ("steps", "rate_num", "rate_den"):
        require((segments[name] >= 1).all(), f"segment.{name}")
    starts = np.cumsum(segments["series_count"], dtype=np.int64) - segments["series_count"]
    require((starts == segments["series0"]).all(), "segment.series0")
    owners = np.repeat(np.arange(len(segments)), segments["series_count"])
    require(np.array_equal(owners, series["segment"]), "series.segment")
    storage = np.array([entry.storage for entry in index.channels], np.int64)[series["channel"]]
    counts = shards["count"][segments["shard"][owners], storage]
    inside = (series["offset"] >= 0) & (series["offset"] + segments["steps"][owners] <= counts)
    require(inside.all(), "series.offset")
    sizes = shards["count"] * np.array([dtype.itemsize for dtype in DTYPES])
    inside = (shards["offset"] >= 0) & (shards["offset"] + sizes <= shards["bytes"][:, None])
    require(inside.all() and (sizes >= 0).all(), "shard.offset")
    leaves = (-(-sizes // LEAF_BYTES)).sum(axis=1)
    require((np.cumsum(leaves) - leaves == shards["leaf0"]).all(), "shard.leaf0")
    require(leaves.sum() == len(index.leaves), "leaves")
