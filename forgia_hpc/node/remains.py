"""What is left of a dead group: its files, a word beside the journal, and a pause before the next start."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forgia_hpc.errors import ExitCode, refused_by_system
from forgia_hpc.node.steps import STRAYS_S, end_steps, name_of
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.simulate.admission.told import has_failed
from forgia_hpc.simulate.command.tree import end_marked
from forgia_hpc.simulate.journal import Line, campaign_of
from forgia_hpc.simulate.returns import keep_saved

LONGEST_PAUSE_S = 30.0
NO_ROOM = 2**20  # bytes; a file system with less takes no last word


@contextmanager
def disk_named() -> Iterator[None]:
    """Name a disk that is full, and nothing else.

    Raises:
        InputError: it is.
    """
    try:
        yield
    except OSError as error:
        if (refused := refused_by_system(error)) is not None:
            raise refused from error
        raise


def end_earlier(run: RunDir) -> None:
    """End what is left of an attempt whose batch step was killed: here, and as steps of this job."""
    end_marked({"FORGIA_CAMPAIGN": str(run.path)}, STRAYS_S)
    if run.count("campaign_started"):
        end_steps([name_of(str(run.path))], STRAYS_S)


class Pauses:
    """How long to wait before a group is started again: longer from one fruitless start to the next."""

    def __init__(self) -> None:
        """Begin without any."""
        self._fruitless: dict[int, int] = {}
        self._until: dict[int, float] = {}

    def after(self, group: int, *, fruitful: bool) -> int:
        """Note the end of a start; return how many in a row came to no member."""
        count = 0 if fruitful else self._fruitless.get(group, 0) + 1
        self._fruitless[group] = count
        pause = min(LONGEST_PAUSE_S, 0.25 * 2**count) if count > 1 else 0.0
        self._until[group] = time.monotonic() + pause
        return count

    def until(self, group: int) -> float:
        """Return when a group may be started again, by time.monotonic()."""
        return self._until.get(group, 0.0)


def word_beside(run: RunDir, launch: str) -> dict[str, Any] | None:
    """Return what a rank said that could not journal: which member, what kind of end, why."""
    folder = campaign_of(run) / "words"
    path = next(iter(sorted(folder.glob(f"{launch}-*.json"))), None)
    return None if path is None else dict(read_json(path))


class Remains:
    """What the members leave that groups die with, and whether any of it is new."""

    def __init__(self, run: RunDir, ids: Sequence[str]) -> None:
        """Take the ids of all members."""
        self._run, self._ids = run, ids
        self._given: dict[str, str] = {}  # launch → the mark of what its member had saved before

    def begun(self, launch: str, line: Line) -> None:
        """Note what a member begins with."""
        self._given[launch] = line.get("given", "")

    def keep(self, launch: str, member: int) -> bool:
        """Keep what a member has left; return whether it has saved anything anew."""
        mark = keep_left(self._run, launch, self._ids[member])
        return bool(mark) and mark != self._given.get(launch)


def keep_left(run: RunDir, launch: str, member: str) -> str:
    """Keep what a member left in the directory of a group that died; return the mark of what it saved."""
    work = campaign_of(run) / "work" / launch
    mark = keep_saved(campaign_of(run), work, member)
    if not work.is_dir() or not any(work.iterdir()):
        return mark
    left = campaign_of(run) / "left" / member
    left.parent.mkdir(exist_ok=True)
    if not left.exists():
        work.rename(left)
    return mark


def refusal(run: RunDir, launch: str, code: int | None) -> str:
    """Return why a group refused to work; empty: it died, if with a code of ours (`STOP 2` in a solver's Fortran).

    Who refuses leaves a word. One without had no room for it, or was not ours to speak.
    """
    unfit = code == ExitCode.JOB_FAILED and has_failed(run, launch)
    if not unfit and code not in (ExitCode.INPUT, ExitCode.SEAL_BROKEN):
        return ""
    told = [one.facts for one in run.events("group_failed") if one.facts.get("launch") == launch]
    if told:
        return str(told[0]["error"])
    if _has_room(campaign_of(run)):
        return ""
    return f"the disk of {run.output} is full; make room, then forgia resume"


def _has_room(folder: Path) -> bool:
    """Whether a last word could be written: tried, for a quota does not show in what is free."""
    probe = folder / f".room-{secrets.token_hex(4)}"
    try:
        with probe.open("xb") as file:
            file.write(bytes(NO_ROOM))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True
