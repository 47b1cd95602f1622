"""Parquet and Arrow IPC → columns as they are typed, row groups at a time."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.recipe import TableFile, TableSpec
from forgia_hpc.data.ingest.table import Span, Table, check_header


class _Grouped:
    """A file of row groups (Arrow: record batches)."""

    def __init__(self, spec: TableSpec, file: TableFile, path: Path) -> None:
        """Take the file; nothing is read yet."""
        self.spec, self.name, self.path = spec, file.path, path

    def spans(self, size: int) -> list[Span]:
        """Return stretches of row groups of about so many bytes of the file."""
        try:
            sizes = self._sizes()
        except (OSError, pa.ArrowInvalid):
            return [Span(0, 0)]  # `read` tells why
        edges, filled = [0], 0
        for number, one in enumerate(sizes):
            if filled and filled + one > size:
                edges.append(number)
                filled = 0
            filled += one
        edges.append(len(sizes))
        return [Span(begin, end) for begin, end in pairwise(edges)]

    def read_plain(self, span: Span) -> Table | None:
        """Return nothing: there is no faster way."""

    def origin(self, span: Span) -> tuple[int, str]:
        """Return the number of the first row of a stretch, from 1."""
        return 1 + sum(self._rows(number) for number in range(span.begin)), "row"

    def read(self, span: Span, findings: Findings) -> Table | None:
        """Return the columns of some row groups."""
        try:
            if not check_header(self._names(), self.spec, self.name, findings):
                return None
            table = self._read(range(span.begin, span.end))
        except (OSError, pa.ArrowInvalid) as error:
            reason = " ".join(str(error).split())[:160]
            findings.problem("file", reason, f"a readable {self.spec.parser} file", self.name)
            return None
        columns = {name: _plain(table.column(name)) for name in table.column_names}
        return Table(self.name, columns, table.num_rows, *self.origin(span))

    def _sizes(self) -> list[int]:
        raise NotImplementedError

    def _rows(self, number: int) -> int:
        raise NotImplementedError

    def _names(self) -> list[str]:
        raise NotImplementedError

    def _read(self, numbers: range) -> pa.Table:
        raise NotImplementedError


class ParquetFile(_Grouped):
    """A Parquet file."""

    @cached_property
    def _file(self) -> Any:
        return pa.parquet.ParquetFile(self.path)

    def _sizes(self) -> list[int]:
        facts = self._file.metadata
        return [facts.row_group(number).total_byte_size for number in range(facts.num_row_groups)]

    def _rows(self, number: int) -> int:
        return int(self._file.metadata.row_group(number).num_rows)

    def _names(self) -> list[str]:
        return list(self._file.schema_arrow.names)

    def _read(self, numbers: range) -> pa.Table:
        return self._file.read_row_groups(list(numbers), use_threads=False)


class ArrowFile(_Grouped):
    """An Arrow IPC file (Feather 2)."""

    @cached_property
    def _file(self) -> Any:
        return pa.ipc.open_file(pa.memory_map(str(self.path)))

    def _sizes(self) -> list[int]:
        return [
            self._file.get_batch(number).nbytes for number in range(self._file.num_record_batches)
        ]

    def _rows(self, number: int) -> int:
        return int(self._file.get_batch(number).num_rows)

    def _names(self) -> list[str]:
        return list(self._file.schema.names)

    def _read(self, numbers: range) -> pa.Table:
        batches = [self._file.get_batch(number) for number in numbers]
        return pa.Table.from_batches(batches, self._file.schema)


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """Return one array; a dictionary of texts as texts."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_large_string(column.type):
        column = column.cast(pa.string())
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
