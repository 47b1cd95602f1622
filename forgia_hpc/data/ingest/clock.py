"""Rows → times: stamps in nanoseconds UTC, counters, or row numbers."""

from __future__ import annotations

import re

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from forgia_hpc.data.ingest.findings import CAP, Findings
from forgia_hpc.data.ingest.recipe import Clock, TableSpec
from forgia_hpc.data.ingest.table import Table

DAY_NS = 86_400 * 10**9
_DIRECTIVES = {
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    **dict.fromkeys(("%d", "%m", "%H", "%M", "%S"), r"\d{1,2}"),
}


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


def _counter(table: Table, column: str, findings: Findings) -> NDArray[np.int64] | None:
    good = _matching(table, column, r"^\d{1,15}$", "a whole number is needed", findings)
    if not good:
        return None
    return np.asarray(pc.cast(table.columns[column], "int64"), dtype=np.int64)


def _stamps(
    table: Table, column: str, spec: TableSpec, findings: Findings
) -> NDArray[np.int64] | None:
    clock = spec.clock
    limit = f"a time of the form {clock.format} is needed"
    if not _matching(table, column, _time_pattern(clock.format), limit, findings):
        return None
    parsed = pc.strptime(table.columns[column], format=clock.format, unit="ns", error_is_null=True)
    bad = np.flatnonzero(np.asarray(pc.is_null(parsed)))
    _refuse(table, column, bad, limit, findings)
    if len(bad):
        return None
    local = np.asarray(pc.cast(parsed, "int64"), dtype=np.int64)
    if spec.mends.midnight_on_day_before is not None:
        midnight = local % DAY_NS == 0
        local = local + np.where(midnight, DAY_NS, 0)
        findings.mend("midnight_on_day_before", table.file, int(midnight.sum()), column)
    _compare_seconds(table, local, clock, findings)
    return local - offset_ns(clock)


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


def _time_pattern(form: str) -> str:
    """Return the regular expression of a strptime format: strptime alone forgives too much."""
    parts = re.split(r"(%[a-zA-Z])", form)
    return "^" + "".join(_DIRECTIVES.get(part, re.escape(part)) for part in parts) + "$"


def _matching(table: Table, column: str, pattern: str, limit: str, findings: Findings) -> bool:
    good = np.asarray(pc.match_substring_regex(table.columns[column], pattern), dtype=bool)
    bad = np.flatnonzero(~good)
    _refuse(table, column, bad, limit, findings)
    return not len(bad)


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
