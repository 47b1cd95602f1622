"""Rows → times: stamps in nanoseconds UTC, counters, or row numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forgia_hpc.data.ingest.findings import CAP, Findings
from forgia_hpc.data.ingest.recipe import Clock, TableSpec
from forgia_hpc.data.ingest.stamps import parse
from forgia_hpc.data.ingest.table import Table
from forgia_hpc.data.ingest.time_words import EPOCHS

DAY_NS = 86_400 * 10**9
_BLOCK = 1 << 20  # times looked at together


def read_times(table: Table, spec: TableSpec, findings: Findings) -> NDArray[np.int64] | None:
    """Return the time of each row (nanoseconds UTC, or steps), or None with the problems noted."""
    clock = spec.clock
    if clock.column is None:
        return np.arange(table.rows, dtype=np.int64)
    if not clock.format:
        return _counter(table, clock.column, findings)
    return _stamps(table, clock.column, spec, findings)


def offset_ns(clock: Clock) -> int:
    """Return what local time is ahead of UTC, in nanoseconds."""
    sign = -1 if clock.utc_offset.startswith("-") else 1
    hours, minutes = clock.utc_offset[1:].split(":")
    return sign * (int(hours) * 60 + int(minutes)) * 60 * 10**9


def step_ns(clock: Clock) -> int:
    """Return the step of a clock with stamps, in nanoseconds."""
    return round((clock.step_s or 0.0) * 10**9)


def is_even(parts: Sequence[NDArray[np.int64]], clock: Clock) -> bool:
    """Whether all rows follow each other at exactly one step: the usual case, of which no times need be kept."""
    if not clock.format or clock.zone or not len(parts[0]):
        return False
    step, expected = step_ns(clock), int(parts[0][0])
    for part in parts:
        for begin in range(0, len(part), _BLOCK):
            times = part[begin : begin + _BLOCK]
            if not np.array_equal(times, np.arange(len(times)) * step + expected):
                return False
            expected += len(times) * step
    return True


def _counter(table: Table, column: str, findings: Findings) -> NDArray[np.int64] | None:
    cells = table.columns[column]
    if pa.types.is_integer(cells.type) and not cells.null_count:
        return np.asarray(pc.cast(cells, "int64"), dtype=np.int64)
    if not pa.types.is_string(cells.type):
        got = str(cells.type)
        findings.problem(f"column {column!r}", got, "whole numbers are needed", table.file)
        return None
    good = np.asarray(pc.match_substring_regex(cells, r"^\d{1,15}$"), dtype=bool)
    bad = np.flatnonzero(~good)
    _refuse(table, column, bad, "a whole number is needed", findings)
    return None if len(bad) else np.asarray(pc.cast(cells, "int64"), dtype=np.int64)


def _stamps(
    table: Table, column: str, spec: TableSpec, findings: Findings
) -> NDArray[np.int64] | None:
    clock = spec.clock
    cells = table.columns[column]
    limit = f"a time of the form {clock.format} is needed"
    if pa.types.is_timestamp(cells.type):
        return _typed(table, column, spec, findings)
    if not pa.types.is_string(cells.type):
        cells = pc.cast(cells, pa.string())
    local, wrong = parse(pc.fill_null(cells, ""), clock.format)
    bad = np.flatnonzero(wrong)
    _refuse(table, column, bad, limit, findings)
    if len(bad):
        return None
    if spec.mends.midnight_on_day_before is not None:
        midnight = local % DAY_NS == 0
        local = local + np.where(midnight, DAY_NS, 0)
        findings.mend("midnight_on_day_before", table.file, int(midnight.sum()), column)
    _compare_seconds(table, local, clock, findings)
    # a zone's hours are told apart by the order of a machine's rows: track.py
    return local if clock.zone or clock.format in EPOCHS else local - offset_ns(clock)


def _compare_seconds(
    table: Table, local: NDArray[np.int64], clock: Clock, findings: Findings
) -> None:
    """Refuse rows whose second column of time says something else than the first."""
    if clock.seconds_of_day is None:
        return
    seconds = _counter(table, clock.seconds_of_day, findings)
    if seconds is None:
        return
    bad = np.flatnonzero(seconds * 10**9 != local % DAY_NS)
    _refuse(table, clock.seconds_of_day, bad, f"must agree with column {clock.column!r}", findings)


def _typed(
    table: Table, column: str, spec: TableSpec, findings: Findings
) -> NDArray[np.int64] | None:
    """Return the nanoseconds of a column of timestamps; one with a zone of its own is in UTC already."""
    cells = table.columns[column]
    if cells.type.tz and spec.clock.zone:
        got, limit = str(cells.type), "the file names a zone itself: leave clock.zone out"
        findings.problem(f"column {column!r}", got, limit, table.file)
        return None
    _refuse(table, column, np.flatnonzero(np.asarray(pc.is_null(cells))), "no time", findings)
    if cells.null_count:
        return None
    times = np.asarray(pc.cast(pc.cast(cells, pa.timestamp("ns", cells.type.tz)), "int64"))
    return times if cells.type.tz or spec.clock.zone else times - offset_ns(spec.clock)


def _refuse(
    table: Table, column: str, rows: NDArray[np.int64], limit: str, findings: Findings
) -> None:
    first = [int(row) for row in rows[:CAP]]
    findings.cells(
        f"column {column!r}",
        rows,
        [table.cell(column, row) for row in first],
        [table.place(row) for row in first],
        limit,
    )
