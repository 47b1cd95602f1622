"""What `forgia data fetch` and `stage` do with their words."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from forgia_hpc.cli.output import console
from forgia_hpc.data.fetch import fetch
from forgia_hpc.data.ingest.origins import fetch_raw, recipes_of
from forgia_hpc.errors import InputError, Problem

Progress = Callable[[str, int, int], None]


def fetch_names(
    names: tuple[str, ...], raw: Path | None, mirror: str, progress: Progress
) -> dict[str, str]:
    """Bring the raw files of datasets, and return what became of each.

    Raises:
        InputError: every file that could not be had, of all datasets.
    """
    into = raw or (Path(os.environ["FORGIA_RAW"]) if "FORGIA_RAW" in os.environ else None)
    if into is None:
        limit = "a folder for raw files is needed"
        raise InputError(
            Problem(field="--raw", got=None, limit=limit, fix="--raw DIR, or FORGIA_RAW")
        )
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for recipe in (each for name in names for each in recipes_of(name)):
        try:
            became = fetch_raw(recipe, into, mirror, progress)
        except InputError as error:
            problems += error.problems
        else:
            found |= {str(into / recipe.name / path): word for path, word in became.items()}
    if problems:
        raise InputError(problems)
    return found


def fetch_url(names: tuple[str, ...], sha256: str, to: Path, progress: Progress) -> dict[str, str]:
    """Bring one file by its URL.

    Raises:
        InputError: more than one, or no digest to check it by.
    """
    if len(names) > 1:
        raise InputError(Problem(field="URL", got=len(names), limit="one URL at a time"))
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        limit = "64 hexadecimal digits are needed, from the publisher"
        fix = "a download that nothing vouches for is kept by nobody"
        raise InputError(Problem(field="--sha256", got=sha256, limit=limit, fix=fix))
    return {str(to): "fetched" if fetch(names[0], to, sha256, progress) else "there already"}


@contextlib.contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Draw one bar a file, by bytes."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as drawn:
        known: dict[str, Any] = {}

        def told(what: str, done: int, total: int) -> None:
            task = known.setdefault(what, None) or drawn.add_task(what, total=None)
            known[what] = task
            drawn.update(task, completed=done, total=total or None)

        yield told
