"""What of a member comes back on its next try: what it saved; and what is kept of one that is left out.

No NumPy here: the batch step buries groups with it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from forgia_hpc.digest import digest_of
from forgia_hpc.simulate.retry import is_own

SAVED = "saved"  # in a member's directory, and in the campaign's: a folder a member
OURS = ("reason.json", "output.h5")  # of a member that is left out, beside what it left
IGNORED = "ignored.json"  # in a member's directory: why what came back was not trusted


def mark_of(folder: Path) -> str:
    """Return a digest of names, sizes and times of what is saved; empty: nothing is."""
    if not folder.is_dir():
        return ""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    whole = [path for path in files if not path.name.startswith(".")]  # the others a kill cut short
    told = [[path.relative_to(folder).as_posix(), *_look(path)] for path in whole]
    return digest_of(told)[:16] if told else ""


def _look(path: Path) -> tuple[int, int]:
    seen = path.stat()
    return seen.st_size, seen.st_mtime_ns


def saved_members(campaign: Path) -> frozenset[str]:
    """Return the ids of the members of which something is saved."""
    folder = campaign / SAVED
    return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()


def keep_saved(campaign: Path, work: Path, member: str) -> str:
    """Take what a member has saved out of the directory where it was solved; return its mark."""
    mark = mark_of(work / SAVED)
    if mark:
        kept = campaign / SAVED / member
        kept.parent.mkdir(exist_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
        (work / SAVED).rename(kept)
    return mark


def give_saved(campaign: Path, work: Path, member: str, failures: Sequence[str]) -> str:
    """Put what a member has saved into its new directory; return its mark.

    Not after a failure of its own: what it saved may be why.
    """
    kept = campaign / SAVED / member
    if failures and is_own(failures[-1]):
        shutil.rmtree(kept, ignore_errors=True)
    elif kept.is_dir():
        kept.rename(work / SAVED)
    return mark_of(work / SAVED)


def beside_rejected(campaign: Path, work: Path, member: str) -> Path:
    """Return a folder with what a member has left, to be completed before it is put in its place."""
    beside = campaign / "rejecting" / member
    beside.parent.mkdir(exist_ok=True)
    shutil.rmtree(beside, ignore_errors=True)
    left = campaign / "left" / member  # of a group that died with it
    if left.is_dir():
        left.rename(beside)
    elif work.is_dir():
        work.rename(beside)
    beside.mkdir(exist_ok=True)
    shutil.rmtree(beside / SAVED, ignore_errors=True)
    for name in OURS:  # a solver may have called a file of its own so
        if os.path.lexists(beside / name):
            (beside / name).rename(beside / f"left-{name}")
    return beside


def put_rejected(campaign: Path, beside: Path) -> None:
    """Put a folder that is complete where rejected members are: nobody sees half of one."""
    kept = campaign / "rejected" / beside.name
    kept.parent.mkdir(exist_ok=True)
    shutil.rmtree(kept, ignore_errors=True)
    beside.rename(kept)
