"""Text → numbers, exactly: a cell that is not written as the recipe says is refused, never guessed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forgia_hpc.data.ingest.findings import CAP, Findings
from forgia_hpc.data.ingest.recipe import Mends
from forgia_hpc.data.ingest.table import Table
from forgia_hpc.data.layout import Channel


def cast_column(
    table: Table,
    column: str,
    channel: Channel,
    pattern: str,
    mends: Mends,
    findings: Findings,
) -> NDArray[np.float64]:
    """Return the values float64 (row), NaN where a mend made a gap; note every other cell that does not fit."""
    text = table.columns[column]
    gaps = _text_gaps(table, column, mends, findings)
    if channel.codes:
        return _codes(table, column, channel, gaps, findings)
    good = _numpy(pc.match_substring_regex(text, pattern))
    _refuse_cells(
        table,
        column,
        np.flatnonzero(~good & ~gaps),
        f"not a number of the form {pattern}",
        findings,
    )
    readable = pc.if_else(pa.array(good & ~gaps), text, pa.scalar(None, pa.string()))
    values = _floats(readable)
    return _in_range(table, column, channel, values, mends, findings)


def number_pattern(notation: str, decimals: int | None) -> str:
    """Return the regular expression that a number of a column keeps."""
    if notation == "scientific":
        return r"^-?\d\.\d+[eE][+-]\d\d$"
    if decimals == 0:
        return r"^-?\d+$"
    return rf"^-?\d+(\.\d{{1,{decimals}}})?$" if decimals else r"^-?\d+(\.\d+)?$"


def _text_gaps(table: Table, column: str, mends: Mends, findings: Findings) -> NDArray[np.bool_]:
    if mends.text_to_gap is None:
        return np.zeros(table.rows, bool)
    texts = pa.array(mends.text_to_gap.texts, pa.string())
    gaps = _numpy(pc.is_in(table.columns[column], value_set=texts))
    findings.mend("text_to_gap", table.file, int(gaps.sum()), column)
    return gaps


def _codes(
    table: Table, column: str, channel: Channel, gaps: NDArray[np.bool_], findings: Findings
) -> NDArray[np.float64]:
    """Return the number of each text in the channel's list of codes."""
    found = pc.index_in(table.columns[column], value_set=pa.array(channel.codes, pa.string()))
    values = _floats(found)
    limit = f"one of {', '.join(channel.codes)}"
    _refuse_cells(table, column, np.flatnonzero(np.isnan(values) & ~gaps), limit, findings)
    return values


def _in_range(
    table: Table,
    column: str,
    channel: Channel,
    values: NDArray[np.float64],
    mends: Mends,
    findings: Findings,
) -> NDArray[np.float64]:
    low = -np.inf if channel.valid_min is None else channel.valid_min
    high = np.inf if channel.valid_max is None else channel.valid_max
    outside = np.flatnonzero((values < low) | (values > high))
    if mends.out_of_range_to_gap is not None:
        findings.mend("out_of_range_to_gap", table.file, len(outside), column)
        values[outside] = np.nan
        return values
    limit = f"outside the valid range {low:g} to {high:g} {channel.ucum}"
    _refuse_cells(table, column, outside, limit, findings, "is this the recipe's unit?")
    return values


def _refuse_cells(
    table: Table,
    column: str,
    rows: NDArray[np.int64],
    limit: str,
    findings: Findings,
    fix: str = "",
) -> None:
    first = [int(row) for row in rows[:CAP]]
    got = [table.cell(column, row) for row in first]
    findings.cells(f"column {column!r}", rows, got, [table.place(row) for row in first], limit, fix)


def _numpy(mask: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=bool)


def _floats(array: pa.Array) -> NDArray[np.float64]:
    """Return numbers or texts as float64, NaN for null; a copy, which may be written to."""
    return np.array(pc.cast(array, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
