"""Lay a contribution out: which shard, storage and offset each series gets. Pure; no HDF5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forgia_hpc.data import index, storage
from forgia_hpc.data.index import Index, IndexedChannel
from forgia_hpc.data.layout import Contribution, Mark, Segment
from forgia_hpc.data.manifest import SHARDS
from forgia_hpc.data.packed import SPLITS, STAT, Table
from forgia_hpc.data.writing.admission import first_steps
from forgia_hpc.data.writing.looks import Looks, look_at

SHARD_BYTES = 256 << 20  # a further segment opens a new shard; a segment is never cut


@dataclass(frozen=True)
class Plan:
    """The index without what only a written file tells; segments in the order of the index."""

    index: Index
    segments: tuple[Segment, ...]
    policies: tuple[str, ...] = ()  # of each shard: the name of its policy


def plan(
    contribution: Contribution, *, shard_bytes: int = SHARD_BYTES, looks: Looks | None = None
) -> Plan:
    """Return where everything of a contribution goes; its problems have been excluded before."""
    groups = tuple(dict.fromkeys(segment.group for segment in contribution.segments))
    looks = looks or look_at(contribution.segments)
    channels = _channels(contribution.segments, groups, looks)
    order, shards = _shards(contribution.segments, channels, shard_bytes)
    assets = tuple(dict.fromkeys(segment.asset for segment in contribution.segments))
    firsts = first_steps(contribution.segments)
    segments = tuple(contribution.segments[number] for number in order)
    rows = _segment_rows(segments, assets, groups, shards)
    rows["first"] = [firsts[number] for number in order]
    series = _series_rows(segments, rows, channels, [looks[number] for number in order])
    marks = _inside(contribution.marks, assets, rows)
    codes = tuple(dict.fromkeys(mark.code for mark in marks))
    found = Index(
        name=contribution.name,
        channels=tuple(channels.values()),
        groups=groups,
        season_steps=tuple(contribution.season_steps.get(group, 1) for group in groups),
        assets=assets,
        codes=codes,
        shards=_shard_rows(segments, rows, series, channels),
        segments=rows,
        series=series,
        marks=_mark_rows(marks, assets, codes),
        stats=np.zeros((1 + max(shards)) * len(channels), STAT),
        leaves=np.zeros((0, 32), np.uint8),
    )
    firsts_of = [int(np.argmax(rows["shard"] == shard)) for shard in range(len(found.shards))]
    return Plan(found, segments, tuple(segments[first].policy for first in firsts_of))


Channels = dict[tuple[str, str], IndexedChannel]


def _channels(segments: Sequence[Segment], groups: tuple[str, ...], looks: Looks) -> Channels:
    """Return group and name → channel with the narrowest storage that holds all of its rows."""
    largest: dict[tuple[str, str], float] = {}
    words = {}
    for segment, mine in zip(segments, looks, strict=True):
        for channel, one in zip(segment.channels, mine, strict=True):
            key = (segment.group, channel.name)
            largest[key] = max(largest.get(key, 0.0), one.largest)
            words[key] = channel
    return {
        key: IndexedChannel(groups.index(key[0]), storage.narrowest(size, words[key]), words[key])
        for key, size in largest.items()
    }


def _shards(
    segments: Sequence[Segment], channels: Channels, shard_bytes: int
) -> tuple[list[int], list[int]]:
    """Return the segments' numbers ordered by split and policy, and the shard of each in that order."""
    kinds = [(SPLITS.index(one.split), one.policy) for one in segments]
    order = sorted(range(len(segments)), key=kinds.__getitem__)
    shards: list[int] = []
    filled = 0
    for place, number in enumerate(order):
        segment = segments[number]
        size = segment.values.shape[1] * sum(
            storage.DTYPES[channels[segment.group, channel.name].storage].itemsize
            for channel in segment.channels
        )
        fresh = place == 0 or kinds[order[place - 1]] != kinds[number]
        full = filled + size > shard_bytes
        shards.append((shards[-1] if shards else -1) + int(fresh or full))
        filled = size if fresh or full else filled + size
    return order, shards


def _segment_rows(
    segments: Sequence[Segment], assets: tuple[str, ...], groups: tuple[str, ...], shards: list[int]
) -> Table:
    number_of = {asset: number for number, asset in enumerate(assets)}
    rows = np.zeros(len(segments), index.SEGMENT)
    rows["shard"] = shards
    rows["asset"] = [number_of[segment.asset] for segment in segments]
    rows["group"] = [groups.index(segment.group) for segment in segments]
    rows["series_count"] = [len(segment.channels) for segment in segments]
    rows["series0"] = np.cumsum(rows["series_count"]) - rows["series_count"]
    rows["steps"] = [segment.values.shape[1] for segment in segments]
    rows["t0_ns"] = [
        index.NO_CLOCK if segment.t0_ns is None else segment.t0_ns for segment in segments
    ]
    rows["rate_num"] = [segment.rate_num for segment in segments]
    rows["rate_den"] = [segment.rate_den for segment in segments]
    return rows


def _series_rows(
    segments: Sequence[Segment], rows: Table, channels: Channels, looks: Looks
) -> Table:
    """Place the series one after another in the arrays of their shard, and their masks too."""
    numbers = {key: number for number, key in enumerate(channels)}
    series = np.zeros(int(rows["series_count"].sum()), index.SERIES)
    filled: dict[tuple[int, int], int] = {}
    masks: dict[int, int] = {}
    at = 0
    for number, segment in enumerate(segments):
        shard, steps = int(rows["shard"][number]), segment.values.shape[1]
        for channel, one in zip(segment.channels, looks[number], strict=True):
            key = (segment.group, channel.name)
            place = (shard, channels[key].storage)
            mask = index.NO_MASK
            if one.gaps:
                mask = masks.get(shard, 0)
                masks[shard] = mask + -(-steps // 8)
            series[at] = (number, numbers[key], filled.get(place, 0), mask)
            filled[place] = filled.get(place, 0) + steps
            at += 1
    return series


def _shard_rows(
    segments: Sequence[Segment], rows: Table, series: Table, channels: Channels
) -> Table:
    """Name the shards `<split>-<nnn>.h5` and count the numbers of each storage."""
    shards = np.zeros(1 + int(rows["shard"].max()), index.SHARD)
    storages = np.array([entry.storage for entry in channels.values()])[series["channel"]]
    owners = rows["shard"][series["segment"]]
    np.add.at(shards["count"], (owners, storages), rows["steps"][series["segment"]])
    seen: dict[int, int] = {}
    for number in range(len(shards)):
        segment = segments[int(np.argmax(rows["shard"] == number))]
        split = SPLITS.index(segment.split)
        seen[split] = seen.get(split, -1) + 1
        shards["split"][number] = split
        shards["path"][number] = f"{SHARDS}/{segment.split.value}-{seen[split]:03d}.h5".encode()
    return shards


def _inside(marks: Sequence[Mark], assets: tuple[str, ...], rows: Table) -> list[Mark]:
    """Return the marks that touch at least one sealed step; the manifest counts the others."""
    numbers = {asset: number for number, asset in enumerate(assets)}
    return [
        mark
        for mark in marks
        if index.overlapping(rows, numbers[mark.asset], mark.first, mark.last).any()
    ]


def _mark_rows(marks: Sequence[Mark], assets: tuple[str, ...], codes: tuple[str, ...]) -> Table:
    asset_of = {asset: number for number, asset in enumerate(assets)}
    code_of = {code: number for number, code in enumerate(codes)}
    rows = [
        (asset_of[mark.asset], code_of[mark.code], mark.first, mark.last, mark.value)
        for mark in marks
    ]
    return np.array(rows, index.MARK)
