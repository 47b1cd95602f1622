"""Expected errors, and the one table of exit codes.

A `ForgiaError` is shown as one line a problem, without a traceback. Everything else is a defect of ours and
keeps its traceback.
"""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What a process says when it ends. Frozen by a test: scripts depend on it."""

    OK = 0
    DEFECT = 1
    INPUT = 2
    JOB_FAILED = 3
    SLURM_SILENT = 4
    SEAL_BROKEN = 5
    STOPPED = 6
    INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong: which field, what it holds, what is allowed, where that stands, what to do."""

    field: str
    got: object
    limit: str
    where: str = ""
    fix: str = ""

    def __str__(self) -> str:
        """Return the one line a person reads."""
        source = f" ({self.where})" if self.where else ""
        mend = f"; {self.fix}" if self.fix else ""
        got = "nothing" if self.got is None else repr(self.got)
        return f"{self.field}: got {got}, {self.limit}{source}{mend}"

    def as_json(self) -> dict[str, object]:
        """Return the problem as `--json` prints it."""
        return {
            **asdict(self),
            "got": self.got if isinstance(self.got, int | float | bool | None) else str(self.got),
        }


def nearest(word: str, known: Collection[str], otherwise: str) -> str:
    """Return what to do about a misspelt word: the known one that is nearest, before what else helps."""
    begun = [one for one in known if word and one.startswith(word)]
    near = begun or difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {' or '.join(near[:3])}? {otherwise}" if near else otherwise


class ForgiaError(Exception):
    """An expected error: one clear line, no traceback."""

    exit_code = ExitCode.DEFECT


class InputError(ForgiaError):
    """Something the user can mend; holds every problem found, not only the first."""

    exit_code = ExitCode.INPUT

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        """Take one problem or all of them."""
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # EFBIG: ulimit -f
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}


def refused_by_system(error: OSError) -> InputError | None:
    """Return what a user can mend of an OSError (a full or read-only disk, a forbidden place), else None."""
    place = error.filename2 or error.filename
    if error.errno is None or error.errno not in FULL | (_REFUSED if place else set()):
        return None
    return InputError(
        Problem(
            field="disk" if error.errno in FULL else "file",
            got=os.fsdecode(place) if isinstance(place, str | bytes) else "a file being written",
            limit=os.strerror(error.errno),
            fix="make room" if error.errno in FULL else "check FORGIA_RUNS, FORGIA_DATA and --to",
        )
    )


class JobFailedError(ForgiaError):
    """The job itself failed; the message says which rank, where, and where to read on."""

    exit_code = ExitCode.JOB_FAILED


class SlurmSilentError(ForgiaError):
    """Slurm did not answer: the state is unknown, which is not the same as failed."""

    exit_code = ExitCode.SLURM_SILENT


class SealBrokenError(ForgiaError):
    """Something differs from what was sealed: code, config, environment or data."""

    exit_code = ExitCode.SEAL_BROKEN


class SupersededError(JobFailedError):
    """A later attempt of this run has begun while this one still lives: the run is that one's now."""


class StoppedError(ForgiaError):
    """The job stopped at a step boundary with everything saved; it can go on from there."""

    exit_code = ExitCode.STOPPED
