"""Raw files + recipe → a contribution and the figures of how it was made; nothing is dropped in silence."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np

from forgia_hpc.data.ingest.cast import cast_column, number_pattern
from forgia_hpc.data.ingest.clock import read_times
from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.generate import generate
from forgia_hpc.data.ingest.labels import read_marks
from forgia_hpc.data.ingest.recipe import Recipe, TableFile, TableSpec
from forgia_hpc.data.ingest.report import IngestReport, marks_of, split_figures
from forgia_hpc.data.ingest.split import split_tracks
from forgia_hpc.data.ingest.table import Table, check_files, read_table
from forgia_hpc.data.ingest.track import Rows, Track, make_track
from forgia_hpc.data.layout import Contribution, Segment

FORMAT = "forgia.provenance/1"
Progress = Callable[[str, int, int], None]  # what is done, how many, of how many


def ingest(
    recipe: Recipe, raw: Path | None, progress: Progress | None = None
) -> tuple[Contribution, IngestReport]:
    """Return the contribution of the raw files `raw/<name>/…` and its figures.

    Raises:
        InputError: a missing or other file, or rows and cells that neither the recipe nor a mend covers.
    """
    started = time.perf_counter()
    with _raw_files(recipe, raw) as folder:
        findings = Findings()
        digests = check_files(recipe, Path(folder), findings)
        findings.refuse()
        tracks, cells = _tracks(recipe, Path(folder), findings, progress)
        marks = read_marks(recipe.labels, tracks, Path(folder), findings)
    segments = split_tracks(tracks, recipe.split, findings)
    _check_limits(recipe, findings)
    findings.refuse()
    report = _report(recipe, tracks, segments, cells, findings, len(marks), started)
    contribution = Contribution(
        name=recipe.name,
        contributor=recipe.contributor,
        segments=segments,
        marks=marks,
        season_steps=dict(recipe.season_steps),
        provenance={
            "format": FORMAT,
            "licence": recipe.licence,
            "source": recipe.source,
            "files": digests,
            "recipe_sha256": recipe.sha256,
            "left_out": {t.group: dict(t.left_out) for t in recipe.tables if t.left_out},
            "notes": list(recipe.notes),
            "marks": marks_of(marks),
            "report": report.as_dict(),
        },
    )
    return contribution, report


def _raw_files(recipe: Recipe, raw: Path | None) -> AbstractContextManager[str]:
    """Return the directory of the raw files; a generator's are made in a temporary one."""
    if recipe.generator is None:
        return nullcontext(str((raw or Path()) / recipe.name))
    folder = tempfile.TemporaryDirectory(prefix="forgia-")
    generate(recipe.generator, Path(folder.name))
    return folder


def _tracks(
    recipe: Recipe, folder: Path, findings: Findings, progress: Progress | None
) -> tuple[dict[str, Track], tuple[int, int]]:
    """Return the track of each machine, and the counts of rows and cells read."""
    parts: dict[str, tuple[TableSpec, list[Rows]]] = {}
    files = [(spec, file) for spec in recipe.tables for file in spec.files]
    rows = cells = 0
    for number, (spec, file) in enumerate(files, 1):
        for part in _read(spec, file, folder, findings):
            owner, mine = parts.setdefault(part.asset, (spec, []))
            if owner is not spec:
                limit = "a machine has one group: marks count its steps"
                findings.problem(f"asset {part.asset}", spec.group, limit, file.path)
            mine.append(part)
            rows, cells = rows + len(part.numbers), cells + part.values.size
        if progress is not None:
            progress(file.path, number, len(files))
    findings.refuse()
    tracks = {
        name: track
        for name, (spec, mine) in sorted(parts.items())
        if (track := make_track(mine, spec, spec.channels(), findings)) is not None
    }
    findings.refuse()
    return tracks, (rows, cells)


def _read(spec: TableSpec, file: TableFile, folder: Path, findings: Findings) -> list[Rows]:
    """Return the rows of one file, machine by machine."""
    before = findings.total
    table = read_table(spec, file, folder / file.path, findings)
    if table is None:
        return []
    times = read_times(table, spec, findings)
    values = np.stack(
        [
            cast_column(
                table,
                column.column,
                channel,
                number_pattern(spec.notation, spec.decimals(column)),
                spec.mends,
                findings,
            )
            for column, channel in zip(spec.columns, spec.channels(), strict=True)
        ]
    )
    assets = _assets(spec, file, table)
    if times is None or findings.total > before:
        return []
    if table.rows == 0:
        findings.problem("rows", 0, "a file with rows is needed", file.path)
    return [
        Rows(name, table, numbers, times[numbers], values[:, numbers])
        for name, numbers in assets.items()
    ]


def _assets(
    spec: TableSpec, file: TableFile, table: Table
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return the rows of each machine."""
    if spec.assets is None:
        return {file.asset: np.arange(table.rows, dtype=np.int64)}
    form = spec.assets.by_file.get(file.path, spec.assets.format)
    cells = np.asarray(table.columns[spec.assets.column].to_pylist(), dtype=object)
    names, codes = np.unique(cells.astype(str), return_inverse=True)
    return {form.format(str(name)): np.flatnonzero(codes == n) for n, name in enumerate(names)}


def _check_limits(recipe: Recipe, findings: Findings) -> None:
    """Refuse mends that were made more often than the recipe allows."""
    for spec in recipe.tables:
        files = [file.path for file in spec.files]
        for rule in vars(spec.mends):
            findings.check_limit(rule, files, getattr(spec.mends, rule))


def _report(
    recipe: Recipe,
    tracks: dict[str, Track],
    segments: tuple[Segment, ...],
    cells: tuple[int, int],
    findings: Findings,
    marks: int,
    started: float,
) -> IngestReport:
    """Return the figures, after checking that they add up."""
    rows, values = cells
    left_out = findings.count("repeated_times") + findings.count("repeated_rows")
    filled = sum(track.filled for track in tracks.values())
    splits = split_figures(segments)
    report = IngestReport(
        name=recipe.name,
        rows_in=rows,
        rows_left_out=left_out,
        rows_out=sum(track.rows for track in tracks.values()),
        steps_filled=filled,
        steps_between=sum(track.between for track in tracks.values()),
        values_in=values,
        values_out=sum(figures.values for figures in splits.values()),
        gaps_made=findings.count("text_to_gap") + findings.count("out_of_range_to_gap"),
        channels=sum(len(spec.columns) for spec in recipe.tables),
        machines=len(tracks),
        marks=marks,
        mends=tuple(findings.mends),
        splits=splits,
        seconds=time.perf_counter() - started,
    )
    _check_balance(report, tracks)
    return report


def _check_balance(report: IngestReport, tracks: dict[str, Track]) -> None:
    """Raise if a row or a value went missing on the way: that is a defect of ours, not of the input."""
    steps = sum(figures.steps for figures in report.splits.values())
    finite = sum(track.finite for track in tracks.values())
    if report.rows_in != report.rows_out + report.rows_left_out:
        raise AssertionError(f"{report.name}: rows in != rows out + left out: {report}")
    if steps != report.rows_out + report.steps_filled or finite != report.values_out:
        raise AssertionError(f"{report.name}: steps or values went missing: {report}")
