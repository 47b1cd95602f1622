"""One writer a name: a lock file that tells who holds it; one of a dead process is taken over."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import make_once


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, and take it away in the end.

    Raises:
        InputError: somebody else holds it, and lives or can't be asked.
    """
    _take(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _take(path: Path) -> None:
    ours = _ourselves()
    for _ in range(3):
        if make_once(path, ours):
            return
        owner = _owner(path)
        if owner is None:
            continue  # it was given back meanwhile
        if not _is_over(owner, ours):
            raise InputError(_held_by(path, owner))
        _take_away(path, owner)
    raise InputError(_held_by(path, _owner(path) or {}))


def _ourselves() -> dict[str, Any]:
    return {
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "start_ticks": _start_ticks(os.getpid()),
        "user": getpass.getuser(),
        "job": os.environ.get("SLURM_JOB_ID", ""),
        "restart": int(os.environ.get("SLURM_RESTART_COUNT") or 0),
    }


def _start_ticks(pid: int) -> str:
    """Return when a process began, in ticks of its machine; empty if there is none."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] in ("Z", "X") else words[19]


def _owner(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found


def _is_over(owner: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Whether an owner certainly lives no more: its process here is gone, or its job has begun again."""
    if owner["host"] == ours["host"]:
        return _start_ticks(owner["pid"]) != str(owner["start_ticks"])
    return bool(owner["job"]) and owner["job"] == ours["job"] and owner["restart"] < ours["restart"]


def _take_away(path: Path, owner: dict[str, Any]) -> None:
    """Remove the lock of `owner`; another's, taken in the same moment, is put back."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    if _owner(aside) != owner:
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    aside.unlink()


def _held_by(path: Path, owner: dict[str, Any]) -> Problem:
    who = "process {pid} of {user} on {host}".format_map(
        {"pid": "?", "user": "?", "host": "?", **owner}
    )
    return Problem(
        field="into",
        got=path.name.removeprefix(".").removesuffix(".lock"),
        limit=f"is being written by {who}",
        where=str(path),
        fix="wait for it; if it is certainly gone, remove the file",
    )
