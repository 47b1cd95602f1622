"""Slurm commands begun before their answers are needed.

sacctmgr waits a third of a second for slurmdbd without computing anything (seen on 22.05: 0.36 s, no CPU time).
The imports and the config take about as long.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forgia_hpc import process
from forgia_hpc.slurm.conf import missing_conf


@dataclass(frozen=True)
class _Begun:
    program: subprocess.Popen[str]
    environment: dict[str, str]


_BEGUN: dict[tuple[str, ...], _Begun] = {}


def begin(calls: Sequence[tuple[str, ...]], environment: Mapping[str, str]) -> None:
    """Start each command; one that can't be started is asked again by whoever needs it."""
    for argv in calls if missing_conf(environment) is None else ():
        with contextlib.suppress(OSError):
            program = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=process.environment(environment),
            )
            _BEGUN[argv] = _Begun(program, dict(environment))


def answer(
    argv: tuple[str, ...], environment: Mapping[str, str], timeout_s: float
) -> process.Answer | None:
    """Return what a command that was begun has said, once; None where it was not begun for this Slurm.

    Raises:
        ProgramSilentError: no answer within `timeout_s` from now.
    """
    begun = _BEGUN.pop(argv, None)
    if begun is None:
        return None
    try:
        out, err = begun.program.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        begun.program.kill()
        begun.program.communicate()
        raise process.ProgramSilentError(f"{argv[0]} gave no answer in {timeout_s:g} s") from error
    if begun.environment != dict(environment):
        return None
    return process.Answer(begun.program.returncode, out, err)
