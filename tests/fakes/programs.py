"""Members of the fake program (fakes/program), through the six functions of a solver."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from forgia_hpc.schema.program import Program, ProgramAxis, ProgramField, ProgramInput
from forgia_hpc.schema.simulation import Solver, SolverKind
from forgia_hpc.simulate.command.solver import CommandSolver
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.member import Member


def program(script: str = "good.sh", **words) -> Program:
    plain = {
        "commands": [["sh", script]],
        "templates": "fakes.program:files",
        "extractor": "fakes.program.case:extract",
        "inputs": {"hot": ProgramInput(ucum="K"), "cold": ProgramInput(ucum="K", default=300.0)},
        "grid": {"x": ProgramAxis(cells=4, high=0.1)},
        "fields": {"temperature": ProgramField(ucum="K", low="cold", high="hot", trend="falling")},
    }
    return Program(**{**plain, **words})


def solver(script: str = "good.sh", *, wall_s: float = 20.0, **words) -> CommandSolver:
    own = program(script, wall_s=wall_s, **words)
    return CommandSolver(Solver(name="fake", kind=SolverKind.command, family="", program=own))


MEMBER = Member(number=0, id="0123456789abcdef", inputs={"hot": 1100.0, "cold": 300.0}, seed=7)


def solved(one: CommandSolver, directory: Path, *, stop=lambda: False, ranks=None, **changes):
    """Take one member through the solver; return its output and findings."""
    directory.mkdir(exist_ok=True)
    case = one.prepare(replace(MEMBER, **changes), ranks or Alone(), directory)
    one.run(case, stop)
    output = one.extract(case)
    return output, {finding.check: finding for finding in one.check(case, output)}


def running(directory: Path) -> dict[int, str]:
    """Return the processes whose working directory lies below one, of any session, with their names."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink().is_relative_to(directory):
                    found[int(entry.name)] = (entry / "comm").read_text().strip()
            except OSError:
                continue
    return found


def below(directory: Path) -> list[str]:
    """Return their names."""
    return list(running(directory).values())


def gone(directory: Path, seconds: float = 5.0) -> bool:
    """Whether nobody runs there any more, at the latest after some seconds."""
    until = time.monotonic() + seconds
    while below(directory) and time.monotonic() < until:
        time.sleep(0.05)
    return not below(directory)
