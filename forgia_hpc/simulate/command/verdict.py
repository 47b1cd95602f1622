"""What a member's programs did, as one word that two attempts can be compared by."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from forgia_hpc.errors import StoppedError
from forgia_hpc.schema.program import Program
from forgia_hpc.simulate.command.programs import Seen
from forgia_hpc.simulate.member import MemberError

_SHELL = 128  # a shell tells a signal of its child by an exit code above
_SAID = {
    "timeout": "was ended after {seconds:g} s",
    "left_behind": "ended and left processes running: {what}",
    "not_started": "could not be started: {what}",
    "killed": "was killed, and its programs with it",
}


def judge(program: Program, seen: Sequence[Seen], case: Path, *, stopping: bool) -> None:
    """Return if nothing speaks against what the programs left.

    Raises:
        MemberError: timeout, exit_code, output_limit, error_in_log, left_behind, not_started, no_output, or
            the name of a signal.
        StoppedError: they were ended because we are to stop.
    """
    last = seen[-1]
    if last.why == "stopped" or (stopping and _signal(last)):
        raise StoppedError(f"{last.program} was ended: asked to stop")
    if last.why:
        kind = "SIGKILL" if last.why == "killed" else last.why
        raise MemberError(kind, f"{last.program} {_SAID[last.why].format(**vars(last))}")
    if number := _signal(last):
        _killed(last, number, program)
    if last.code:
        said = f": {last.error_line or last.last_line}".rstrip(": ")
        raise MemberError("exit_code", f"{last.program} ended with exit code {last.code}{said}")
    if last.error_line:
        why = f"{last.program} ended with 0 after it said: {last.error_line}"
        raise MemberError("error_in_log", why)
    _must_leave(program, case)


def _signal(seen: Seen) -> int:
    code = seen.code or 0
    return -code if code < 0 else code - _SHELL if _SHELL < code <= _SHELL + signal.SIGRTMAX else 0


def _killed(seen: Seen, number: int, program: Program) -> None:
    if number == signal.SIGXFSZ:
        raise MemberError(
            "output_limit", f"{seen.program} wrote a file of over {program.file_mb} MB"
        )
    name = _name(number)
    raise MemberError(name, f"{seen.program} was killed by {name}")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal between the first and the last has no name
        return f"signal {number}"


def _must_leave(program: Program, case: Path) -> None:
    for name in program.leaves:
        path = case / name
        if not path.is_file() or not path.stat().st_size:
            how = "is empty" if path.is_file() else "is not there"
            raise MemberError(
                "no_output", f"{program.commands[-1][0]} ended with 0, and {name} {how}"
            )
