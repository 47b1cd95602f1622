"""One way to run a program: an argument list, a time limit, and its own words when it fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.errors import ForgiaError


@dataclass(frozen=True)
class Answer:
    """What a program said."""

    returncode: int
    stdout: str
    stderr: str


class ProgramMissingError(ForgiaError):
    """The program is not on this machine."""


class ProgramSilentError(ForgiaError):
    """The program gave no answer in its time."""


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    without: Collection[str] = (),
    cwd: Path | None = None,
) -> Answer:
    """Run `argv` without a shell and return what it said, whatever its exit code.

    Args:
        argv: the program and its arguments.
        timeout_s: seconds until the program is killed.
        env: added to our own environment.
        without: names that are taken out of it.
        cwd: where it runs.

    Raises:
        ProgramMissingError: there is no such program.
        ProgramSilentError: no answer within `timeout_s`.
    """
    try:
        done = subprocess.run(
            list(argv),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=environment(env or {}, without),
            cwd=cwd,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise ProgramMissingError(f"{argv[0]} is not on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise ProgramSilentError(f"{argv[0]} gave no answer in {timeout_s:g} s") from error
    return Answer(done.returncode, done.stdout, done.stderr)


def environment(added: Mapping[str, str], without: Collection[str] = ()) -> dict[str, str]:
    """Return our own environment with names added and taken out."""
    return {**{key: value for key, value in os.environ.items() if key not in without}, **added}
