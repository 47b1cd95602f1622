"""A shard's file: opened with its size compared, and how its file system wants to be read."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from forgia_hpc.errors import SealBrokenError

# proc(5), mountinfo. Here a page fault costs a round trip and a lost server is a SIGBUS: read, don't map.
REMOTE = {"lustre", "nfs", "nfs4", "gpfs", "beegfs", "ceph", "cifs", "smb3", "9p", "afs", "panfs"}


def open_shard(path: Path, size: int) -> int:
    """Return the descriptor of a shard, read-only.

    Raises:
        SealBrokenError: it is missing, can't be read, or is not as long as it was sealed.

    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        check_size(os.fstat(file).st_size, path, size)
    except BaseException:
        os.close(file)
        raise
    return file


def check_size(found: int, path: Path, size: int) -> None:
    """Refuse a file that is not as long as it was sealed."""
    if found != size:
        raise SealBrokenError(
            f"{path}: has {found} bytes, sealed with {size}; copy the shard again"
        )


def unreadable(path: Path, error: OSError) -> SealBrokenError:
    """Return what to say of a shard that the system does not give out."""
    reason = error.strerror or error
    return SealBrokenError(f"{path}: can't be read ({reason}); copy the shard again")


def choose_io(asked: str, directory: Path) -> str:
    """Return mmap or pread: what was asked, or for `auto` what the directory's file system likes."""
    if asked != "auto":
        return asked
    return "pread" if file_system(directory) in REMOTE else "mmap"


def file_system(directory: Path) -> str:
    """Return the type of the file system that a directory lies on, as mount(8) calls it; "" if not told."""
    device = directory.stat().st_dev
    return _types().get((os.major(device), os.minor(device)), "")


@cache
def _types() -> dict[tuple[int, int], str]:
    """Return device → type of what is mounted; statfs(2)'s magic numbers say the same, without names."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        major, minor = before.split()[2].split(":")
        found[int(major), int(minor)] = after.split()[0].removeprefix("fuse.")
    return found
