"""A dataset's directory appears whole: filled beside its place, flushed, renamed. One writer a name."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forgia_hpc.data.sharing import share
from forgia_hpc.data.writing.lock import held
from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import sync_directory
from forgia_hpc.runtime.world import World

ROWS = "rows"
KEPT = ("shards", ROWS)  # of a build that goes on: sealed shards, and what was read of raw files


@contextlib.contextmanager
def appearing(into: Path, *, overwrite: bool, key: str = "") -> Iterator[Path]:
    """Give a directory beside `into` that takes its place on a clean exit.

    key: a digest of all that goes in. A build with a key that was killed or failed leaves what it has done, and
    the next one with the same key goes on from there.

    Raises:
        InputError: it is there already, or another process is writing it.
    """
    if not into.parent.is_dir():
        into.parent.mkdir(parents=True, exist_ok=True)
        share(into.parent)
    if into.exists() and not overwrite:
        raise InputError(_there(into))
    with held(into.with_name(f".{into.name}.lock")):
        if into.exists() and not overwrite:
            raise InputError(_there(into))
        temporary = into.with_name(f".{into.name}.{key[:12] or secrets.token_hex(4)}.part")
        try:
            _begin(temporary)
            yield temporary
            _replace(temporary, into)
        except OSError as error:
            error.filename = error.filename or str(into)  # HDF5 and a failed write do not say where
            raise
        except InputError:
            key = ""  # what was refused is of no use to a build with another recipe
            raise
        finally:
            if not key:
                shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def appearing_together(
    into: Path, world: World, *, overwrite: bool, key: str = ""
) -> Iterator[Path]:
    """Give all ranks the directory that rank 0 makes appear, once all have left the block."""
    with contextlib.ExitStack() as stack:
        told: dict[str, Any] = {}
        if world.is_root:
            try:
                told["path"] = str(
                    stack.enter_context(appearing(into, overwrite=overwrite, key=key))
                )
            except InputError as error:
                told["problems"] = [problem.as_json() for problem in error.problems]
        told = world.broadcast(told)
        if "problems" in told:
            raise InputError([Problem(**problem) for problem in told["problems"]])
        try:
            yield Path(told["path"])
        except InputError:
            world.barrier()  # all refuse the same; rank 0 once cleared away what others were still reading
            raise
        world.barrier()
    world.barrier()  # nobody looks for it before it is there


def write_file(directory: Path, name: str, data: bytes) -> dict[str, Any]:
    """Write one file, flushed, and return the manifest's entry of it."""
    path = directory / name
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return {"path": name, "bytes": len(data), "sha256": sha256_file(path)}


def _begin(temporary: Path) -> None:
    """Make the directory, or leave of an earlier build what it has finished."""
    temporary.mkdir(exist_ok=True)
    for path in temporary.iterdir():
        if path.name in KEPT:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _replace(temporary: Path, into: Path) -> None:
    """Put the directory in its place, and clear away what killed writers of the name have left."""
    if (temporary / ROWS).exists():
        # under another name first: a build that goes on must not find half of it
        shutil.rmtree((temporary / ROWS).rename(temporary / "gone"))
    share(temporary)
    sync_directory(temporary)
    if into.exists():
        into.rename(into.with_name(f".{into.name}.{secrets.token_hex(4)}.old"))
    temporary.rename(into)
    sync_directory(into.parent)
    _clear(into)


def tidy(into: Path) -> None:
    """Clear away what killed writers have left beside a dataset that is whole, unless one is at work."""
    lock = into.with_name(f".{into.name}.lock")
    if lock.exists() or _left(into):
        with contextlib.suppress(InputError), held(lock):
            _clear(into)


def _clear(into: Path) -> None:
    for path in _left(into):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _left(into: Path) -> list[Path]:
    kinds = (f".{into.name}.*.part", f".{into.name}.*.old", f"..{into.name}.lock.*.part")
    return [path for kind in kinds for path in into.parent.glob(kind)]


def _there(into: Path) -> Problem:
    return Problem(
        field="into",
        got=str(into),
        limit="is there already; a sealed dataset is never changed",
        fix="choose another directory, or say overwrite",
    )
