"""What a dataset directory says: contributors, channels, rates, gaps, splits, licences and short excerpts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from forgia_hpc.data.card import load_card
from forgia_hpc.data.index import Index
from forgia_hpc.data.layout import FORMAT as TELEMETRY
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import Manifest, flatten, load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.reading.opened import OpenContribution
from forgia_hpc.errors import InputError
from forgia_hpc.report.dataset_fields import field_contributions
from forgia_hpc.report.dataset_words import (
    EXCERPT_STEPS,
    MOST_EXCERPTS,
    ChannelFacts,
    ContributionFacts,
    DatasetFacts,
    SplitFacts,
)


def read_dataset(directory: Path) -> DatasetFacts:
    """Return what the dataset says.

    Raises:
        InputError: no dataset lies there.
        SealBrokenError: a file is missing or altered; an excerpt's leaves are checked, not every byte.
    """
    manifest = load_manifest(directory)
    parts = [found for one in flatten([manifest]) for found in _read(one)]
    return DatasetFacts(manifest=manifest, card=load_card(directory), contributions=parts)


def _read(manifest: Manifest) -> list[ContributionFacts]:
    """Return the facts of a contribution; of one that can't be opened here what manifest and card tell."""
    try:
        if manifest.layout != TELEMETRY:
            return field_contributions(manifest.directory)
        with open_dataset(manifest.directory) as dataset:
            return [_contribution(source) for source in dataset.sources]
    except InputError as error:
        if not manifest.tombstones and not any(entry.key_id for entry in manifest.files):
            raise
        return [_closed(manifest, error.problems[0].limit)]


def _closed(manifest: Manifest, why: str) -> ContributionFacts:
    first, last = _covered(manifest)
    return ContributionFacts(
        manifest=manifest,
        card=load_card(manifest.directory),
        splits=[one for split in Split if (one := _summed(manifest, split, None)) is not None],
        channels=[],
        machines=0,
        marks={},
        first_ns=first,
        last_ns=last,
        closed=why,
    )


def _covered(manifest: Manifest) -> tuple[int | None, int | None]:
    """Return the first and the last moment measured, where there is a calendar."""
    starts = [one.t_min_ns for one in manifest.shards if one.t_min_ns is not None]
    ends = [one.t_max_ns for one in manifest.shards if one.t_max_ns is not None]
    return min(starts, default=None), max(ends, default=None)


def _contribution(source: OpenContribution) -> ContributionFacts:
    manifest, index = source.manifest, source.index
    first, last = _covered(manifest)
    codes, counts = np.unique(index.marks["code"], return_counts=True)
    return ContributionFacts(
        manifest=manifest,
        card=load_card(manifest.directory),
        splits=[found for split in Split if (found := _split(manifest, index, split)) is not None],
        channels=[_channel(source, number) for number in range(len(index.channels))],
        machines=len(index.assets),
        marks={
            index.codes[code]: count
            for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
        },
        first_ns=first,
        last_ns=last,
    )


def _split(manifest: Manifest, index: Index, split: Split) -> SplitFacts | None:
    numbers = [row for row in range(len(index.shards)) if index.split_of(row) is split]
    mine = index.segments[np.isin(index.segments["shard"], numbers)]
    return _summed(manifest, split, len(np.unique(mine["asset"])))


def _summed(manifest: Manifest, split: Split, machines: int | None) -> SplitFacts | None:
    """Return what the manifest says of a split, if it has any."""
    shards = [entry for entry in manifest.shards if entry.split is split]
    if not shards:
        return None
    return SplitFacts(
        split=split,
        machines=machines,
        segments=sum(entry.segments for entry in shards),
        series=sum(entry.series for entry in shards),
        steps=sum(entry.steps for entry in shards),
        values=sum(entry.values for entry in shards),
        bytes=sum(entry.bytes for entry in shards),
    )


def _channel(source: OpenContribution, number: int) -> ChannelFacts:
    index = source.index
    entry = index.channels[number]
    rows = np.flatnonzero(index.series["channel"] == number)
    segments = index.segments[index.series["segment"][rows]]
    stats = index.stats.reshape(len(index.shards), len(index.channels))[:, number]
    stats = stats[stats["n"] > 0]
    known, steps = int(stats["n"].sum()), int(segments["steps"].sum())
    rates = sorted(
        {
            int(row["rate_den"]) / int(row["rate_num"])
            for row in np.unique(segments[["rate_num", "rate_den"]])
        }
    )
    return ChannelFacts(
        channel=entry.channel,
        group=index.groups[entry.group],
        step_seconds=tuple(rates),
        season_steps=index.season_steps[entry.group],
        valid=known / steps if steps else None,
        mean=float((stats["mean"] * stats["n"]).sum() / known) if known else None,
        low=float(stats["min"].min()) if known else None,
        high=float(stats["max"].max()) if known else None,
        excerpt=_excerpt(source, rows) if number < MOST_EXCERPTS else [],
    )


def _excerpt(
    source: OpenContribution, rows: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> list[float | None]:
    """Return consecutive steps from the middle of the longest series, of training where there is one."""
    index = source.index
    segments = index.segments[index.series["segment"][rows]]
    training = np.array([index.split_of(int(shard)) is Split.train for shard in segments["shard"]])
    if not len(rows):
        return []
    longest = int(np.argmax(segments["steps"] + (training * int(segments["steps"].max() + 1))))
    steps = int(segments["steps"][longest])
    length = min(EXCERPT_STEPS, steps)
    start = np.array([(steps - length) // 2], np.int64)
    values = source.gather(rows[longest : longest + 1], start, length)[0]
    return [float(value) if np.isfinite(value) else None for value in values]
