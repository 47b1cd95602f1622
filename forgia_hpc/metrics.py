"""metrics.jsonl: one object a line, appended by rank 0, read by whoever draws."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

TAIL_BYTES = 8192  # a row is some hundred bytes


class MetricsFile:
    """Append-only; a line is written in one call, and a reader skips a torn last one."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending; a line torn by a kill is ended, so that it takes no other along."""
        torn = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
        self._file: TextIO = path.open("a", encoding="utf-8", buffering=1)
        if torn:
            self._file.write("\n")

    def __enter__(self) -> MetricsFile:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()

    def append(self, step: int, **values: float | str | None) -> None:
        """Append the values of one step; a value that is no finite number is written as null, never as NaN."""
        clean = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }
        self._file.write(json.dumps({"step": step, **clean}) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return every whole line; steps that were computed twice (after a resume) appear once, the later one wins.

    Raises:
        ValueError: a whole line that is no row of ours.
    """
    if not path.exists():
        return []
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if row := parsed(line):
            rows[str(row.get("phase", "train")), row["step"]] = row
    return list(rows.values())


def last_row(path: Path, phase: str = "") -> dict[str, Any] | None:
    """Return the last whole row (of a phase, if asked) without reading the rows before; None where there is none.

    Raises:
        ValueError: a whole line that is no row of ours.
    """
    try:
        with path.open("rb") as opened:
            start = max(0, opened.seek(0, os.SEEK_END) - TAIL_BYTES)
            opened.seek(start)
            lines = opened.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    whole = lines[1:] if start else lines  # the first may have lost its beginning
    rows = (row for line in reversed(whole) if (row := parsed(line)))
    return next((row for row in rows if phase in ("", row.get("phase"))), None)


def parsed(line: str) -> dict[str, Any] | None:
    """Return the row of a line; None for one torn by a kill, whose step is computed again after the resume.

    Raises:
        ValueError: whole, but no row of ours.
    """
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return None
    if not isinstance(row, dict) or not isinstance(row.get("step"), int):
        raise ValueError(f"a line is no row of metrics: {line[:80]}")  # noqa: TRY004 - the file's value
    return row
