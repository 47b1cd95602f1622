"""A stretch of a raw file as columns, uninterpreted; every row keeps its place in the file."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.recipe import RawFile, Recipe, TableFile, TableSpec
from forgia_hpc.digest import sha256_file
from forgia_hpc.runtime.world import World

# Named, not imported: most ingests need one of them.
READERS = {
    "csv": "forgia_hpc.data.ingest.read_csv:CsvFile",
    "whitespace": "forgia_hpc.data.ingest.read_whitespace:WhitespaceFile",
    "parquet": "forgia_hpc.data.ingest.read_arrow:ParquetFile",
    "arrow": "forgia_hpc.data.ingest.read_arrow:ArrowFile",
    "hdf5": "forgia_hpc.data.ingest.read_arrays:Hdf5File",
    "mat": "forgia_hpc.data.ingest.read_arrays:MatFile",
    "npy": "forgia_hpc.data.ingest.read_arrays:NpyFile",
    "wav": "forgia_hpc.data.ingest.read_arrays:WavFile",
}


@dataclass(frozen=True)
class Span:
    """A stretch of a raw file: bytes of a text, rows or row groups of the others."""

    begin: int
    end: int


@dataclass(frozen=True)
class Table:
    """Columns of text or of numbers, and where each row stands.

    first_line may be a function: how many lines come before a stretch is counted only when it is told.
    """

    file: str
    columns: dict[str, pa.Array]
    rows: int
    first_line: int | Callable[[], int]
    word: str = "line"
    plain: bool = False  # numbers are those of texts that were digits, a sign and a point

    def place(self, row: int) -> str:
        """Return file and line (or column, or row) of a row."""
        first = self.first_line if isinstance(self.first_line, int) else self.first_line()
        return f"{self.file}, {self.word} {row + first}"

    def cell(self, column: str, row: int) -> str:
        """Return the text of a cell."""
        return str(self.columns[column][row].as_py())


class RawTable(Protocol):
    """A raw file behind its reader."""

    def spans(self, size: int) -> list[Span]:
        """Return stretches of about so many bytes, the same for whoever asks."""

    def read(self, span: Span, findings: Findings) -> Table | None:
        """Return the rows of one stretch, or note why not."""

    def read_plain(self, span: Span) -> Table | None:
        """Return the rows as `read` would, faster, where that is certainly the same; None elsewhere."""

    def origin(self, span: Span) -> tuple[int | Callable[[], int], str]:
        """Return where the first row of a stretch stands, and in what: line, column or row."""


def open_table(spec: TableSpec, file: TableFile, path: Path) -> RawTable:
    """Return the reader of a raw file."""
    module, _, name = READERS[spec.parser].partition(":")
    reader: RawTable = getattr(importlib.import_module(module), name)(spec, file, path)
    return reader


def check_files(recipe: Recipe, folder: Path, world: World, findings: Findings) -> dict[str, str]:
    """Compare each file with its SHA-256 and return the digests found; ranks share them."""
    own = Findings()
    found = _digests(recipe, recipe.files[world.rank :: world.size], folder, own)
    digests: dict[str, str] = {}
    for theirs, plain in world.gather_all([found, own.plain()]):
        digests |= theirs
        findings.add(plain)
    return {file.path: digests[file.path] for file in recipe.files if file.path in digests}


def _digests(
    recipe: Recipe, files: Sequence[RawFile], folder: Path, findings: Findings
) -> dict[str, str]:
    found = {}
    for file in files:
        path = folder / file.path
        if not path.is_file():
            findings.problem(
                f"files.{file.path}", "nothing", "the raw file is needed", str(path), recipe.source
            )
            continue
        try:
            found[file.path] = sha256_file(path)
        except OSError as error:
            findings.problem(
                f"files.{file.path}", error.strerror, "must be readable to its end", str(path)
            )
            continue
        if file.sha256 and found[file.path] != file.sha256:
            findings.problem(
                f"files.{file.path}",
                f"SHA-256 {found[file.path]}",
                f"the recipe was made for {file.sha256}",
                str(path),
                f"take the publisher's own file: {recipe.source}",
            )
    return found


def header_of(spec: TableSpec) -> list[str]:
    """Return the names of the columns of a file that has no header."""
    return list(spec.header) or [column.column for column in spec.columns]


def used_columns(spec: TableSpec) -> set[str]:
    """Return every column that the recipe has a use for, or a reason to leave out."""
    used = {column.column for column in spec.columns} | set(spec.left_out)
    used |= {c for c in (spec.clock.column, spec.clock.seconds_of_day) if c is not None}
    return used | ({spec.assets.column} if spec.assets else set())


def check_header(header: Sequence[str], spec: TableSpec, file: str, findings: Findings) -> bool:
    """Note columns that are missing, unknown or there twice; return whether there are none."""
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
