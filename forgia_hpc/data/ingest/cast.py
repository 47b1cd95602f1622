"""Cells → numbers, exactly: one that is not written as the recipe says is refused, never guessed."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forgia_hpc.data.ingest.channels import Terms, channel_of
from forgia_hpc.data.ingest.findings import CAP, Findings
from forgia_hpc.data.ingest.recipe import TableSpec
from forgia_hpc.data.ingest.table import Table

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
_LARGEST_WHOLE = 2**53  # beyond it float64 skips whole numbers


def cast_column(
    table: Table, column: str, terms: Terms, spec: TableSpec, findings: Findings
) -> Values:
    """Return the values float64 (row), NaN where a mend made a gap; note every other cell that does not fit."""
    cells = table.columns[column]
    if table.plain:
        numbers = _floats(cells)
    elif not pa.types.is_string(cells.type):
        numbers = _typed(table, column, terms, spec, findings)
    elif terms.codes:
        return _codes(table, column, terms, _text_gaps(table, column, spec, findings), findings)
    else:
        plain = plain_numbers(cells, spec)
        numbers = _written(table, column, spec, findings) if plain is None else plain
    values = _on_grid(table, column, terms, numbers, findings)
    return _in_range(table, column, terms, values, spec, findings)


def plain_numbers(cells: pa.Array, spec: TableSpec) -> Values | None:
    """Return the numbers, if every cell is digits with at most a sign before and one point between.

    None where one is not, or might not be: the slow way tells which.
    """
    if (spec.decimal, spec.thousands, spec.notation) != (".", "", "plain") or not len(cells):
        return None
    if _has_numbers_as_gaps(spec):
        return None
    edges, data = _bytes_of(cells)
    begins, ends = edges[:-1], edges[1:]
    used = data[edges[0] : edges[-1]]
    # of the bytes from "-" to "9" only "/" is none of ours, and no number either
    if (ends <= begins).any() or used.min() < ord("-") or used.max() > ord("9"):
        return None
    try:
        return _floats(cells)
    except pa.ArrowInvalid:
        return None  # two points, a sign inside, no digit


def number_pattern(spec: TableSpec) -> str:
    """Return the regular expression that a number of a table keeps."""
    if spec.notation == "scientific":
        return r"^-?\d\.\d+[eE][+-]\d\d$"
    point, mark = re.escape(spec.decimal), re.escape(spec.thousands)
    whole = rf"(\d{{1,3}}({mark}\d{{3}})+|\d+)" if mark else r"\d+"
    return rf"^-?({whole}{point}?\d*|{point}\d+)$"


def _written(table: Table, column: str, spec: TableSpec, findings: Findings) -> Values:
    """Return the numbers of texts, each compared with the form that the recipe tells."""
    text = table.columns[column]
    gaps = _text_gaps(table, column, spec, findings)
    pattern = number_pattern(spec)
    good = _numpy(pc.match_substring_regex(text, pattern))
    limit = f"not a number of the form {pattern}"
    _refuse_cells(table, column, np.flatnonzero(~good & ~gaps), limit, findings)
    readable = pc.if_else(pa.array(good & ~gaps), text, pa.scalar(None, pa.string()))
    if spec.thousands:
        readable = pc.replace_substring(readable, spec.thousands, "")
    if spec.decimal != ".":
        readable = pc.replace_substring(readable, spec.decimal, ".")
    return _floats(readable)


def _typed(table: Table, column: str, terms: Terms, spec: TableSpec, findings: Findings) -> Values:
    """Return the numbers of a column that has a type already."""
    cells = table.columns[column]
    kind = cells.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        field = f"column {column!r}"
        findings.problem(field, str(kind), "numbers or texts are needed", table.file)
        return np.full(table.rows, np.nan)
    values = _floats(cells.cast(pa.int8()) if pa.types.is_boolean(kind) else cells)
    if pa.types.is_integer(kind):
        large = np.flatnonzero(np.abs(values) > _LARGEST_WHOLE)
        _refuse_cells(table, column, large, "float64 does not hold it exactly", findings)
    if pa.types.is_float32(kind) and terms.decimals is not None:
        values = _as_written(values, terms.decimals)
    gaps = np.flatnonzero(np.isnan(values))
    if spec.mends.nan_to_gap is None:
        fix = "mends: {nan_to_gap: {at_most: …}}"
        _refuse_cells(table, column, gaps, "no number", findings, fix)
    findings.mend("nan_to_gap", table.file, len(gaps), column)
    _refuse_cells(table, column, np.flatnonzero(np.isinf(values)), "must be finite", findings)
    return values


def _as_written(values: Values, decimals: int) -> Values:
    """Return the decimals that a float32 stands for, where it is the nearest one to them."""
    rounded = np.round(values, decimals)
    return np.where(rounded.astype(np.float32) == values.astype(np.float32), rounded, values)


def _on_grid(
    table: Table, column: str, terms: Terms, numbers: Values, findings: Findings
) -> Values:
    """Return the channel's values; a number with more decimals than the recipe says is refused."""
    if terms.decimals is None and terms.scale is None:
        return numbers * (terms.sign * terms.factor) + terms.offset if terms.converted else numbers
    power = 10.0 ** (terms.decimals or 0)
    steps = np.rint(numbers * power)
    # a quotient is rounded correctly, as a text is: equal for every number of so many decimals
    off = steps / power != numbers
    if off.any():
        bad = np.flatnonzero(off & ~np.isnan(numbers))
        limit = f"more than {terms.decimals or 0} decimals"
        _refuse_cells(table, column, bad, limit, findings, "is it the same source and unit?")
    if not terms.converted:
        return numbers
    channel = channel_of(terms)
    return steps * (terms.sign * (channel.scale or 1.0)) + channel.zero


def _has_numbers_as_gaps(spec: TableSpec) -> bool:
    texts = () if spec.mends.text_to_gap is None else spec.mends.text_to_gap.texts
    return any(re.fullmatch(r"-?[\d.]+", text) for text in texts)


def _text_gaps(table: Table, column: str, spec: TableSpec, findings: Findings) -> Mask:
    rule = spec.mends.text_to_gap
    if rule is None:
        return np.zeros(table.rows, bool)
    texts = pa.array(rule.texts, pa.string())
    gaps = _numpy(pc.is_in(table.columns[column], value_set=texts))
    findings.mend("text_to_gap", table.file, int(gaps.sum()), column)
    return gaps


def _codes(table: Table, column: str, terms: Terms, gaps: Mask, findings: Findings) -> Values:
    """Return the number of each text in the channel's list of codes."""
    found = pc.index_in(table.columns[column], value_set=pa.array(terms.codes, pa.string()))
    values = _floats(found)
    limit = f"one of {', '.join(terms.codes)}"
    _refuse_cells(table, column, np.flatnonzero(np.isnan(values) & ~gaps), limit, findings)
    return values


def _in_range(
    table: Table, column: str, terms: Terms, values: Values, spec: TableSpec, findings: Findings
) -> Values:
    low = -np.inf if terms.low is None else terms.low
    high = np.inf if terms.high is None else terms.high
    wrong = (values < low) | (values > high)
    if not wrong.any():
        return values
    outside = np.flatnonzero(wrong)
    if spec.mends.out_of_range_to_gap is not None:
        findings.mend("out_of_range_to_gap", table.file, len(outside), column)
        return np.where(wrong, np.nan, values)
    limit = f"outside the valid range {low:g} to {high:g} {terms.ucum}"
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


def _bytes_of(cells: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return where each text begins and the last ends, and the bytes of all."""
    _, edges, data = cells.buffers()
    first = cells.offset
    offsets = np.frombuffer(edges, np.int32)[first : first + len(cells) + 1]
    return offsets, np.frombuffer(data or b"", np.uint8)


def _numpy(mask: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=bool)


def _floats(array: pa.Array) -> Values:
    """Return numbers or texts as float64, NaN for null."""
    safe = not pa.types.is_integer(array.type)  # what is lost above 2**53 is looked for after
    return np.asarray(
        pc.cast(array, pa.float64(), safe=safe).to_numpy(zero_copy_only=False), dtype=np.float64
    )
