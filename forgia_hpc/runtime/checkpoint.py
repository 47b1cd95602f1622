"""Checkpoints that are whole or not there.

Every rank writes, hashes and flushes its own files into `.<step>.part`; when all have, rank 0 adds
manifest.json and renames the directory to `<step>`. "Latest" is computed: the newest that verifies.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import ForgiaError, JobFailedError, SupersededError
from forgia_hpc.rundir import RunDir, read_json, sync_directory, write_json
from forgia_hpc.runtime.world import World
from forgia_hpc.runtime.writer import Writer

FORMAT = "forgia.checkpoint/1"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """One whole checkpoint."""

    directory: Path
    step: int
    world_size: int
    facts: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one run. Every method is collective."""

    def __init__(
        self, run: RunDir, world: World, keep: int, check_wanted: Callable[[], None] = lambda: None
    ) -> None:
        """Take a run; `keep` newest stay, and always the last whole one.

        `check_wanted` raises SupersededError where a later attempt has begun; rank 0 asks before anything changes.
        """
        self._run = run
        self._world = world
        self._keep = keep
        self._check_wanted = check_wanted
        self._folder = run.checkpoints

    def save(
        self, step: int, facts: Mapping[str, Any], write: Callable[[Writer], None]
    ) -> Checkpoint:
        """Write one checkpoint in two phases, then drop those that are too old.

        Args:
            step: optimizer steps done.
            facts: JSON that goes into the manifest.
            write: writes this rank's files through the writer.

        Raises:
            JobFailedError: on every rank, if any rank could not write; the older checkpoints stay.
            SupersededError: on every rank, if a later attempt has begun; nothing is committed or removed.
        """
        part = self._folder / f".{step}.part"
        self._on_root(step, lambda: self._clear_way(part))
        writer = Writer(part)
        write(writer)
        reports = self._world.gather_all({"files": writer.files, "error": _words(writer.error)})
        problems = {rank: said["error"] for rank, said in enumerate(reports) if said["error"]}
        if problems:
            self._abandon(step, part, problems)
        manifest = {
            "format": FORMAT,
            "step": step,
            "world_size": self._world.size,
            "facts": dict(facts),
            "files": {name: entry for said in reports for name, entry in said["files"].items()},
        }
        self._on_root(step, lambda: self._commit(part, step, manifest))
        return Checkpoint(self._folder / str(step), step, self._world.size, facts)

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that verifies; a broken one is passed over with an event that names it."""
        for step in self._world.broadcast(_steps(self._folder) if self._world.is_root else None):
            directory = self._folder / str(step)
            content = self._world.broadcast(_manifest(directory) if self._world.is_root else None)
            # Hashing is shared out: rank r reads every size-th file.
            mine = sorted(content.get("files", {}))[self._world.rank :: self._world.size]
            own = [problem for name in mine if (problem := _file_problem(directory, name, content))]
            found = [problem for said in self._world.gather_all(own) for problem in said]
            problems = content.get("problems", []) + found
            if not problems:
                return Checkpoint(directory, step, content["world_size"], content["facts"])
            if self._world.is_root:
                self._run.event("checkpoint_broken", step=step, problems=problems)
        return None

    def _on_root(self, step: int, work: Callable[[], None]) -> None:
        """Let rank 0 work, and fail on every rank if it could not, or is not wanted any more."""
        problem, late = None, None
        if self._world.is_root:
            try:
                self._check_wanted()
                work()
            except SupersededError as error:
                late = str(error)
            except OSError as error:
                problem = _words(error)
        problem, late = self._world.broadcast([problem, late])
        if late:  # what lies there now may be the later attempt's
            raise SupersededError(f"{late}; checkpoint {step} was not saved")
        if problem:
            self._abandon(step, self._folder / f".{step}.part", {0: problem})

    def _clear_way(self, part: Path) -> None:
        self._folder.mkdir(exist_ok=True)
        for leftover in self._folder.glob(".*"):
            shutil.rmtree(leftover)
        part.mkdir()

    def _commit(self, part: Path, step: int, manifest: dict[str, Any]) -> None:
        write_json(part / MANIFEST, manifest)
        for folder, _, _ in os.walk(part):
            sync_directory(Path(folder))
        self._check_wanted()  # flushing may have taken minutes
        final = self._folder / str(step)
        if final.exists():  # a broken one of the same step, computed again
            final.rename(self._folder / f".{step}.old")
        part.rename(final)
        sync_directory(self._folder)
        for old in _steps(self._folder)[self._keep :]:
            if old < step:
                # Renamed first: a half-deleted checkpoint must not look like a broken one.
                aside = (self._folder / str(old)).rename(self._folder / f".{old}.old")
                shutil.rmtree(aside)

    def _abandon(self, step: int, part: Path, problems: Mapping[int, str]) -> None:
        """Remove what was begun and fail, on every rank."""
        whole = self._world.broadcast(_steps(self._folder) if self._world.is_root else None)
        if self._world.is_root:
            shutil.rmtree(part, ignore_errors=True)
        rank, words = next(iter(problems.items()))
        more = f" (and {len(problems) - 1} other ranks)" if len(problems) > 1 else ""
        before = f"checkpoint {whole[0]} is the newest" if whole else "there is no older one"
        raise JobFailedError(
            f"checkpoint {step} could not be written: rank {rank}{more}: {words}; {before}"
        )


def _steps(folder: Path) -> list[int]:
    """Return the steps of the committed checkpoints, newest first."""
    if not folder.exists():
        return []
    return sorted(
        (int(path.name) for path in folder.iterdir() if path.name.isdigit()), reverse=True
    )


def problems_of(directory: Path) -> list[str]:
    """Return what is wrong with a checkpoint, every file hashed; nothing: it is whole. Not collective."""
    content = _manifest(directory)
    names = sorted(content.get("files", {}))
    found = [problem for name in names if (problem := _file_problem(directory, name, content))]
    return [*content["problems"], *found]


def steps_in(folder: Path) -> list[int]:
    """Return the steps of the committed checkpoints, newest first; none of them is verified."""
    return _steps(folder)


def _words(error: OSError | None) -> str | None:
    return f"{error.strerror or error} ({error.filename or 'in a write'})" if error else None


def _manifest(directory: Path) -> dict[str, Any]:
    """Return the manifest, with the problems that rank 0 sees from the directory alone."""
    try:
        content: dict[str, Any] = read_json(directory / MANIFEST)
    except ForgiaError as error:
        return {"problems": [str(error)]}
    if content.get("format") != FORMAT:
        return {"problems": [f"format {content.get('format')!r} is not {FORMAT}"]}
    there = {
        str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()
    } - {MANIFEST}
    stray = sorted(there - set(content["files"]))
    folders = [directory, *(path for path in directory.rglob("*") if path.is_dir())]
    content["problems"] = [f"{name}: not in the manifest" for name in stray] + [
        problem for path in folders if (problem := _owner_problem(path))
    ]
    return content


def _file_problem(directory: Path, name: str, content: Mapping[str, Any]) -> str | None:
    path, expected = directory / name, content["files"][name]
    try:
        if problem := _owner_problem(path):
            return problem
        size = path.stat().st_size
        if size != expected["bytes"]:
            return f"{name}: {size} bytes, {expected['bytes']} were written"
        if sha256_file(path) != expected["sha256"]:
            return f"{name}: content differs from what was written (SHA-256)"
    except OSError as error:
        return f"{name}: {error.strerror}"
    return None


def _owner_problem(path: Path) -> str | None:
    """Say why a file must not be loaded: DeepSpeed's files are pickles, and a pickle is a program."""
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        return f"{path.name}: a symbolic link"
    if facts.st_uid not in (os.geteuid(), 0):
        return f"{path.name}: belongs to user {facts.st_uid}, neither to us nor to root"
    if facts.st_mode & stat.S_IWOTH:
        return f"{path.name}: anyone may write to it"
    return None
