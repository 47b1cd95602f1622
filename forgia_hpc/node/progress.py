"""What an attempt began with, and whether it has saved anything that the next need not do again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from forgia_hpc.digest import digest_of
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import Event, RunDir, read_json
from forgia_hpc.schema.job import Kind


@dataclass(frozen=True, kw_only=True)
class Start:
    """What was true when an attempt began."""

    run: RunDir
    attempt: int  # by our own record, which outlives Slurm's counter
    restarts: int  # by Slurm's
    step: int  # of the newest checkpoint
    job: str | None  # as scontrol names it; None outside of Slurm
    mark: str | None = None  # of what a resumable program had saved


def progress(start: Start) -> bool | None:
    """Whether this attempt saved something new; None: only the program knows."""
    kind = read_json(start.run.job)["kind"]
    if kind == Kind.command.value:
        mark = mark_of(start.run)
        return None if None in (start.mark, mark) else mark != start.mark
    if kind == Kind.simulate.value:
        return any(event.facts["done"] or event.facts["kept"] for event in _campaigns(start))
    if kind == Kind.prepare.value:
        words = [event.what for event in start.run.events()]
        return "prepared" in words[last_place(words, "batch_started") :]
    return newest_step(start.run) > start.step


def _campaigns(start: Start) -> list[Event]:
    """Return how the turns of this attempt's campaign ended, and what its conclusion had sealed."""
    told = [*start.run.events("campaign_ended"), *start.run.events("conclusion_stopped")]
    return [event for event in told if event.facts["attempt"] == start.attempt]


def last_place(words: list[str], word: str) -> int:
    """Return where a word stands last, 0 where it does not."""
    return len(words) - 1 - words[::-1].index(word) if word in words else 0


def newest_step(run: RunDir) -> int:
    """Return the step of the newest committed checkpoint, 0 without one: renaming is the commit."""
    found = run.checkpoints.iterdir() if run.checkpoints.is_dir() else ()
    return max((int(path.name) for path in found if path.name.isdigit()), default=0)


def mark_of(run: RunDir) -> str | None:
    """Return a digest of names, sizes and times of what a resumable program saves; None for any other job.

    Contents are not read: a checkpoint may be as large as the memory of its job. None too where a link leads
    out of the run: what changes there need not be this program's.
    """
    top = _saved_to(run)
    if top is None or not _is_inside(top, run):
        return None
    found = sorted(top.rglob("*")) if top.is_dir() else [top] if top.exists() else []
    return digest_of([_look(path) for path in found if not path.is_dir()])


def check_progress(run: RunDir) -> None:
    """Refuse an attempt of a resumable program whose place lies outside of the run's output.

    Raises:
        InputError: it does, as it is written or through a link.
    """
    top = _saved_to(run)
    if top is not None and not _is_inside(top, run):
        limit = f"it leads out of {run.output}, to {top.resolve()}"
        raise InputError(Problem(field="command.progress", got=str(top), limit=limit))


def _saved_to(run: RunDir) -> Path | None:
    """Return where a resumable program saves; None for any other job."""
    command = yaml.safe_load(run.config.read_text(encoding="utf-8")).get("command") or {}
    return run.output / command["progress"] if command.get("resumable") else None


def _is_inside(top: Path, run: RunDir) -> bool:
    return top.resolve().is_relative_to(run.output.resolve())


def _look(path: Path) -> list[str | int]:
    try:
        told = path.stat()
    except FileNotFoundError:
        return [str(path)]  # gone since it was listed
    return [str(path), told.st_size, told.st_mtime_ns]
