"""What the leak watch found, as a document; kept beside the datasets, because a sealed one is never changed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import FORMAT as FIELDS
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.layout import FORMAT as TELEMETRY
from forgia_hpc.data.layout import Split
from forgia_hpc.data.leaks.confirm import Match
from forgia_hpc.data.leaks.kept import FORMAT, kept_at
from forgia_hpc.data.leaks.pool import Pool
from forgia_hpc.data.leaks.search import NOTHING, Search, Told, search
from forgia_hpc.data.leaks.trajectories import contaminated_trajectories, copied_trajectories
from forgia_hpc.data.manifest import flatten, load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.rundir import write_json

Document = dict[str, Any]


def watch_leaks(directory: Path, between: str, told: Told = lambda *_: None) -> Document:
    """Search a dataset and return the report; that of a search of everything is kept for evaluations.

    Raises:
        InputError: no such dataset.
        SealBrokenError: a shard was altered.
    """
    manifest = load_manifest(directory)
    members = flatten([manifest])
    layouts = {one.layout for one in members}
    content: Document = {
        "format": FORMAT,
        "dataset": manifest.identifier,
        "version": manifest.version,
        "members": {one.name: one.version for one in members},
        "between": between,
        **_of_series(directory if TELEMETRY in layouts else None, between, told),
        "trajectories": [],
    }
    if FIELDS in layouts:
        with open_fields(directory) as fields:
            content["trajectories"] = copied_trajectories(fields, between)
            content["contaminated"] += contaminated_trajectories(fields, content["trajectories"])
    if between == "all":
        path = kept_at(directory.resolve().parent, manifest.version)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content)
    return content


def _of_series(directory: Path | None, between: str, told: Told) -> Document:
    """Return what was found among the series of a dataset, if it has any."""
    if directory is None:
        return {"search": _said(NOTHING, 0), "pairs": [], "contaminated": []}
    with open_dataset(directory) as dataset:
        pool = Pool(dataset)
        found = search(pool, pool.side, pool.comparable(between), told)
        return {
            "search": _said(found, len(pool)),
            "pairs": [_pair(pool, match) for match in found.matches],
            "contaminated": _shares(pool, found),
        }


def _said(found: Search, series: int) -> Document:
    return {
        "series": series,
        "values": found.values,
        "keys": found.keys,
        "key_bytes": found.key_bytes,
        "pieces": found.pieces,
        "met": found.met,
        "too_common": found.crowded,
        "candidates": found.candidates,
        "pairs_untried": found.untried,
    }


def _pair(pool: Pool, match: Match) -> Document:
    laid = match.overlay
    length, first = laid.rate * (laid.end - laid.begin), pool.place(match.one).first
    return {
        "a": _stretch(pool, match.one, laid.begin, laid.end),
        "b": _stretch(pool, match.other, laid.shift, laid.shift + length),
        "correlation": round(laid.correlation, 4),
        "scale": _scale(pool, match),
        "rate": round(laid.rate, 5),
        "shift": round(pool.place(match.other).first + laid.shift - first - laid.begin, 2),
        "independent": round(match.independent, 1),
        "log10_expected_by_chance": round(match.log_expected / 2.302585, 1),
    }


def _scale(pool: Pool, match: Match) -> float:
    """Return the deviation of b's stretch over that of a's, negative where it is turned over."""
    laid = match.overlay
    length = laid.end - laid.begin
    spreads = []
    for series, first, count in (
        (match.one, laid.begin, length),
        (match.other, laid.shift, laid.rate * length),
    ):
        begin = max(round(first), 0)
        most = int(pool.steps[series]) - begin
        part = pool.read_part(series, begin, max(min(round(count), most), 1))
        spreads.append(float(np.nanstd(part.astype(np.float64))))
    ratio = spreads[1] / spreads[0] if spreads[0] > 0 else 0.0
    return float(f"{math.copysign(ratio, laid.correlation):.4g}")


def _stretch(pool: Pool, series: int, begin: float, end: float) -> Document:
    place = pool.place(series)
    return {
        "contribution": place.contribution,
        "contributor": place.contributor,
        "split": place.split.value,
        "asset": place.asset,
        "channel": place.channel,
        "first": place.first + round(begin),
        "last": place.first + round(end),
    }


def _shares(pool: Pool, found: Search) -> list[Document]:
    """Return how much of each evaluated split has a copy in whose training data, by values."""
    stretches: dict[tuple[str, str, str], dict[int, list[tuple[float, float]]]] = {}
    for match in found.matches:
        laid = match.overlay
        there = laid.shift, laid.shift + laid.rate * (laid.end - laid.begin)
        ends = (match.one, (laid.begin, laid.end)), (match.other, there)
        for (mine, span), (its, _) in (ends, ends[::-1]):
            judged, by = pool.place(mine), pool.place(its)
            if judged.split is not Split.train and by.split is Split.train:
                key = (judged.contribution, judged.split.value, by.contribution)
                stretches.setdefault(key, {}).setdefault(mine, []).append(span)
    sizes: dict[tuple[str, str], int] = {}
    for number, steps in enumerate(pool.steps.tolist()):
        place = pool.place(number)
        name = (place.contribution, place.split.value)
        sizes[name] = sizes.get(name, 0) + steps
    return [
        {
            "contribution": name,
            "split": split,
            "by": by,
            "share": sum(map(_length, series.values())) / sizes[name, split],
        }
        for (name, split, by), series in sorted(stretches.items())
    ]


def _length(spans: list[tuple[float, float]]) -> float:
    """Return the length of the union of spans."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(end - max(begin, reached), 0.0)
        reached = max(reached, end)
    return total
