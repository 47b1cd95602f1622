"""The figures of an ingest: rows in = rows out + mended, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from forgia_hpc.data.ingest.expect import Flag
from forgia_hpc.data.ingest.findings import Mend
from forgia_hpc.data.layout import Mark, Segment, Split


@dataclass(frozen=True, kw_only=True)
class SplitFigures:
    """What one split holds."""

    machines: int
    segments: int
    steps: int
    values: int  # that are not gaps


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """Rows and values, in and out; every difference is a mend with its count."""

    name: str
    rows_in: int
    rows_left_out: int  # repeated_times, repeated_rows
    rows_out: int
    steps_filled: int  # missing steps inside segments
    steps_between: int  # missing steps between segments
    values_in: int
    values_out: int
    gaps_made: int  # cells that a mend turned into a gap
    channels: int
    machines: int
    marks: int
    mends: tuple[Mend, ...]
    splits: dict[str, SplitFigures]
    seconds: float
    flags: tuple[Flag, ...] = ()  # columns that are not what the recipe expects

    def totals(self) -> dict[str, int]:
        """Return how often each mend was made."""
        counts: dict[str, int] = {}
        for mend in self.mends:
            counts[mend.rule] = counts.get(mend.rule, 0) + mend.count
        return counts

    def as_dict(self) -> dict[str, object]:
        """Return plain data for provenance and JSON; without the seconds, so that it is reproducible."""
        facts = asdict(self)
        del facts["seconds"]
        flags = {"flags": [asdict(flag) for flag in self.flags]} if self.flags else {}
        del facts["flags"]
        return {**facts, "mends": [asdict(mend) for mend in self.mends], **flags}


def split_figures(segments: Sequence[Segment]) -> dict[str, SplitFigures]:
    """Return the figures of each split that has segments."""
    figures = {}
    for split in Split:
        mine = [segment for segment in segments if segment.split is split]
        if mine:
            figures[split.value] = SplitFigures(
                machines=len({segment.asset for segment in mine}),
                segments=len(mine),
                steps=sum(segment.values.shape[1] for segment in mine),
                values=sum(int(np.isfinite(row).sum()) for one in mine for row in one.values),
            )
    return figures


def marks_of(marks: Sequence[Mark]) -> dict[str, int]:
    """Return how many marks each code has."""
    counts: dict[str, int] = {}
    for mark in marks:
        counts[mark.code] = counts.get(mark.code, 0) + 1
    return counts


def report_from(facts: Mapping[str, Any]) -> IngestReport:
    """Return the report that a sealed dataset carries in its provenance; it took no time now."""
    mends = tuple(Mend(**mend) for mend in facts["mends"])
    splits = {name: SplitFigures(**figures) for name, figures in facts["splits"].items()}
    flags = tuple(Flag(**flag) for flag in facts.get("flags", []))
    changed = {"mends": mends, "splits": splits, "flags": flags, "seconds": 0.0}
    return IngestReport(**{**facts, **changed})


def joined(name: str, reports: Sequence[IngestReport]) -> IngestReport:
    """Return the sums of several reports under one name."""
    splits: dict[str, SplitFigures] = {}
    for report in reports:
        for split, figures in report.splits.items():
            before = splits.get(split, SplitFigures(machines=0, segments=0, steps=0, values=0))
            splits[split] = _added(before, figures)
    first, *others = reports
    total = first
    for report in others:
        total = _added(total, report)
    mends = tuple(mend for report in reports for mend in report.mends)
    flags = tuple(flag for report in reports for flag in report.flags)
    return replace(total, name=name, mends=mends, splits=splits, flags=flags)


T = TypeVar("T", SplitFigures, IngestReport)


def _added(left: T, right: T) -> T:
    """Return `left` with every number of `right` added."""
    numbers = {
        item.name: getattr(left, item.name) + getattr(right, item.name)
        for item in fields(left)
        if isinstance(getattr(left, item.name), int | float)
    }
    return replace(left, **numbers)
