"""Which column of a raw file is its clock, in what format, with what step and which edges. For a draft."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forgia_hpc.data.ingest.stamps import parse
from forgia_hpc.data.ingest.time_words import EPOCHS, SECOND

_DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%Y%m%d")
_TIMES = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f")
FORMATS = (
    *(f"{day}{mark}{time}" for day in _DAYS for mark in " T" for time in _TIMES),
    *(f"{day}T{time}Z" for day in _DAYS[:1] for time in _TIMES),
)
_SINCE, _UNTIL = 946_684_800 * SECOND, 4_102_444_800 * SECOND  # 2000 to 2100
DAY_NS = 86_400 * SECOND
Steps = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ClockGuess:
    """A clock, its mends, and what a person should look at."""

    column: str | None = None
    format: str = ""
    step_s: float | None = None
    seconds_of_day: str | None = None
    mends: dict[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def guess_clock(columns: dict[str, pa.Array], group_of: NDArray[np.int64] | None) -> ClockGuess:
    """Return the clock of columns; rows of a number of `group_of` are one machine's."""
    for name, cells in columns.items():
        found = _format_of(cells)
        if found is not None:
            form, local = found
            return _stamped(name, form, local, columns, group_of)
    return ClockGuess(notes=("no column of times was found: a row is a step",))


def counter_and_asset(columns: dict[str, pa.Array]) -> tuple[str, str] | None:
    """Return the names of a machine's column and of a counter that begins again with each machine."""
    names = list(columns)[:4]
    whole = {name: _whole(columns[name]) for name in names}
    for asset in names:
        for counter in names:
            machine, count = whole[asset], whole[counter]
            if asset == counter or machine is None or count is None or not len(machine):
                continue
            fresh = np.concatenate([[True], np.diff(machine) != 0])
            counts = (count[fresh] == count[0]).all() and (np.diff(count)[~fresh[1:]] == 1).all()
            if counts and fresh.sum() > 1:
                return asset, counter
    return None


def _format_of(cells: pa.Array) -> tuple[str, Steps] | None:
    if pa.types.is_timestamp(cells.type):
        return "typed", np.asarray(pc.cast(pc.cast(cells, pa.timestamp("ns")), "int64"))
    if pa.types.is_integer(cells.type) and len(cells) and _goes_on(cells):
        return _epoch_of(pc.cast(cells, pa.string()))
    if not pa.types.is_string(cells.type) or not len(cells):
        return None
    head = cells.slice(0, 20)
    for form in FORMATS:
        if not parse(head, form)[1].any():
            local, bad = parse(cells, form)
            if not bad.any():
                return form, local
    return _epoch_of(cells)


def _goes_on(cells: pa.Array) -> bool:
    """Whether numbers go forward nearly always, as times do."""
    steps = np.diff(np.asarray(pc.fill_null(cells, 0), np.int64))
    return len(steps) > 0 and bool((steps > 0).mean() > 0.9)


def _epoch_of(cells: pa.Array) -> tuple[str, Steps] | None:
    """Return the unit of counts since 1970 that lie in this century."""
    for form in EPOCHS:
        local, bad = parse(cells.slice(0, 20), form)
        if not bad.any() and local.min() > _SINCE and local.max() < _UNTIL:
            whole, bad = parse(cells, form)
            return None if bad.any() else (form, whole)
    return None


def _stamped(
    name: str,
    form: str,
    local: Steps,
    columns: dict[str, pa.Array],
    group_of: NDArray[np.int64] | None,
) -> ClockGuess:
    notes = [f"the time zone is not in the file; UTC is taken: check column {name!r}"]
    if form.startswith(("%d/", "%m/")) and not _says_day(columns[name], form):
        notes.append("day and month can't be told apart here: %d/%m or %m/%d?")
    mends: dict[str, object] = {}
    local, moved = _midnight(local)
    if moved:
        mends["midnight_on_day_before"] = {"at_most": moved}
    other = _seconds_of_day(local, name, columns)
    step, edges, more = _edges(local, group_of)
    return ClockGuess(
        column=name,
        format=form,
        step_s=step,
        seconds_of_day=other,
        mends=mends | edges,
        notes=(*notes, *more),
    )


def _says_day(cells: pa.Array, form: str) -> bool:
    """Whether one of the first numbers is above 12."""
    second = form.replace("%d/%m", "%m/%d") if form.startswith("%d/") else "%d/%m" + form[5:]
    return bool(parse(cells, second)[1].any())


def _midnight(local: Steps) -> tuple[Steps, int]:
    """Return times with midnight on the next day, where that is what makes them go forward."""
    midnight = local % DAY_NS == 0
    moved = local + np.where(midnight, DAY_NS, 0)
    better = (np.diff(moved) <= 0).sum() == 0 and (np.diff(local) <= 0).sum() > 0
    return (moved, int(midnight.sum())) if better else (local, 0)


def _seconds_of_day(local: Steps, name: str, columns: dict[str, pa.Array]) -> str | None:
    for other, cells in columns.items():
        seconds = _whole(cells) if other != name else None
        if seconds is not None and (seconds * SECOND == local % DAY_NS).all():
            return other
    return None


def _edges(
    local: Steps, group_of: NDArray[np.int64] | None
) -> tuple[float, dict[str, object], tuple[str, ...]]:
    """Return the step in seconds, and the mends that repeated, missing and unsteady times need."""
    cuts: Any = [] if group_of is None else np.flatnonzero(np.diff(group_of)) + 1
    runs = [run for run in np.split(local, cuts) if len(run) > 1]
    kept = [run[np.concatenate([[True], np.diff(np.maximum.accumulate(run)) > 0])] for run in runs]
    forward = np.concatenate([np.diff(run) for run in kept] or [np.zeros(0, np.int64)])
    if not len(forward):
        return 1.0, {}, ("the times never go forward",)
    step = int(np.median(forward))
    mends: dict[str, object] = {}
    notes = [f"median step {step / SECOND:g} s"]
    late = sum(map(len, runs)) - sum(map(len, kept))
    if late:
        mends["repeated_times"] = {"keep": "first", "at_most": late}
        notes.append(f"{late} rows have a time that was there before, or earlier: look at them")
    within = max(float(np.abs(_off(run, step)).max()) for run in kept) / SECOND
    if within:
        mends["jitter"] = {"within_s": within}
        notes.append(f"times are up to {within:g} s off the grid")
    missing = int(np.rint(forward.max() / step)) - 1
    if missing > 0:
        mends["missing_steps"] = {"fill": min(missing, 12), "longest": missing}
        notes.append(f"up to {missing} steps are missing in one place")
    return step / SECOND, mends, tuple(notes)


def _off(run: Steps, step: int) -> Steps:
    """Return how far each time is off the grid of its machine, which is where most are."""
    off = (run - run[0] + step // 2) % step - step // 2
    kept: Steps = off - int(np.median(off))
    return kept


def _whole(cells: pa.Array) -> Steps | None:
    """Return whole numbers, or None if one is something else."""
    if pa.types.is_integer(cells.type):
        return np.asarray(pc.cast(cells, pa.int64()))
    if not pa.types.is_string(cells.type):
        return None
    if not np.asarray(pc.match_substring_regex(cells, r"^\d{1,15}$"), dtype=bool).all():
        return None
    return np.asarray(pc.cast(cells, pa.int64()))
