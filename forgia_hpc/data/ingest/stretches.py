"""Raw files, a stretch at a time: read by whichever rank is next, kept in memory or on disk until all are there.

Where the stretches begin hangs on the files alone, so that the same comes out of any number of ranks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.ingest.cast import cast_column
from forgia_hpc.data.ingest.clock import read_times
from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.recipe import Recipe, TableFile, TableSpec
from forgia_hpc.data.ingest.stack import Columns
from forgia_hpc.data.ingest.table import Span, Table, open_table

STRETCH_BYTES = 16 << 20


@dataclass(frozen=True)
class Stretch:
    """A stretch of one file of one table."""

    number: int
    spec: TableSpec
    file: TableFile
    path: Path
    span: Span
    share: float  # of its file


@dataclass(frozen=True)
class Cut:
    """What was read of a stretch. values: (channel, row); machine: which of `machines` each row is of."""

    table: Table  # for places: its columns are gone
    times: NDArray[np.int64]
    values: Columns
    machines: tuple[str, ...]
    machine: NDArray[np.int32] | None  # None: all rows are of the one machine
    findings: dict[str, Any]


def stretches(recipe: Recipe, folder: Path, size: int = STRETCH_BYTES) -> Iterator[Stretch]:
    """Yield the stretches of all files, in order."""
    number = 0
    for spec in recipe.tables:
        for file in spec.files:
            spans = open_table(spec, file, folder / file.path).spans(size)
            whole = max(spans[-1].end - spans[0].begin, 1)
            for span in spans:
                share = (span.end - span.begin) / whole
                yield Stretch(number, spec, file, folder / file.path, span, share)
                number += 1


def read(stretch: Stretch) -> Cut:
    """Read one stretch; what is wrong with it is in the findings."""
    try:
        return _read(stretch)
    except OSError as error:
        findings = Findings()
        reason, limit = error.strerror or str(error), "must be readable to its end"
        findings.problem("file", reason, limit, stretch.file.path, "copy the raw file again")
        return _nothing(stretch, findings)


def _nothing(stretch: Stretch, findings: Findings) -> Cut:
    empty = np.zeros((len(stretch.spec.columns), 0))
    return _cut(Table(stretch.file.path, {}, 0, 1), None, empty, ((), None), findings)


def _read(stretch: Stretch) -> Cut:
    reader = open_table(stretch.spec, stretch.file, stretch.path)
    found = reader.read_plain(stretch.span)
    if found is not None:
        cut = _interpreted(stretch, found, Findings())
        if not cut.findings["total"]:
            return cut
    findings = Findings()  # the slow way has the texts to tell of
    found = reader.read(stretch.span, findings)
    if found is None:
        return _nothing(stretch, findings)
    return _interpreted(stretch, found, findings)


def _interpreted(stretch: Stretch, found: Table, findings: Findings) -> Cut:
    """Return times, values and machines of what was read."""
    spec = stretch.spec
    times = read_times(found, spec, findings)
    values = np.empty((len(spec.columns), found.rows))
    for row, column, terms in zip(values, spec.columns, spec.terms(), strict=True):
        row[:] = cast_column(found, column.column, terms, spec, findings)
    machines = _machines(spec, stretch.file, found)
    place = Table(found.file, {}, found.rows, found.first_line, found.word)
    return _cut(place, times, values, machines, findings)


def _cut(
    place: Table,
    times: NDArray[np.int64] | None,
    values: NDArray[np.float64],
    machines: tuple[tuple[str, ...], NDArray[np.int32] | None],
    findings: Findings,
) -> Cut:
    known = np.zeros(place.rows, np.int64) if times is None else times
    return Cut(place, known, values, *machines, findings.plain())


def _machines(
    spec: TableSpec, file: TableFile, table: Table
) -> tuple[tuple[str, ...], NDArray[np.int32] | None]:
    """Return the machines of a stretch in the order of their cells, and which of them each row is of."""
    if spec.assets is None:
        return (file.asset,), None
    form = spec.assets.by_file.get(file.path, spec.assets.format)
    coded = table.columns[spec.assets.column].dictionary_encode()
    names = [form.format(str(cell)) for cell in coded.dictionary.to_pylist()]
    return tuple(names), np.asarray(coded.indices, np.int32)


def keep(cut: Cut, number: int, folder: Path) -> None:
    """Put what was read on disk; its JSON, which comes last, says that the rest is whole."""
    arrays = {"times": cut.times, "values": np.asarray(cut.values)}
    if cut.machine is not None:
        arrays["machine"] = cut.machine
    for name, array in arrays.items():
        with (folder / f"{number:06d}.{name}.npy").open("wb") as file:
            np.save(file, array)
            file.flush()
            os.fsync(file.fileno())
    facts = {"rows": cut.table.rows, "machines": cut.machines, "findings": cut.findings}
    part = folder / f"{number:06d}.part"
    part.write_text(json.dumps(facts), encoding="utf-8")
    part.rename(folder / f"{number:06d}.json")


def kept(number: int, folder: Path) -> bool:
    """Whether a stretch was read and put on disk before."""
    return (folder / f"{number:06d}.json").is_file()


def fetch(stretch: Stretch, folder: Path) -> Cut:
    """Return what was put on disk, mapped and not read."""
    stem = f"{stretch.number:06d}"
    facts = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
    machine = folder / f"{stem}.machine.npy"
    origin = open_table(stretch.spec, stretch.file, stretch.path).origin(stretch.span)
    return Cut(
        Table(stretch.file.path, {}, facts["rows"], *origin),
        np.load(folder / f"{stem}.times.npy", mmap_mode="r"),
        np.load(folder / f"{stem}.values.npy", mmap_mode="r"),
        tuple(facts["machines"]),
        np.load(machine) if machine.is_file() else None,
        facts["findings"],
    )
