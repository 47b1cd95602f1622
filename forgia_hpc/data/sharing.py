"""A dataset in a directory that belongs to a group: what a person with umask 077 writes there, the group can read.

A directory says so by its setgid bit, which hands its group down to what is made in it (chmod(1), `chmod g+s`).
Keys of persons lie elsewhere and stay theirs alone.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from forgia_hpc.data.manifest import load_manifest

_FILE = stat.S_IRGRP
_DIRECTORY = stat.S_ISGID | stat.S_IRGRP | stat.S_IXGRP


def is_shared(directory: Path) -> bool:
    """Return whether what is made in a directory belongs to its group."""
    return bool(directory.stat().st_mode & stat.S_ISGID)


def share(path: Path) -> None:
    """Let the group of the directory around a path read it and everything in it, where that is shared."""
    if not is_shared(path.parent):
        return
    for one in (path, *path.rglob("*")):
        mode = one.lstat().st_mode
        wanted = mode | _wanted(mode)
        if wanted != mode and not stat.S_ISLNK(mode):
            try:
                one.chmod(stat.S_IMODE(wanted))
            except PermissionError:
                continue  # a link to another person's file; `unreadable` tells of it


def unreadable(directory: Path) -> Iterator[str]:
    """Yield what the group of a shared dataset can't read."""
    directory = directory.resolve()
    if not is_shared(directory.parent) and not is_shared(directory):
        return
    group = (directory.parent if is_shared(directory.parent) else directory).stat().st_gid
    for path in (directory, *sorted(directory.rglob("*"))):
        found = path.lstat()
        wanted = _wanted(found.st_mode) & ~stat.S_ISGID
        if stat.S_ISLNK(found.st_mode):
            continue
        if found.st_gid != group:
            yield f"{path}: of group {found.st_gid}, the directory is shared with {group}"
        elif found.st_mode & wanted != wanted:
            yield f"{path}: mode {stat.S_IMODE(found.st_mode):o}, the group can't read it"


def unreadable_parts(directory: Path) -> list[str]:
    """Return what the group can't read of a dataset and of its members; an altered one has none to tell."""
    found = list(unreadable(directory))
    for one in load_manifest(directory).contributions():
        if one.directory != directory:
            found += unreadable(one.directory)
    return found


def _wanted(mode: int) -> int:
    return _DIRECTORY if stat.S_ISDIR(mode) else _FILE
