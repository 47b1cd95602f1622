"""What a contribution of fields says, in the words that the page of a dataset has for telemetry."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from forgia_hpc.data.card import load_card
from forgia_hpc.data.fields import storage
from forgia_hpc.data.fields.index import FieldIndex
from forgia_hpc.data.fields.layout import FORMAT
from forgia_hpc.data.fields.normal import merged
from forgia_hpc.data.fields.opened import OpenFields
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.layout import Channel, Split
from forgia_hpc.data.manifest import flatten, load_manifest
from forgia_hpc.report.dataset_ensemble import ParameterFacts
from forgia_hpc.report.dataset_words import (
    EXCERPT_STEPS,
    ChannelFacts,
    ContributionFacts,
    SplitFacts,
)


def field_contributions(directory: Path) -> list[ContributionFacts]:
    """Return the facts of each contribution of fields; a trajectory stands where a machine does."""
    if not any(one.layout == FORMAT for one in flatten([load_manifest(directory)])):
        return []
    with open_fields(directory) as dataset:
        return [_contribution(source) for source in dataset.sources]


def _contribution(source: OpenFields) -> ContributionFacts:
    manifest, index = source.manifest, source.index
    splits = [one for split in Split if (one := _split(source, split))]
    return ContributionFacts(
        manifest=manifest,
        card=load_card(manifest.directory),
        splits=splits,
        channels=[one for at in range(len(index.schema.fields)) for one in _channels(source, at)],
        machines=len(index.trajectories),
        marks={},
        first_ns=None,
        last_ns=None,
        parameters=_parameters(index),
        design=index.schema.design or {},
    )


def _parameters(index: FieldIndex) -> list[ParameterFacts]:
    """Return what the simulations were given, as far as they are numbers."""
    told = index.schema.parameters
    table = index.parameters.reshape(len(index.trajectories), len(told))
    columns = [column[np.isfinite(column)] for column in table.T]
    return [
        ParameterFacts(
            name=one.name,
            ucum=one.ucum,
            low=float(values.min()) if len(values) else None,
            high=float(values.max()) if len(values) else None,
            distinct=len(np.unique(values)),
        )
        for one, values in zip(told, columns, strict=True)
    ]


def _split(source: OpenFields, split: Split) -> SplitFacts | None:
    entries = [entry for entry in source.manifest.shards if entry.split is split]
    if not entries:
        return None
    return SplitFacts(
        split=split,
        machines=sum(entry.segments for entry in entries),
        segments=sum(entry.segments for entry in entries),
        series=sum(entry.series for entry in entries),
        steps=sum(entry.steps for entry in entries),
        values=sum(entry.values for entry in entries),
        bytes=sum(entry.bytes for entry in entries),
    )


def _channels(source: OpenFields, at: int) -> list[ChannelFacts]:
    index = source.index
    one, schema = index.schema.fields[at], index.schema
    names = one.components(schema.grid.names)
    total = len(schema.channels(range(len(schema.fields))))
    tables = index.stats.reshape(-1, total)
    begin = index.channels_before(at)
    stats = merged(list(tables[:, begin : begin + len(names)]), len(names))
    numbers = int(index.arrays["count"].reshape(-1, len(schema.fields))[:, at].sum())
    return [
        ChannelFacts(
            channel=Channel(
                name=name, ucum=one.ucum, quantity=one.quantity, semantic_id=one.semantic_id
            ),
            group=" x ".join(map(str, one.cells(schema.grid))),
            step_seconds=_steps(index) if one.time_varying else (),
            season_steps=1,
            valid=int(row["n"]) * len(names) / numbers if numbers else None,
            mean=float(row["mean"]) if row["n"] else None,
            low=float(row["min"]) if row["n"] else None,
            high=float(row["max"]) if row["n"] else None,
            excerpt=_excerpt(source, at, part) if one.time_varying else [],
        )
        for part, (name, row) in enumerate(zip(names, stats, strict=True))
    ]


def _steps(index: FieldIndex) -> tuple[float, ...]:
    """Return the time from step to step of the first trajectory, where it is always the same."""
    steps = np.diff(index.times_of(0))
    even = len(steps) and np.allclose(steps, steps[0])
    return (float(steps[0]),) if even else ()


def _excerpt(source: OpenFields, at: int, part: int) -> list[float | None]:
    """Return a component at the grid's middle, over the first steps of the first trajectory."""
    one, index = source.schema.fields[at], source.index
    cells = one.cells(source.schema.grid)
    numbers = int(np.prod(one.shape(source.schema.grid, 1)))
    parts = numbers // int(np.prod(cells))
    middle = int(np.ravel_multi_index(tuple(size // 2 for size in cells), cells)) * parts + part
    steps = min(EXCERPT_STEPS, len(index.times_of(0)))
    starts = np.arange(steps) * numbers + middle
    shard = int(index.trajectories["shard"][0])
    values = storage.decode(np.concatenate(source.stored(at, shard, starts, 1)), one)
    return [None if np.isnan(value) else float(value) for value in values]
