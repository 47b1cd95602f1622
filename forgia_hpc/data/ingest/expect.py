"""What a column was like, and whether a file is still like that: a wrong unit can lie inside every valid range.

A departure is a flag, not a refusal: plants change. `--strict` refuses flags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.ingest.recipe import Expect, TableSpec
from forgia_hpc.data.layout import Segment

# How far an honest file may leave what the eighths of its reference span: by that span and half the width of all
# values; spread and roughness by a factor. Counted on halves of real records: docs/dataset_format.md
LEVEL = 0.5
FACTORS = {"std": 4.0, "rough": 2.5}
GAPS, EIGHTHS = 0.05, 8
_SMALL = 1e-9


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A column that departs from what was expected."""

    column: str
    what: str
    got: float
    expected: float


def measure(series: Iterable[NDArray[np.float64]]) -> Expect | None:
    """Return what the values of unbroken stretches are like; None where there are none."""
    parts = list(series)
    every = np.concatenate(parts) if parts else np.zeros(0)
    values = every[np.isfinite(every)]
    if not len(values):
        return None
    eighths = [one for one in np.array_split(every, EIGHTHS) if np.isfinite(one).any()]
    found = [_statistics(one) for one in eighths]
    low, high = np.quantile(values, (0.01, 0.99))
    return Expect(
        **{name: _ends([one[name] for one in found]) for name in NAMES},
        width=_short(high - low),
        gaps=_short(1 - len(values) / len(every)),
    )


NAMES = ("low", "mean", "high", "std", "rough")


def _statistics(part: NDArray[np.float64]) -> dict[str, float]:
    values = part[np.isfinite(part)]
    low, high = np.quantile(values, (0.01, 0.99))
    steps = np.abs(np.diff(values))
    rough = float(steps.mean()) if len(steps) else 0.0
    return dict(zip(NAMES, (low, values.mean(), high, values.std(), rough), strict=True))


def _ends(found: list[float]) -> tuple[float, float]:
    return _short(min(found)), _short(max(found))


def flags_of(specs: tuple[TableSpec, ...], segments: tuple[Segment, ...]) -> tuple[Flag, ...]:
    """Return every departure of the columns that have expectations."""
    found: list[Flag] = []
    for spec in specs:
        mine = [segment for segment in segments if segment.group == spec.group]
        for number, column in enumerate(spec.columns):
            if column.expect is not None:
                every = np.concatenate([segment.values[number] for segment in mine])
                found += departures(column.name or column.column, every, column.expect)
    return tuple(found)


def departures(name: str, every: NDArray[np.float64], was: Expect) -> Iterator[Flag]:
    """Yield where a column is not what it was."""
    missing = float(np.isnan(every).mean()) if len(every) else 1.0
    if missing > was.gaps + GAPS:
        yield Flag(column=name, what="gaps", got=missing, expected=was.gaps)
    if missing == 1.0:
        return
    now = _statistics(every)
    noise = _SMALL * max(map(abs, was.mean))
    if was.width <= noise:
        yield from _off_level(name, now, (was.low[0], was.high[1]), noise)
        return
    for what in NAMES:
        least, most = getattr(was, what)
        room = most - least + LEVEL * was.width
        low, high = least - room - noise, most + room + noise
        if what in FACTORS:
            low, high = least / FACTORS[what] - noise, most * FACTORS[what] + noise
        if not low <= now[what] <= high:
            yield Flag(column=name, what=what, got=now[what], expected=(least + most) / 2)


def _off_level(
    name: str, now: dict[str, float], level: tuple[float, float], noise: float
) -> Iterator[Flag]:
    """Yield where a column that stood still is elsewhere: that it moves now is no fault of unit, scale or sign.

    Seen in a refinery: a unit that was off for ten days was switched on. Another unit, scale or sign of a constant
    is another constant; of two columns exchanged the one that moved stands still.
    """
    if now["low"] - noise > level[1] or now["high"] + noise < level[0]:
        yield Flag(column=name, what="mean", got=now["mean"], expected=sum(level) / 2)


def _short(value: float) -> float:
    return float(f"{value:.6g}")
