"""CSV → columns of text, by pyarrow, a stretch of lines at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.recipe import TableFile, TableSpec
from forgia_hpc.data.ingest.table import Span, Table, check_header, used_columns
from forgia_hpc.data.ingest.text import Text

_BLOCK_BYTES = 1 << 22
# of exponents, infinities, not-a-numbers, signs, quotes and blanks
_ODD = tuple(bytes([one]) for one in b'eEnNiI+"\t ')


class CsvFile(Text):
    """A delimited text; one line a row."""

    def __init__(self, spec: TableSpec, file: TableFile, path: Path) -> None:
        """Take the file."""
        super().__init__(spec, file.path, path)

    @cached_property
    def _header_end(self) -> int:
        return 0 if self.spec.header or not self.size else self.line_end(1)

    def _header(self, findings: Findings) -> list[str] | None:
        """Return the names of the columns, or None with what is wrong with them noted."""
        header = list(self.spec.header)
        if not header:
            line = self.bytes_of(Span(0, self._header_end), findings)
            if line is None:
                return None
            text = line.decode().removesuffix("\n").removesuffix("\r")
            header = next(csv.reader([text], delimiter=self.spec.delimiter), [])
        return header if check_header(header, self.spec, self.name, findings) else None

    def origin(self, span: Span) -> tuple[Callable[[], int], str]:
        """Return the line of the first row of a stretch."""
        return self.first_line(span, int(span.begin == 0 and not self.spec.header)), "line"

    def read(self, span: Span, findings: Findings) -> Table | None:
        """Return the cells of some lines as text; a line with too few or many is noted."""
        # what is wrong with the header is the first stretch's to tell
        header = self._header(findings if span.begin == 0 else Findings())
        data = self._body(span, findings) if header is not None else None
        if header is None or data is None:
            return None
        first, _ = self.origin(span)

        def refuse_row(row: pa.csv.InvalidRow) -> str:
            findings.problem(
                "row",
                row.text[:80],
                f"{row.expected_columns} columns are needed, {row.actual_columns} were found",
                f"{self.name}, line {row.number - 1 + first()}",
            )
            return "skip"

        return self._parsed(data, dict.fromkeys(header, pa.string()), span, refuse_row)

    def read_plain(self, span: Span) -> Table | None:
        """Return numbers where all but the time is digits, signs and points; pyarrow alone would take more."""
        spec, header = self.spec, self._header(Findings())
        texts = {spec.clock.column} - {None}
        if header is None or not self._may_be_plain or set(header) != used_columns(spec):
            return None
        data = self._body(span, Findings())
        if not data or not self._has_plain_bytes(data):
            return None
        types = {name: pa.string() if name in texts else pa.float64() for name in header}
        try:
            return self._parsed(data, types, span, None)
        except pa.ArrowInvalid:
            return None  # the slow way tells what and where

    @cached_property
    def _may_be_plain(self) -> bool:
        spec = self.spec
        other = spec.assets or spec.left_out or spec.clock.seconds_of_day is not None
        coded = any(column.codes for column in spec.columns) or spec.mends.text_to_gap is not None
        written = (spec.decimal, spec.thousands, spec.notation) == (".", "", "plain")
        return written and not (other or coded) and spec.clock.column is not None

    def _has_plain_bytes(self, data: bytes) -> bool:
        """Whether there is nothing of which pyarrow makes a number although it is none of ours."""
        form = self.spec.clock.format.encode()
        # a search is seven times faster than a count: 24 against 3.4 GB/s here
        if any(odd in data for odd in _ODD if odd not in form):
            return False
        own = [odd for odd in _ODD if odd in form]
        return all(data.count(odd) == data.count(b"\n") * form.count(odd) for odd in own)

    def _body(self, span: Span, findings: Findings) -> bytes | None:
        """Return the lines of a stretch, without the header."""
        begin = self._header_end if span.begin == 0 else span.begin
        return self.bytes_of(Span(begin, span.end), findings)

    def _parsed(self, data: bytes, types: dict[str, pa.DataType], span: Span, refuse: Any) -> Table:
        first, word = self.origin(span)
        if not data:
            columns = {name: pa.array([], kind) for name, kind in types.items()}
            return Table(self.name, columns, 0, first, word)
        # One thread: with more, pyarrow does not know the numbers of the rows.
        table = pa.csv.read_csv(
            pa.BufferReader(data),
            read_options=pa.csv.ReadOptions(
                use_threads=False, column_names=list(types), block_size=_BLOCK_BYTES
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=self.spec.delimiter, invalid_row_handler=refuse, ignore_empty_lines=False
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=types,
                strings_can_be_null=False,
                check_utf8=False,
                null_values=[],
            ),
        )
        columns = {
            name: _whole(table.column(n), kind) for n, (name, kind) in enumerate(types.items())
        }
        return Table(self.name, columns, table.num_rows, first, word, plain=refuse is None)


def _whole(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    # combine_chunks gives a chunked array when there is no chunk at all (a file of one header line)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], kind)
