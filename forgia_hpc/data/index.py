"""index.pack: where every series of a contribution lies, in one file, opened with one read.

Bytes: magic "FORGIAIX", version u32, length of the JSON u32 (all little-endian), the JSON, zeros up
to a multiple of 64, then the tables, each at a multiple of 64 counted from the first of them.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.integrity import leaf_count
from forgia_hpc.data.layout import Channel, Mark, Split
from forgia_hpc.data.storage import DTYPES, STORAGES
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import SealBrokenError

FORMAT = "forgia.index/1"
MAGIC = b"FORGIAIX"
VERSION = 1
ALIGN = 64
NO_CLOCK = -(2**63)  # t0_ns of a segment whose clock is an index
NO_MASK = -1
SPLITS = tuple(Split)

Table = NDArray[np.void]

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
STAT = np.dtype([("n", "<i8"), ("mean", "<f8"), ("m2", "<f8"), ("min", "<f8"), ("max", "<f8")])
LEAF = np.dtype(("<u1", (32,)))
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
class Index:
    """The tables of one contribution; numbers in one table count rows of another."""

    name: str
    channels: tuple[IndexedChannel, ...]
    groups: tuple[str, ...]
    season_steps: tuple[int, ...]  # of each group
    assets: tuple[str, ...]
    codes: tuple[str, ...]  # of marks
    shards: Table
    segments: Table
    series: Table
    marks: Table
    stats: Table
    leaves: NDArray[np.uint8]

    def split_of(self, shard: int) -> Split:
        """Return what a shard may be used for."""
        return SPLITS[int(self.shards["split"][shard])]

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
    body = bytearray()
    tables = {}
    for name, dtype in TABLES.items():
        rows = np.ascontiguousarray(getattr(index, name))
        tables[name] = {"offset": len(body), "rows": len(rows), "fields": _fields(dtype)}
        body += rows.tobytes()
        body += bytes(-len(body) % ALIGN)
    channels = [
        {"group": entry.group, "storage": entry.storage, **asdict(entry.channel)}
        for entry in index.channels
    ]
    words = {
        "format": FORMAT,
        "name": index.name,
        "channels": channels,
        "groups": index.groups,
        "season_steps": index.season_steps,
        "assets": index.assets,
        "codes": index.codes,
        "tables": tables,
    }
    text = canonical_json(words)
    head = MAGIC + struct.pack("<II", VERSION, len(text)) + text
    return head + bytes(-len(head) % ALIGN) + bytes(body)


def unpack(data: bytes, *, where: str) -> Index:
    """Return the index in `data`, after checking that no number in it points outside.

    Raises:
        SealBrokenError: cut off, of another version, or pointing outside; names `where`.

    """
    try:
        magic, version, length = struct.unpack_from("<8sII", data)
        _require((magic, version) == (MAGIC, VERSION), f"not of version {VERSION}")
        words = json.loads(data[16 : 16 + length])
        start = 16 + length + -(16 + length) % ALIGN
        tables = {name: _table(data, start, name, words["tables"][name]) for name in TABLES}
        index = _index(words, tables)
        _check_numbers(index)
        _check_arrays(index)
    except (struct.error, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SealBrokenError(f"{where}: index.pack is broken ({error})") from error
    return index


def _require(truth: object, what: str) -> None:
    if not truth:
        raise ValueError(what)


def _index(words: dict[str, Any], tables: dict[str, Any]) -> Index:
    _require(words["format"] == FORMAT, f"format {words['format']!r}")
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


def _fields(dtype: np.dtype[Any]) -> str:
    return "".join(str(dtype.descr if dtype.names else (dtype.base.str, dtype.shape)).split())


def _table(data: bytes, start: int, name: str, entry: dict[str, Any]) -> NDArray[Any]:
    _require(entry["fields"] == _fields(TABLES[name]), f"fields of {name}")
    return np.frombuffer(data, TABLES[name], entry["rows"], start + entry["offset"])


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
        _require(((numbers >= 0) & (numbers < limit)).all(), name)
    _require(len(index.stats) == len(index.shards) * len(channels), "stats")
    _require(len(index.season_steps) == len(index.groups), "season_steps")
    _require(min(index.season_steps, default=1) >= 1, "season_steps")


def _check_arrays(index: Index) -> None:
    """Refuse a series, an array or a leaf outside its file: a reader must never follow it."""
    shards, segments, series = index.shards, index.segments, index.series
    for name in ("steps", "rate_num", "rate_den"):
        _require((segments[name] >= 1).all(), f"segment.{name}")
    starts = np.cumsum(segments["series_count"], dtype=np.int64) - segments["series_count"]
    _require((starts == segments["series0"]).all(), "segment.series0")
    owners = np.repeat(np.arange(len(segments)), segments["series_count"])
    _require(np.array_equal(owners, series["segment"]), "series.segment")
    storage = np.array([entry.storage for entry in index.channels], np.int64)[series["channel"]]
    counts = shards["count"][segments["shard"][owners], storage]
    inside = (series["offset"] >= 0) & (series["offset"] + segments["steps"][owners] <= counts)
    _require(inside.all(), "series.offset")
    sizes = shards["count"] * np.array([dtype.itemsize for dtype in DTYPES])
    inside = (shards["offset"] >= 0) & (shards["offset"] + sizes <= shards["bytes"][:, None])
    _require(inside.all() and (sizes >= 0).all(), "shard.offset")
    leaves = np.array([sum(map(leaf_count, row)) for row in sizes.tolist()], np.int64)
    _require((np.cumsum(leaves) - leaves == shards["leaf0"]).all(), "shard.leaf0")
    _require(leaves.sum() == len(index.leaves), "leaves")
