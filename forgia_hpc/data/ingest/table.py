"""Raw file → columns of text. Nothing is interpreted here; every row keeps its place in the file."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.recipe import Recipe, TableFile, TableSpec

_BOM = b"\xef\xbb\xbf"
_CODECS = {"utf-8": "utf-8", "utf-8-bom": "utf-8", "ascii": "ascii", "latin-1": "latin-1"}


@dataclass(frozen=True)
class Table:
    """Columns of text, and where each row stands."""

    file: str
    columns: dict[str, pa.Array]
    rows: int
    first_line: int
    transposed: bool = False

    def place(self, row: int) -> str:
        """Return file and line (of a transposed file: column) of a row."""
        word = "column" if self.transposed else "line"
        return f"{self.file}, {word} {row + self.first_line}"

    def cell(self, column: str, row: int) -> str:
        """Return the text of a cell."""
        return str(self.columns[column][row].as_py())


def check_files(recipe: Recipe, folder: Path, findings: Findings) -> dict[str, str]:
    """Compare each file with its SHA-256 and return the digests found."""
    found = {}
    for file in recipe.files:
        path = folder / file.path
        if not path.is_file():
            findings.problem(
                f"files.{file.path}", "nothing", "the raw file is needed", str(path), recipe.source
            )
            continue
        found[file.path] = hashlib.sha256(path.read_bytes()).hexdigest()
        if file.sha256 and found[file.path] != file.sha256:
            findings.problem(
                f"files.{file.path}",
                f"SHA-256 {found[file.path]}",
                f"the recipe was made for {file.sha256}",
                str(path),
                f"take the publisher's own file: {recipe.source}",
            )
    return found


def read_table(spec: TableSpec, file: TableFile, path: Path, findings: Findings) -> Table | None:
    """Read one file as text, or note why not."""
    before = findings.total
    data = _decode(path.read_bytes(), spec, file.path, findings)
    if data is None:
        return None
    read = _read_csv if spec.parser == "csv" else _read_whitespace
    table = read(spec, file, data, findings)
    if table is None or findings.total > before:
        return None
    if file.rows is not None and table.rows != file.rows:
        findings.problem("rows", table.rows, f"{file.rows} time steps are expected", file.path)
    return table


def header_of(spec: TableSpec) -> list[str]:
    """Return the names of the columns of a file that has no header."""
    return list(spec.header) or [column.column for column in spec.columns]


def used_columns(spec: TableSpec) -> set[str]:
    """Return every column that the recipe has a use for, or a reason to leave out."""
    used = {column.column for column in spec.columns} | set(spec.left_out)
    used |= {c for c in (spec.clock.column, spec.clock.seconds_of_day) if c is not None}
    return used | ({spec.assets.column} if spec.assets else set())


def _decode(data: bytes, spec: TableSpec, file: str, findings: Findings) -> bytes | None:
    """Return the text as UTF-8 without byte-order mark; a wrong encoding is noted with its line."""
    marked = data.startswith(_BOM)
    if marked != (spec.encoding == "utf-8-bom"):
        got = "a byte-order mark" if marked else "no byte-order mark"
        findings.problem("encoding", got, f"the recipe says {spec.encoding}", file)
        return None
    data = data.removeprefix(_BOM)
    try:
        text = data.decode(_CODECS[spec.encoding])
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        got = f"byte 0x{data[error.start : error.start + 1].hex()}"
        findings.problem("encoding", got, f"not {spec.encoding}", f"{file}, line {line}")
        return None
    if not text.endswith("\n"):
        line = text.count("\n") + 1
        findings.problem(
            "file", text[-40:], "ends in the middle of a line: truncated?", f"{file}, line {line}"
        )
        return None
    return data if spec.encoding != "latin-1" else text.encode()


def _check_header(header: Sequence[str], spec: TableSpec, file: str, findings: Findings) -> bool:
    before = findings.total
    for name, count in Counter(header).items():
        if count > 1:
            findings.problem("header", name, "the column stands there twice", file)
    for name in sorted(used_columns(spec) - set(header)):
        findings.problem("header", sorted(header), f"the column {name!r} is missing", file)
    for name in sorted(set(header) - used_columns(spec)):
        findings.problem(
            "header",
            name,
            "a column that the recipe does not know",
            file,
            "name it or leave it out",
        )
    return findings.total == before


def _read_csv(spec: TableSpec, file: TableFile, data: bytes, findings: Findings) -> Table | None:
    end = data.index(b"\n") if not spec.header else 0
    header = list(spec.header)
    if not header:
        line = data[:end].decode().removesuffix("\r")
        header = next(csv.reader([line], delimiter=spec.delimiter), [])
    if not _check_header(header, spec, file.path, findings):
        return None
    first_line = 1 if spec.header else 2

    def refuse_row(row: pa.csv.InvalidRow) -> str:
        findings.problem(
            "row",
            row.text[:80],
            f"{row.expected_columns} columns are needed, {row.actual_columns} were found",
            f"{file.path}, line {row.number}",
        )
        return "skip"

    # One thread: with more, pyarrow does not know the numbers of the rows.
    table = pa.csv.read_csv(
        pa.BufferReader(data),
        read_options=pa.csv.ReadOptions(
            use_threads=False, column_names=header, skip_rows=first_line - 1
        ),
        parse_options=pa.csv.ParseOptions(
            delimiter=spec.delimiter, invalid_row_handler=refuse_row, ignore_empty_lines=False
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
        ),
    )
    columns = {name: _whole(table.column(number)) for number, name in enumerate(header)}
    return Table(file.path, columns, table.num_rows, first_line)


def _read_whitespace(
    spec: TableSpec, file: TableFile, data: bytes, findings: Findings
) -> Table | None:
    lines = data.decode().replace("\r\n", "\n").removesuffix("\n").split("\n")
    header = header_of(spec)
    if not _check_header(header, spec, file.path, findings):
        return None
    blanks = sum(line != line.strip() for line in lines)
    if blanks and spec.mends.blanks is None:
        findings.problem(
            "blanks", blanks, "lines with blanks at their ends", file.path, "mends: {blanks: {}}"
        )
    findings.mend("blanks", file.path, blanks)
    cells = [line.split() for line in lines]
    width = len(cells[0]) if file.transposed else len(header)
    for number, row in enumerate(cells, 1):
        if len(row) != width:
            findings.problem(
                "row",
                lines[number - 1][:80],
                f"{width} columns are needed, {len(row)} were found",
                f"{file.path}, line {number}",
            )
    if file.transposed and len(cells) != len(header):
        findings.problem("file", len(cells), f"{len(header)} lines are needed", file.path)
    if any(len(row) != width for row in cells) or (file.transposed and width == 0):
        return None
    by_column = cells if file.transposed else list(zip(*cells, strict=True))
    columns = {
        name: pa.array(column, pa.string()) for name, column in zip(header, by_column, strict=True)
    }
    return Table(file.path, columns, len(by_column[0]), 1, file.transposed)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    # combine_chunks gives a chunked array when there is no chunk at all (a file of one header line)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())
