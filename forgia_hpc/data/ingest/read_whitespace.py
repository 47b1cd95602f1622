"""Tables of cells between blanks → columns of text; a whole file at a time, it may be transposed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.recipe import TableFile, TableSpec
from forgia_hpc.data.ingest.table import Span, Table, check_header, header_of
from forgia_hpc.data.ingest.text import Text


class WhitespaceFile(Text):
    """A text of cells between blanks."""

    def __init__(self, spec: TableSpec, file: TableFile, path: Path) -> None:
        """Take the file."""
        super().__init__(spec, file.path, path)
        self.transposed = file.transposed

    def spans(self, size: int) -> list[Span]:
        """Return the stretches of a file; one where the channels are the rows."""
        return [Span(0, self.size)] if self.transposed else super().spans(size)

    def read_plain(self, span: Span) -> Table | None:
        """Return nothing: there is no faster way."""

    def origin(self, span: Span) -> tuple[int | Callable[[], int], str]:
        """Return the line of the first row of a stretch, or its column."""
        return (1, "column") if self.transposed else (self.first_line(span, 0), "line")

    def read(self, span: Span, findings: Findings) -> Table | None:
        """Return the cells of some lines as text."""
        data = self.bytes_of(span, findings)
        header = header_of(self.spec)
        if data is None or not check_header(header, self.spec, self.name, findings):
            return None
        lines = data.decode().replace("\r\n", "\n").removesuffix("\n").split("\n")
        self._note_blanks(lines, findings)
        cells = [line.split() for line in lines]
        width = len(cells[0]) if self.transposed else len(header)
        first = self.first_line(span, 0)
        for number, row in enumerate(cells):
            if len(row) != width:
                limit = f"{width} columns are needed, {len(row)} were found"
                place = f"{self.name}, line {number + first()}"
                findings.problem("row", lines[number][:80], limit, place)
        if self.transposed and len(cells) != len(header):
            findings.problem("file", len(cells), f"{len(header)} lines are needed", self.name)
        if any(len(row) != width for row in cells) or (self.transposed and width == 0):
            return None
        by_column = cells if self.transposed else list(zip(*cells, strict=True))
        columns = {
            name: pa.array(column, pa.string())
            for name, column in zip(header, by_column, strict=False)
        }
        return Table(self.name, columns, len(by_column[0]), *self.origin(span))

    def _note_blanks(self, lines: list[str], findings: Findings) -> None:
        blanks = sum(line != line.strip() for line in lines)
        if blanks and self.spec.mends.blanks is None:
            limit = "lines with blanks at their ends"
            findings.problem("blanks", blanks, limit, self.name, "mends: {blanks: {}}")
        findings.mend("blanks", self.name, blanks)
