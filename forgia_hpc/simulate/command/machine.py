"""What a command can't do without on the node: tried once a group, before its first member."""

from __future__ import annotations

import os

from forgia_hpc import process
from forgia_hpc.schema.program import Program
from forgia_hpc.simulate.command.filling import refused
from forgia_hpc.simulate.nested import probe, scrubbed

VERSION_S = 60.0


def check_machine(program: Program) -> None:
    """Start something with the launcher, and compare the program's version.

    Raises:
        InputError: the launcher starts nothing from here, or the program is another one than was said.
    """
    if program.launcher and not (found := probe(program.launcher)).works:
        raise refused("launcher", program.launcher, found.said, "see docs/solvers.md, MPI programs")
    if program.version.argv and program.version.says not in (said := _version(program)):
        limit = f"a version that says {program.version.says!r} is needed"
        raise refused("version", said.strip()[:200], limit)


def _version(program: Program) -> str:
    kept = {**scrubbed(os.environ, secrets=program.secrets), **program.env}
    argv, gone = program.version.argv, set(os.environ) - set(kept)
    try:
        answer = process.run(argv, timeout_s=VERSION_S, env=kept, without=gone)
    except (process.ProgramMissingError, process.ProgramSilentError) as error:
        raise refused("version", argv[0], str(error), "load its module, or install it") from error
    return answer.stdout + answer.stderr
