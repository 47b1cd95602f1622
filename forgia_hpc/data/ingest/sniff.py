"""What kind of text a raw file is: encoding, delimiter, decimal sign, header. For a draft; nothing is decided."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from forgia_hpc.errors import InputError, Problem

LOOK_BYTES = 64 << 20  # of each file; what comes later is not looked at
_BOM = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"-?\d+([.,]\d+)?([eE][+-]?\d+)?")
_TYPED = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow"}
_ARRAYS = {
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".mat": "mat",
    ".npy": "npy",
    ".npz": "npy",
    ".wav": "wav",
}


@dataclass(frozen=True, kw_only=True)
class Sniffed:
    """A raw file as columns of text, and how it is written."""

    path: Path
    parser: str
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."
    header: bool = True
    blanks: int = 0  # lines with blanks at their ends
    transposed: bool = False
    cut: bool = False  # there is more than was looked at
    step_s: float | None = None  # where the file itself says how far apart its rows are
    notes: tuple[str, ...] = ()
    columns: dict[str, pa.Array]

    @property
    def rows(self) -> int:
        """How many rows were looked at."""
        return len(next(iter(self.columns.values()), []))


def sniff(path: Path) -> Sniffed:
    """Look at a raw file.

    Raises:
        InputError: it is empty, or no table.
    """
    if not path.is_file():
        raise InputError(_no_table(path, "no such file"))
    if path.suffix in _TYPED:
        return _typed(path, _TYPED[path.suffix])
    if path.suffix in _ARRAYS:
        from forgia_hpc.data.ingest.sniff_arrays import sniff_arrays  # noqa: PLC0415 - it needs Sniffed, and h5py

        return sniff_arrays(path, _ARRAYS[path.suffix])
    with path.open("rb") as file:
        data = file.read(LOOK_BYTES)
        cut = bool(file.read(1))
    text, encoding = _decoded(data[: data.rfind(b"\n") + 1] if cut else data)
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if len(lines) < 2:
        raise InputError(_no_table(path, "a table of at least two lines is needed"))
    delimiter = _delimiter(lines)
    if not delimiter:
        return _whitespace(path, lines, encoding, cut)
    rows = list(csv.reader(lines, delimiter=delimiter))
    width = Counter(map(len, rows)).most_common(1)[0][0]
    header = _has_header(rows)
    names = rows[0] if header else [f"column_{n}" for n in range(1, width + 1)]
    body = [row for row in rows[header:] if len(row) == width]
    if width < 1 or len(names) != width or not body:
        raise InputError(_no_table(path, "the lines have different numbers of columns"))
    cells = list(zip(*body, strict=True))
    return Sniffed(
        path=path,
        parser="csv",
        encoding=encoding,
        delimiter=delimiter,
        decimal=_decimal(body[:200], delimiter),
        header=header,
        cut=cut,
        columns={n: pa.array(c, pa.string()) for n, c in zip(names, cells, strict=True)},
    )


def _decoded(data: bytes) -> tuple[str, str]:
    marked = data.startswith(_BOM)
    if data.isascii():
        return data.decode(), "utf-8"
    try:
        text = data.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"
    return text, "utf-8-bom" if marked else "utf-8"


def _delimiter(lines: Sequence[str]) -> str:
    """Return the mark that cuts the first lines into the same number of columns; empty: blanks."""
    look = lines[:50]
    for mark in (";", "\t", ",", "|"):
        counts = {line.count(mark) for line in look}
        if len(counts) == 1 and counts != {0}:
            return mark
    quoted = {
        mark: {len(next(csv.reader([one], delimiter=mark), [])) for one in look} for mark in ";,"
    }
    return next((mark for mark, sizes in quoted.items() if len(sizes) == 1 and sizes > {1}), "")


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line is names: where below are numbers, it has none."""
    first, below = rows[0], rows[1]
    numeric = [n for n, cell in enumerate(below) if _NUMBER.fullmatch(cell.strip())]
    return not any(n < len(first) and _NUMBER.fullmatch(first[n].strip()) for n in numeric)


def _decimal(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    cells = [cell for row in rows for cell in row]
    commas = sum(bool(re.fullmatch(r"-?\d+,\d+", cell)) for cell in cells)
    points = sum(bool(re.fullmatch(r"-?\d+\.\d+", cell)) for cell in cells)
    return "," if delimiter != "," and commas > points else "."


def _whitespace(path: Path, lines: list[str], encoding: str, cut: bool) -> Sniffed:
    cells = [line.split() for line in lines]
    width = len(cells[0])
    if any(len(row) != width for row in cells):
        raise InputError(_no_table(path, "the lines have different numbers of columns"))
    transposed = width > 2 * len(cells)
    by_column = cells if transposed else list(zip(*cells, strict=True))
    return Sniffed(
        path=path,
        parser="whitespace",
        encoding="ascii" if encoding == "utf-8" else encoding,
        header=False,
        blanks=sum(line != line.strip() for line in lines),
        transposed=transposed,
        cut=cut,
        columns={f"column_{n}": pa.array(c, pa.string()) for n, c in enumerate(by_column, 1)},
    )


def _typed(path: Path, parser: str) -> Sniffed:
    table = (
        pa.parquet.read_table(path) if parser == "parquet" else pa.ipc.open_file(path).read_all()
    )
    whole = {name: table.column(name).combine_chunks() for name in table.column_names}
    return Sniffed(path=path, parser=parser, columns=whole)


def _no_table(path: Path, limit: str) -> Problem:
    return Problem(
        field="file",
        got=path.name,
        limit=limit,
        where=str(path),
        fix="CSV, whitespace tables, Parquet, Arrow, HDF5, MAT, npy, npz and WAV can be drafted",
    )
