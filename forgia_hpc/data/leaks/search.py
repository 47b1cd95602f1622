"""Find stretches of one series that are copies of another's: sketch, join, lay on each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.leaks.confirm import Bench, Match, by_pair
from forgia_hpc.data.leaks.join import join
from forgia_hpc.data.leaks.series import Source, blocks
from forgia_hpc.data.leaks.sketch import ENTRY, EVERY, Keys, no_keys, plan_for, sketch

FINEST_TO = 8192  # steps of a series that is looked at on the finest scale too

Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Search:
    """What was found, and what was done for it."""

    matches: tuple[Match, ...]
    values: int
    keys: int
    key_bytes: int
    pieces: int
    met: int
    crowded: int
    candidates: int
    untried: int


NOTHING = Search((), 0, 0, 0, 0, 0, 0, 0, 0)


def search(
    source: Source,
    side: NDArray[np.int64],
    comparable: NDArray[np.bool_],
    told: Told = lambda *_: None,
) -> Search:
    """Return all copies between series of comparable sides; side: (series,), comparable: (side, side)."""
    values = int(source.steps.sum())
    plan = plan_for(values)
    keys = sketches(source, plan.pieces, plan.most, told)
    joined = join(keys, comparable, side)
    groups, untried = by_pair(keys, joined.hits)
    bench = Bench(source, keys, joined.hits)
    matches: list[Match] = []
    for at, rows in enumerate(groups):
        matches += bench.matches(rows)
        told("comparing", at + 1, len(groups))
    return Search(
        matches=tuple(matches),
        values=values,
        keys=len(keys),
        key_bytes=len(keys) * ENTRY,
        pieces=plan.pieces,
        met=joined.met,
        crowded=joined.crowded,
        candidates=len(joined.hits),
        untried=untried,
    )


def sketches(source: Source, pieces: int, most: int, told: Told) -> Keys:
    """Return at most about `most` keys of all series."""
    parts: list[Keys] = []
    total, done, limit = int(source.steps.sum()), 0, EVERY
    for values, numbers, bounds, firsts in blocks(source):
        octave = int(np.median(source.steps[numbers]) > FINEST_TO)
        found = sketch(values, bounds, pieces, octave, limit)
        begin = firsts[found.series].astype(np.float32)
        found.begin[:] += begin
        found.end[:] += begin
        found.series[:] = numbers[found.series]
        parts.append(found)
        done += len(values)
        if sum(map(len, parts)) > 2 * most:
            parts, limit = _thinned(parts, most)
        told("looking for shapes", done, total)
    return _thinned(parts, most)[0][0] if parts else no_keys()


def _thinned(parts: list[Keys], most: int) -> tuple[list[Keys], np.uint64]:
    """Keep the keys that are smallest: every copy keeps the same ones."""
    keys = Keys.joined(parts)
    if len(keys) <= most:
        return [keys], EVERY
    limit = np.partition(keys.key, most)[most]
    return [keys.take(keys.key <= limit)], limit
