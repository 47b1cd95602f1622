"""Labels → marks: anomaly windows, faults from a step on, ends of runs, remaining useful life."""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.track import Track
from forgia_hpc.data.ingest.wanted import LabelSpec
from forgia_hpc.data.layout import Mark

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
Tracks = dict[str, Track]


def read_marks(
    labels: tuple[LabelSpec, ...], tracks: Tracks, folder: Path, findings: Findings
) -> tuple[Mark, ...]:
    """Return the marks of every label of a recipe."""
    marks: list[Mark] = []
    for label in labels:
        chosen = {name: tracks[name] for name in matching(label.assets, tracks)}
        if label.assets and not chosen:
            got = ", ".join(label.assets)
            findings.problem("labels.assets", got, f"no such machine; there are {_some(tracks)}")
            continue
        marks += _KINDS[label.kind](label, chosen or tracks, folder, findings)
    return tuple(marks)


def matching(patterns: tuple[str, ...], names: Tracks) -> list[str]:
    """Return the names that fit one of the patterns, in their own order."""
    return [name for name in names if any(fnmatch(name, pattern) for pattern in patterns)]


def _windows(label: LabelSpec, tracks: Tracks, folder: Path, findings: Findings) -> Iterator[Mark]:
    """Yield marks of a JSON file that holds a list of [start, end] under a key."""
    try:
        pairs = json.loads((folder / label.file).read_text(encoding="utf-8"))[label.key]
        stretches = [(str(start), str(end)) for start, end in pairs]
    except (ValueError, KeyError, TypeError) as error:
        findings.problem("labels", repr(error), f"{label.key}: [[start, end], …]", label.file)
        return
    for name, track in tracks.items():
        for number, (start, end) in enumerate(stretches):
            place = f"{label.file}, {label.key}[{number}]"
            yield from _stretch_of_time(
                name, track, (label.code, start, end), label, place, findings
            )


def _table(label: LabelSpec, tracks: Tracks, folder: Path, findings: Findings) -> Iterator[Mark]:
    """Yield marks of a CSV file with the columns asset, code, start, end."""
    with (folder / label.file).open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows or rows[0] != ["asset", "code", "start", "end"]:
        findings.problem("labels", rows[:1], "the columns are asset, code, start, end", label.file)
        return
    for number, row in enumerate(rows[1:], 2):
        place = f"{label.file}, line {number}"
        if len(row) != 4 or row[0] not in tracks:
            limit = "a machine, a code, start and end are needed"
            findings.problem("labels", row, limit, place, f"machines: {_some(tracks)}")
            continue
        name, code, start, end = row
        yield from _stretch_of_time(name, tracks[name], (code, start, end), label, place, findings)


def _stretch(label: LabelSpec, tracks: Tracks, _folder: Path, findings: Findings) -> Iterator[Mark]:
    """Yield one mark a machine, from a step to its last."""
    for name, track in tracks.items():
        if label.first >= track.steps:
            limit = f"the run of {name} has {track.steps} steps"
            findings.problem("labels.first", label.first, limit)
            continue
        yield _mark(name, label.code, label.first, track.steps - 1, label.value)


def _end_of_run(
    label: LabelSpec, tracks: Tracks, _folder: Path, _findings: Findings
) -> Iterator[Mark]:
    """Yield one mark a machine, at its last step."""
    for name, track in tracks.items():
        yield _mark(name, label.code, track.steps - 1, track.steps - 1, label.value)


def _remaining(
    label: LabelSpec, tracks: Tracks, folder: Path, findings: Findings
) -> Iterator[Mark]:
    """Yield one mark a machine from a file of one number a line, in the order of the machines' names."""
    lines = (folder / label.file).read_text(encoding="ascii").splitlines()
    findings.mend("blanks", label.file, sum(line != line.strip() for line in lines))
    names = sorted(tracks)
    if len(lines) != len(names):
        findings.problem(
            "labels", f"{len(lines)} lines", f"one for each of {len(names)} machines", label.file
        )
        return
    for number, (name, line) in enumerate(zip(names, lines, strict=True), 1):
        if not line.strip().isdecimal():
            findings.problem("labels", line, "a whole number", f"{label.file}, line {number}")
            continue
        last = tracks[name].steps - 1
        yield _mark(name, label.code, last, last, float(line))


_KINDS: dict[str, Callable[[LabelSpec, Tracks, Path, Findings], Iterator[Mark]]] = {
    "windows": _windows,
    "table": _table,
    "stretch": _stretch,
    "end_of_run": _end_of_run,
    "remaining": _remaining,
}


def _stretch_of_time(
    name: str,
    track: Track,
    stretch: tuple[str, str, str],
    label: LabelSpec,
    place: str,
    findings: Findings,
) -> Iterator[Mark]:
    code, start, end = stretch
    if not track.spec.clock.format:
        findings.problem("labels", name, "times need a machine whose clock has stamps", place)
        return
    try:
        first, last = (track.step_at(_nanoseconds(text, label.format)) for text in (start, end))
    except ValueError:
        findings.problem("labels", (start, end), f"times of the form {label.format}", place)
        return
    if not 0 <= first <= last < track.steps:
        limit = f"inside the run of {name}, and in order"
        findings.problem("labels", (start, end), limit, place)
        return
    yield _mark(name, code, first, last)


def _nanoseconds(text: str, form: str) -> int:
    stamp = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC)
    return (stamp - _EPOCH) // datetime.timedelta(microseconds=1) * 1000


def _some(tracks: Tracks) -> str:
    names = list(tracks)
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")


def _mark(asset: str, code: str, first: int, last: int, value: float = 1.0) -> Mark:
    return Mark(asset=asset, code=code, first=first, last=last, value=value)
