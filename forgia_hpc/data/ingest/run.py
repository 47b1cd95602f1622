"""Raw files + recipe → a contribution and the figures of how it was made; nothing is dropped in silence."""

from __future__ import annotations

import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from forgia_hpc.data.ingest.expect import Flag, flags_of
from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.gather import Means, gather_tracks
from forgia_hpc.data.ingest.generate import generate
from forgia_hpc.data.ingest.labels import read_marks
from forgia_hpc.data.ingest.recipe import Recipe
from forgia_hpc.data.ingest.report import IngestReport, marks_of, split_figures
from forgia_hpc.data.ingest.split import assign_policies, split_tracks
from forgia_hpc.data.ingest.table import check_files
from forgia_hpc.data.ingest.track import Track
from forgia_hpc.data.layout import Contribution, Segment
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.runtime.place import Place
from forgia_hpc.runtime.world import Wire, World

FORMAT = "forgia.provenance/1"


def ingest(
    recipe: Recipe, raw: Path | None, means: Means | None = None
) -> tuple[Contribution, IngestReport]:
    """Return the contribution of the raw files `raw/<name>/…` and its figures; every rank gets the same.

    Raises:
        InputError: a missing or other file, or rows and cells that neither the recipe nor a mend covers.
    """
    started, means = time.perf_counter(), means or alone()
    with _raw_files(recipe, raw) as folder:
        findings = Findings()
        digests = check_files(recipe, Path(folder), means.world, findings)
        findings.refuse()
        tracks, cells = gather_tracks(recipe, Path(folder), means, findings)
        marks = read_marks(recipe.labels, tracks, Path(folder), findings)
    segments = split_tracks(tracks, recipe.split, findings)
    segments = assign_policies(segments, recipe.policies, findings)
    _check_limits(recipe, findings)
    findings.refuse()
    flags = flags_of(recipe.tables, segments)
    if flags and means.strict:
        raise InputError([_refused(flag) for flag in flags])
    report = _report(recipe, tracks, segments, cells, findings, len(marks), started)
    report = replace(report, flags=flags)
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


def alone() -> Means:
    """Return the means of one process that keeps everything in memory."""
    return Means(world=World(Place(rank=0, size=1), _no_wire))


def _no_wire() -> Wire:
    raise AssertionError("one rank has nobody to meet")


def _refused(flag: Flag) -> Problem:
    return Problem(
        field=f"column {flag.column!r}: {flag.what}",
        got=flag.got,
        limit=f"the recipe expects about {flag.expected:g}",
        fix="look for another unit, sign or column; where it is right, mend `expect`",
    )


def _raw_files(recipe: Recipe, raw: Path | None) -> AbstractContextManager[str]:
    """Return the directory of the raw files; a generator's are made in a temporary one."""
    if recipe.generator is None:
        return nullcontext(str((raw or Path()) / recipe.name))
    folder = tempfile.TemporaryDirectory(prefix="forgia-")
    generate(recipe.generator, Path(folder.name))
    return folder


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
