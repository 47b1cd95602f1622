"""All stretches of a recipe → the series of each machine; ranks share the reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.recipe import Recipe, TableFile, TableSpec
from forgia_hpc.data.ingest.stack import Picked, Room
from forgia_hpc.data.ingest.stretches import (
    STRETCH_BYTES,
    Cut,
    Stretch,
    fetch,
    keep,
    kept,
    read,
    stretches,
)
from forgia_hpc.data.ingest.track import Rows, Track, make_track
from forgia_hpc.runtime.world import World

Progress = Callable[[str, int, int], None]  # what is done, how many, of how many


@dataclass(frozen=True, kw_only=True)
class Means:
    """Who reads, where what was read is kept (None: in memory), and who is told."""

    world: World
    folder: Path | None = None
    progress: Progress | None = None
    stretch_bytes: int = STRETCH_BYTES
    strict: bool = False  # what departs from the recipe's expectations is refused


def gather_tracks(
    recipe: Recipe, folder: Path, means: Means, findings: Findings
) -> tuple[dict[str, Track], tuple[int, int]]:
    """Return the track of each machine, and the counts of rows and cells read.

    Raises:
        InputError: what is wrong with rows and cells, of all stretches and ranks.
    """
    parts: dict[str, tuple[TableSpec, list[Rows]]] = {}
    rows = cells = 0
    for spec, file, cuts in _by_file(_read_all(recipe, folder, means, findings)):
        before = sum(cut.table.rows for cut in cuts)
        _check_rows(file, before, findings)
        rows, cells = rows + before, cells + before * len(spec.columns)
        for name, mine in _by_machine(spec, cuts).items():
            owner, known = parts.setdefault(name, (spec, []))
            if owner is not spec:
                limit = "a machine has one group: marks count its steps"
                findings.problem(f"asset {name}", spec.group, limit, file.path)
            known += mine
    findings.refuse()
    tracks = {
        name: track
        for name, (spec, mine) in sorted(parts.items())
        if (track := make_track(mine, spec, spec.channels(), findings)) is not None
    }
    findings.refuse()
    return tracks, (rows, cells)


def _read_all(
    recipe: Recipe, folder: Path, means: Means, findings: Findings
) -> list[tuple[Stretch, Cut]]:
    """Return every stretch with what was read of it, after all ranks have read theirs."""
    every, world = list(stretches(recipe, folder, means.stretch_bytes)), means.world
    held: dict[int, Cut] = {}
    rooms: dict[str, Room] = {}
    for count, stretch in enumerate(every[world.rank :: world.size], 1):
        held |= _read_one(stretch, means.folder, rooms)
        if means.progress is not None:
            means.progress(stretch.file.path, min(count * world.size, len(every)), len(every))
    world.barrier()
    if means.folder is not None:
        held = {stretch.number: fetch(stretch, means.folder) for stretch in every}
    for stretch in every:
        findings.add(held[stretch.number].findings)
    findings.refuse()
    return [(stretch, held[stretch.number]) for stretch in every]


def _read_one(stretch: Stretch, folder: Path | None, rooms: dict[str, Room]) -> dict[int, Cut]:
    """Read a stretch, or leave it where it is kept already; return what memory has to hold."""
    if folder is None:
        cut = read(stretch)
        room = rooms.setdefault(stretch.file.path, Room(stretch.share, cut.values.shape))
        return {stretch.number: replace(cut, values=room.take(np.asarray(cut.values)))}
    if not kept(stretch.number, folder):
        keep(read(stretch), stretch.number, folder)
    return {}


def _by_file(read: list[tuple[Stretch, Cut]]) -> Iterator[tuple[TableSpec, TableFile, list[Cut]]]:
    """Yield table, file and what was read of it, in order."""
    files: dict[tuple[int, int], tuple[TableSpec, TableFile, list[Cut]]] = {}
    for stretch, cut in read:
        key = (id(stretch.spec), id(stretch.file))
        files.setdefault(key, (stretch.spec, stretch.file, []))[2].append(cut)
    yield from files.values()


def _by_machine(spec: TableSpec, cuts: list[Cut]) -> dict[str, list[Rows]]:
    """Return each machine's rows of one file, stretch by stretch."""
    found: dict[str, list[Rows]] = {}
    first = 0
    for cut in cuts:
        # without a clock the number of a row is its time
        times = cut.times + (first if spec.clock.column is None else 0)
        first += cut.table.rows
        if cut.machine is None:
            numbers = np.arange(cut.table.rows, dtype=np.int64)
            rows = Rows(cut.machines[0], cut.table, numbers, times, cut.values)
            found.setdefault(cut.machines[0], []).append(rows)
            continue
        for number, name in enumerate(cut.machines):
            numbers = np.flatnonzero(cut.machine == number)
            rows = Rows(name, cut.table, numbers, times[numbers], Picked(cut.values, numbers))
            found.setdefault(name, []).append(rows)
    return found


def _check_rows(file: TableFile, rows: int, findings: Findings) -> None:
    if rows == 0:
        findings.problem("rows", 0, "a file with rows is needed", file.path)
    elif file.rows is not None and rows != file.rows:
        findings.problem("rows", rows, f"{file.rows} time steps are expected", file.path)
