"""Room: what a run holds, what of it may go, and when the site itself will delete it.

The newest checkpoint that verifies never goes, whatever the state of its run.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.standing import State, Status
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.runtime.checkpoint import problems_of, steps_in
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.site import Area

DAY_S = 86_400
UNFINISHED = frozenset({State.stopped, State.timeout, State.failed, State.vanished})


@dataclass(frozen=True)
class Room:
    """What files take: bytes on disk, and inodes, of which a parallel file system has few."""

    size: int
    inodes: int

    def __add__(self, other: Room) -> Room:
        """Return both together."""
        return Room(self.size + other.size, self.inodes + other.inodes)


NOTHING = Room(0, 0)


@dataclass(frozen=True, kw_only=True)
class Holding:
    """One run: what it takes, what may go, and when the site deletes its first file."""

    status: Status
    room: Room
    oldest_ns: int  # modification time of its oldest file
    spare: tuple[Path, ...] = ()  # may go
    freed: Room = NOTHING
    kept_step: int | None = None  # the newest whole checkpoint, which stays
    note: str = ""

    def purged_on(self, area: Area | None) -> str | None:
        """Return the day on which the site deletes the run's oldest file, or None where it deletes nothing."""
        if area is None or area.purge_days is None:
            return None
        return time.strftime(
            "%Y-%m-%d", time.localtime(self.oldest_ns / 1e9 + area.purge_days * DAY_S)
        )


def room_of(path: Path) -> tuple[Room, int]:
    """Return what a file or a tree takes, and the modification time of its oldest file in ns."""
    entries = [path, *_walk(path)] if path.is_dir() and not path.is_symlink() else [path]
    size, inodes, oldest = 0, 0, time.time_ns()
    for entry in entries:
        try:
            facts = entry.lstat()
        except FileNotFoundError:
            continue  # gone meanwhile: a job cleans up after itself
        size, inodes = size + facts.st_blocks * 512, inodes + 1
        if not entry.is_dir():
            oldest = min(oldest, facts.st_mtime_ns)
    return Room(size, inodes), oldest


def _walk(path: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(path):
        yield from (Path(folder) / name for name in (*folders, *names))


def holdings(found: Sequence[Status]) -> Iterator[Holding]:
    """Yield what each run holds; only of an ended run anything is spare. Hashes checkpoints: takes time."""
    for status in found:
        room, oldest = room_of(status.run.path)
        spare, kept, note = _spare(status)
        freed = sum((room_of(path)[0] for path in spare), NOTHING)
        yield Holding(
            status=status,
            room=room,
            oldest_ns=oldest,
            spare=tuple(spare),
            freed=freed,
            kept_step=kept,
            note=note,
        )


def _spare(status: Status) -> tuple[list[Path], int | None, str]:
    """Return what may go, the step that stays, and why nothing goes."""
    if not status.ended:
        return [], None, f"its state is {status.state.value}"
    spare: list[Path] = []
    kept, notes = None, []
    for run in (status.run, *_points(status.run)):
        own, step, note = _old_checkpoints(run)
        spare += [*_leftovers(run), *own]
        kept = step if step is not None else kept
        notes += [note] if note else []
    return spare, kept, "; ".join(notes)


def _points(run: RunDir) -> list[RunDir]:
    """Return the directories of a sweep's points."""
    folder = run.path / "points"
    return (
        [RunDir(path) for path in sorted(folder.iterdir()) if path.is_dir()]
        if folder.is_dir()
        else []
    )


def _old_checkpoints(run: RunDir) -> tuple[list[Path], int | None, str]:
    """Return all checkpoints but the newest that verifies; where none does, nothing goes."""
    steps = steps_in(run.checkpoints)
    for step in steps:
        if not problems_of(run.checkpoints / str(step)):
            others = [run.checkpoints / str(other) for other in steps if other != step]
            return others, step, ""
    note = f"none of its {len(steps)} checkpoints verifies: all stay" if steps else ""
    return [], None, note


def _leftovers(run: RunDir) -> list[Path]:
    """Return what was begun and never finished; such names begin with a dot."""
    folders = (run.path, run.checkpoints, run.output, run.path / "events")
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.name.startswith(".") and path.name.endswith((".part", ".old"))
    ]


def drop(paths: Iterable[Path]) -> None:
    """Delete files and trees; a tree is renamed first, so that half of it never looks whole."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            aside = path.rename(path.with_name(f".{path.name.lstrip('.')}.old"))
            shutil.rmtree(aside)
        else:
            path.unlink(missing_ok=True)


def refusals(found: Sequence[Status], others: Sequence[RunDir], *, force: bool) -> list[Problem]:
    """Return why runs can't be removed: they live, can go on, or another run was made from them."""
    living = [
        Problem(
            field="RUN",
            got=one.run.name,
            limit=f"it is {one.state.value}",
            fix=f"forgia cancel {one.run.name}, or wait",
        )
        for one in found
        if not one.ended and one.state is not State.sealed
    ]
    if force:
        return living
    leaving = {one.run.path for one in found}
    users = {path: run for run in others if run.path not in leaving for path in _made_from(run)}
    return [*living, *(problem for one in found if (problem := _missed(one, users)))]


def _missed(one: Status, users: dict[Path, RunDir]) -> Problem | None:
    limit = None
    if one.state in UNFINISHED and (steps := steps_in(one.run.checkpoints)):
        limit = f"it is {one.state.value} and can go on from step {steps[0]}"
    elif user := users.get(one.run.path):
        limit = f"{user.name} was made from it"
    if limit is None:
        return None
    return Problem(
        field="RUN", got=one.run.name, limit=limit, fix="--force removes it all the same"
    )


def _made_from(run: RunDir) -> list[Path]:
    """Return the runs whose model this run judged."""
    path = run.inputs / "model.json"
    try:
        return [Path(read_json(path)["directory"]).parent.parent] if path.exists() else []
    except (InputError, LookupError, TypeError):
        return []  # a broken run: it holds nobody


def area_of(path: Path, cluster: Cluster) -> Area | None:
    """Return the storage area of the profile in which a path lies: the deepest that fits."""
    here = path.resolve()
    known = [
        (Path(place), area)
        for area in cluster.storage
        if area.path and "$" not in (place := os.path.expandvars(area.path)) and "<" not in place
    ]
    inside = [(place, area) for place, area in known if here.is_relative_to(place)]
    return max(inside, key=lambda one: len(one[0].parts))[1] if inside else None
