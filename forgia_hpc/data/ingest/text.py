"""Bytes of a raw text: encoding, byte-order mark, whole lines."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path

from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.recipe import TableSpec
from forgia_hpc.data.ingest.table import Span

BOM = b"\xef\xbb\xbf"
_CODECS = {"utf-8": "utf-8", "utf-8-bom": "utf-8", "ascii": "ascii", "latin-1": "latin-1"}
_LOOK = 1 << 16  # bytes that are looked through at once for the end of a line


class Text:
    """A raw text file that is read in stretches of whole lines."""

    def __init__(self, spec: TableSpec, name: str, path: Path) -> None:
        """Take the file; nothing is read yet."""
        self.spec, self.name, self.path = spec, name, path
        self.size = path.stat().st_size

    def spans(self, size: int) -> list[Span]:
        """Return stretches of about so many bytes that end where a line does."""
        cuts = [self.line_end(at) for at in range(size, self.size, size)]
        edges = sorted({0, *cuts, self.size})
        pairs = pairwise(edges)
        return [Span(begin, end) for begin, end in pairs] or [Span(0, 0)]

    def line_end(self, at: int) -> int:
        """Return where the line ends that holds the byte before `at`."""
        with self.path.open("rb") as file:
            file.seek(at - 1)
            begin = at - 1
            while block := file.read(_LOOK):
                end = block.find(b"\n")
                if end >= 0:
                    return begin + end + 1
                begin += len(block)
        return self.size

    def lines_before(self, at: int) -> int:
        """Return how many lines end before a byte."""
        count = 0
        with self.path.open("rb") as file:
            while at > 0 and (block := file.read(min(at, 1 << 22))):
                count += block.count(b"\n")
                at -= len(block)
        return count

    def bytes_of(self, span: Span, findings: Findings) -> bytes | None:
        """Return a stretch as UTF-8 without byte-order mark; a wrong encoding is noted with its line."""
        with self.path.open("rb") as file:
            file.seek(span.begin)
            data = file.read(span.end - span.begin)
        if len(data) != span.end - span.begin:
            findings.problem("file", len(data), "became shorter while it was read", self.name)
            return None
        if span.begin == 0 and not self._marked_as_said(data, findings):
            return None
        coded = self._decoded(data.removeprefix(BOM) if span.begin == 0 else data, span, findings)
        if coded is not None and span.end == self.size and not coded.endswith(b"\n"):
            line = self.lines_before(self.size) + 1
            tail = coded[-40:].decode(errors="replace")
            limit = "ends in the middle of a line: truncated?"
            findings.problem("file", tail, limit, f"{self.name}, line {line}")
            return None
        return coded

    def first_line(self, span: Span, skipped: int) -> partial[int]:
        """Return a function that tells the line of the first row of a stretch, from 1."""
        return partial(lambda: self.lines_before(span.begin) + skipped + 1)

    def _marked_as_said(self, data: bytes, findings: Findings) -> bool:
        marked = data.startswith(BOM)
        if marked == (self.spec.encoding == "utf-8-bom"):
            return True
        got = "a byte-order mark" if marked else "no byte-order mark"
        findings.problem("encoding", got, f"the recipe says {self.spec.encoding}", self.name)
        return False

    def _decoded(self, data: bytes, span: Span, findings: Findings) -> bytes | None:
        if data.isascii():
            return data
        encoding = self.spec.encoding
        try:
            text = data.decode(_CODECS[encoding])
        except UnicodeDecodeError as error:
            line = self.lines_before(span.begin) + data.count(b"\n", 0, error.start) + 1
            got = f"byte 0x{data[error.start : error.start + 1].hex()}"
            findings.problem("encoding", got, f"not {encoding}", f"{self.name}, line {line}")
            return None
        return data if encoding != "latin-1" else text.encode()
