"""Telemetry as Parquet: one file a shard and group, a column a channel, null where nothing was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from forgia_hpc.data.layout import FORMAT, Channel, Segment
from forgia_hpc.data.layouts import only_layout
from forgia_hpc.data.manifest import flatten, load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.reading.opened import OpenContribution
from forgia_hpc.digest import canonical_json

_NS = 10**9


def write_parquet(directory: Path, into: Path, told: Callable[[str, int, int], None]) -> None:
    """Write <contribution>/<shard>-<group>.parquet; units and meanings are in the columns' metadata."""
    only_layout({one.layout for one in flatten([load_manifest(directory)])}, FORMAT, "parquet")
    with open_dataset(directory) as dataset:
        for source in dataset.sources:
            for shard in sorted(source.granted):
                path = source.manifest.shards[shard].path
                told(path, shard, len(source.granted))
                for group in range(len(source.index.groups)):
                    _write_group(source, shard, group, into / source.manifest.name)


def _write_group(source: OpenContribution, shard: int, group: int, folder: Path) -> None:
    index = source.index
    rows = index.segments
    mine = np.flatnonzero((rows["shard"] == shard) & (rows["group"] == group)).tolist()
    if not mine:
        return
    channels = [entry.channel for entry in index.channels if entry.group == group]
    stem = Path(source.manifest.shards[shard].path).stem
    folder.mkdir(exist_ok=True)
    schema = _schema(source, channels)
    with parquet.ParquetWriter(folder / f"{stem}-{index.groups[group]}.parquet", schema) as file:
        for number in mine:
            columns = _columns(source.segment(number), int(rows["first"][number]), channels)
            file.write_table(pyarrow.Table.from_arrays(list(columns), schema=schema))


def _schema(source: OpenContribution, channels: list[Channel]) -> Any:
    words = {
        "contribution": source.manifest.identifier,
        "contributor": source.manifest.contributor,
        "version": source.manifest.version,
    }
    fields = [
        pyarrow.field("asset", pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
        pyarrow.field("step", pyarrow.int64(), metadata={"is": "step of the asset's own clock"}),
        pyarrow.field("time", pyarrow.timestamp("ns", tz="UTC")),
    ]
    for one in channels:
        meaning = {name: getattr(one, name) for name in ("ucum", "quantity", "semantic_id", "role")}
        meaning["codes"] = canonical_json(one.codes).decode()
        fields.append(pyarrow.field(one.name, pyarrow.float64(), metadata=meaning))
    return pyarrow.schema(fields, metadata=words)


def _columns(segment: Segment, first: int, channels: list[Channel]) -> Iterator[Any]:
    steps = np.arange(segment.values.shape[1])
    asset = pyarrow.array([segment.asset], pyarrow.string())
    yield pyarrow.DictionaryArray.from_arrays(np.zeros(len(steps), np.int32), asset)
    yield pyarrow.array(first + steps)
    yield _times(segment, steps)
    values = {one.name: row for one, row in zip(segment.channels, segment.values, strict=True)}
    for one in channels:
        row = values.get(one.name, np.full(len(steps), np.nan))
        yield pyarrow.array(row, pyarrow.float64(), from_pandas=True)  # NaN becomes null


def _times(segment: Segment, steps: Any) -> Any:
    kind = pyarrow.timestamp("ns", tz="UTC")
    if segment.t0_ns is None:
        return pyarrow.nulls(len(steps), kind)
    elapsed = [int(step) * _NS * segment.rate_den // segment.rate_num for step in steps]
    return pyarrow.array([segment.t0_ns + one for one in elapsed], kind)
