"""One shard: its content as arrays and tables, and the HDF5 file that holds them.

A shard is written once. Nothing in it depends on the clock, the host or chance: the same content
gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data import index as index_
from forgia_hpc.data import storage
from forgia_hpc.data.index import Index
from forgia_hpc.data.integrity import leaf_hashes
from forgia_hpc.data.layout import FORMAT, Segment
from forgia_hpc.data.packed import STAT, Table
from forgia_hpc.data.writing.hdf5_whole import write_hdf5
from forgia_hpc.digest import canonical_json

ALIGN = 4096  # arrays of this size or more begin at a multiple of it: mmap likes whole pages

Stored = NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a shard holds."""

    signals: tuple[Stored, Stored, Stored]  # i16, i32, f32; empty where not used
    masks: NDArray[np.uint8]
    stats: Table
    leaves: NDArray[np.uint8]
    content_id: str


def fill(index: Index, shard: int, segments: Sequence[Segment]) -> Content:
    """Encode the segments (all of the index's) that lie in a shard."""
    counts = index.shards["count"][shard]
    signals = tuple(np.zeros(n, dtype) for n, dtype in zip(counts, storage.DTYPES, strict=True))
    masks = bytearray()
    for row in rows_of(index, shard):
        number, channel, offset, mask = index.series[row].item()
        entry = index.channels[channel]
        values = segments[number].values[row - int(index.segments["series0"][number])]
        stored = storage.encode(values, entry.channel, entry.storage)
        signals[entry.storage][offset : offset + len(stored)] = stored
        if mask != index_.NO_MASK:
            masks += pack_mask(~np.isnan(values))
    return describe(index, shard, signals, np.frombuffer(bytes(masks), np.uint8))


def describe(
    index: Index, shard: int, signals: tuple[Stored, ...], masks: NDArray[np.uint8]
) -> Content:
    """Compute from the stored numbers what follows from them: statistics, leaves, content id."""
    i16, i32, f32 = signals
    stats = np.zeros(len(index.channels), STAT)
    digest = hashlib.sha256(canonical_json(schema(index, shard)))
    for row in rows_of(index, shard):
        values = decoded(index, row, signals)
        merge(stats[index.series["channel"][row]], values)
        # 0.0 + -0.0 is 0.0, and every NaN becomes the same one: equal values give equal bytes
        digest.update(np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes())
    return Content(
        signals=(i16, i32, f32),
        masks=masks,
        stats=stats,
        leaves=np.concatenate([leaf_hashes(one.view(np.uint8).data) for one in signals]),
        content_id=digest.hexdigest(),
    )


def rows_of(index: Index, shard: int) -> list[int]:
    """Return the rows of the table of series that lie in a shard, in order."""
    found: list[int] = np.flatnonzero(
        index.segments["shard"][index.series["segment"]] == shard
    ).tolist()
    return found


def decoded(index: Index, row: int, signals: Sequence[Stored]) -> storage.Values:
    """Return the exact values (time,) of a series of the shard that has these signals."""
    number, channel, offset, _ = index.series[row].item()
    entry = index.channels[channel]
    stored = signals[entry.storage][offset : offset + int(index.segments["steps"][number])]
    return storage.decode(stored, entry.channel, entry.storage)


def pack_mask(valid: NDArray[np.bool_]) -> bytes:
    """Return bits, 1 = valid; step t is bit t % 8 (lowest first) of byte t // 8."""
    return np.packbits(valid, bitorder="little").tobytes()


def merge(stat: Any, values: storage.Values) -> None:
    """Add the valid values to a row of statistics (Chan, Golub and LeVeque 1979)."""
    valid = values[~np.isnan(values)]
    if not len(valid):
        return
    mean, n = float(valid.mean()), len(valid)
    delta, total = mean - float(stat["mean"]), n + int(stat["n"])
    stat["m2"] += float(((valid - mean) ** 2).sum()) + delta**2 * int(stat["n"]) * n / total
    stat["mean"] += delta * n / total
    stat["min"] = valid.min() if not stat["n"] else min(float(stat["min"]), float(valid.min()))
    stat["max"] = valid.max() if not stat["n"] else max(float(stat["max"]), float(valid.max()))
    stat["n"] = total


def schema(index: Index, shard: int) -> dict[str, object]:
    """Return what the values mean, as the content id covers it: no offsets, no storage."""
    segments = []
    for number in np.flatnonzero(index.segments["shard"] == shard).tolist():
        row = index.segments[number]
        names = [
            index.channels[channel].channel
            for channel in index.series["channel"][index.series_of(number)].tolist()
        ]
        segments.append(
            {
                "asset": index.assets[row["asset"]],
                "group": index.groups[row["group"]],
                **{key: int(row[key]) for key in ("first", "t0_ns", "rate_num", "rate_den")},
                "channels": [[one.name, one.ucum, one.semantic_id, one.role] for one in names],
            }
        )
    return {"format": FORMAT, "split": index.split_of(shard).value, "segments": segments}


def tables(index: Index, shard: int) -> dict[str, Table]:
    """Return the shard's tables as HDF5 holds them: rows of this shard, numbers counted from 0."""
    mine = np.flatnonzero(index.segments["shard"] == shard)
    segments = index.segments[mine]
    marks = index.marks[
        [
            index_.overlapping(segments, mark["asset"], mark["first"], mark["last"]).any()
            for mark in index.marks
        ]
        if len(index.marks)
        else []
    ]
    series = index.series[rows_of(index, shard)]
    return {
        "index/segments": packed_table(
            {name: segments[name] for name in index_.SEGMENT.names or () if name != "shard"}
            | {"series0": segments["series0"] - segments["series0"][0]}
        ),
        "index/series": packed_table(
            {name: series[name] for name in index_.SERIES.names or ()}
            | {"segment": series["segment"] - mine[0].astype("<u4")}
        ),
        "index/channels": _channels(index),
        "index/groups": packed_table(
            {"name": fixed_texts(index.groups), "season_steps": np.array(index.season_steps, "<i8")}
        ),
        "assets": packed_table({"name": fixed_texts(index.assets)}),
        "labels": packed_table(
            {name: marks[name] for name in ("asset", "first", "last", "value")}
            | {"code": fixed_texts([index.codes[code] for code in marks["code"]])}
        ),
    }


def _channels(index: Index) -> Table:
    words = [entry.channel for entry in index.channels]
    texts = ("name", "ucum", "quantity", "semantic_id", "qudt", "role")
    columns: dict[str, NDArray[Any]] = {
        name: fixed_texts([getattr(one, name) for one in words]) for name in texts
    }
    columns["codes"] = fixed_texts([canonical_json(one.codes).decode() for one in words])
    columns["storage"] = fixed_texts([storage.STORAGES[entry.storage] for entry in index.channels])
    columns["group"] = np.array([entry.group for entry in index.channels], "<u4")
    for name in ("scale", "zero", "valid_min", "valid_max"):
        columns[name] = _numbers(getattr(one, name) for one in words)
    return packed_table(columns)


def _numbers(values: Iterable[float | None]) -> NDArray[np.float64]:
    """Return the values, NaN for None."""
    return np.array([np.nan if value is None else value for value in values], "<f8")


def fixed_texts(words: Sequence[str]) -> NDArray[np.bytes_]:
    """Return fixed-length UTF-8 as long as the longest: no variable length in a shard."""
    coded = [text.encode() for text in words]
    width = max((len(text) for text in coded), default=0) or 1
    return np.array(coded, h5py.string_dtype("utf-8", width))


def packed_table(columns: dict[str, Any]) -> Table:
    """Return columns as one packed struct array."""
    rows = len(next(iter(columns.values())))
    table = np.zeros(rows, np.dtype([(name, one.dtype) for name, one in columns.items()]))
    for name, one in columns.items():
        table[name] = one
    return table


def attributes(index: Index, shard: int, contributor: str, content_id: str) -> dict[str, str]:
    """Return the attributes of the file's root."""
    return {
        "format": FORMAT,
        "contribution": index.name,
        "contributor": contributor,
        "split": index.split_of(shard).value,
        "content_id": content_id,
        "time_scale": "UTC",
    }


def write(path: Path, words: dict[str, str], content: Content, rows: dict[str, Table]) -> list[int]:
    """Write the HDF5 file and flush it to disk; return the bytes at which i16, i32, f32 begin."""

    def fill(file: h5py.File) -> list[int]:
        for name, text in words.items():
            coded = text.encode()
            file.attrs.create(name, coded, dtype=h5py.string_dtype("utf-8", len(coded)))
        for name, one in zip(storage.STORAGES, content.signals, strict=True):
            if len(one):
                _dataset(file, f"signals/{name}", one)
        for name, table in rows.items():
            _dataset(file, name, table)
        _dataset(file, "masks/valid", content.masks)
        _dataset(file, "stats", content.stats)
        _dataset(file, "integrity/leaves", content.leaves)
        return [
            file[f"signals/{name}"].id.get_offset() if len(one) else 0
            for name, one in zip(storage.STORAGES, content.signals, strict=True)
        ]

    size = sum(one.nbytes for one in content.signals) + content.masks.nbytes + (1 << 20)
    words_of_file = {"alignment_threshold": ALIGN, "alignment_interval": ALIGN}
    return write_hdf5(path, size, fill, libver=("earliest", "v110"), **words_of_file)


def _dataset(file: h5py.File, name: str, data: NDArray[Any]) -> None:
    file.create_dataset(name, data=data, track_times=False)
