"""Members that a program solves: a solver as the ensemble sees one (simulate/member.py)."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from forgia_hpc.data.fields.layout import Schema
from forgia_hpc.errors import InputError
from forgia_hpc.schema.simulation import Solver as Words
from forgia_hpc.simulate.command.checks import findings
from forgia_hpc.simulate.command.extract import extracted, left_of
from forgia_hpc.simulate.command.filling import filled_commands, values_of, write_templates
from forgia_hpc.simulate.command.grids import inputs_of, schema_of
from forgia_hpc.simulate.command.machine import check_machine
from forgia_hpc.simulate.command.programs import POLL_S, Order, Seen, run_programs
from forgia_hpc.simulate.command.together import on_root
from forgia_hpc.simulate.command.verdict import judge
from forgia_hpc.simulate.command.words import can_refine, problems
from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.member import Array, Finding, Input, Member, Output
from forgia_hpc.simulate.nested import scrubbed

DAY_S = 86400.0  # of a member where nobody said how long it may take


@dataclass
class CommandCase:
    """One member on one rank; the programs run on the first."""

    member: Member
    ranks: Communicator
    directory: Path
    commands: list[list[str]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    fields: dict[str, Array] = field(default_factory=dict)  # on the first rank: whole

    @property
    def work(self) -> Path:
        """Where the programs run."""
        return self.directory / "case"


class CommandSolver:
    """Fills templates, runs argument lists, reads what is left."""

    def __init__(self, words: Words) -> None:
        """Take a solver's words.

        Raises:
            InputError: a placeholder that stands for nothing, an input that nothing takes, no templates.
        """
        self._program = words.program
        if found := problems(self._program):
            raise InputError(found)
        self._schema = schema_of(self._program)
        self.refines = can_refine(self._program)
        self.wall_s = self._program.wall_s or DAY_S

    def inputs(self) -> Sequence[Input]:
        """Return every input that a member may have."""
        return inputs_of(self._program)

    def schema(self) -> Schema:
        """Return what the members leave, of level 0."""
        return self._schema

    def check_machine(self, ranks: Communicator) -> None:
        """Try once, on the node, what no member can do without: the launcher, and the program's version.

        Raises:
            InputError: the campaign can't be run here.
        """
        on_root(ranks, lambda: check_machine(self._program))

    def prepare(self, member: Member, ranks: Communicator, directory: Path) -> CommandCase:
        """Fill the templates. What is left of a member that was stopped is thrown away: it starts anew."""
        case = CommandCase(member, ranks, directory)

        def fill() -> None:
            values = values_of(self._program, member, ranks.size)
            case.commands = filled_commands(self._program, values)
            shutil.rmtree(case.work, ignore_errors=True)
            write_templates(self._program, case.work, values)

        on_root(ranks, fill)
        return case

    def run(self, case: CommandCase, stop: Callable[[], bool]) -> None:
        """Run the programs on the first rank; the others sleep between two looks, and leave the cores to them.

        `stop` is a word of all ranks together: every rank asks it as often as the first.
        """
        ranks = case.ranks
        if ranks.rank == 0:
            case.seen = run_programs(self._order(case), lambda: ranks.bcast(True) and stop())
        while ranks.bcast(False):
            stop()
            time.sleep(POLL_S)
        stopping = stop()
        on_root(ranks, lambda: judge(self._program, case.seen, case.work, stopping=stopping))

    def extract(self, case: CommandCase) -> Output:
        """Return the arrays, all of them on the first rank."""
        times: list[float] = []

        def read() -> None:
            left = left_of(self._program, case.directory, case.member.inputs, case.member.level)
            case.fields, found = extracted(self._program, left)
            times.extend(found.tolist())

        on_root(case.ranks, read)
        times = case.ranks.bcast(times)
        whole = self._schema.grid.shape
        own = whole if case.ranks.rank == 0 else (0, *whole[1:])
        return Output(
            fields=case.fields if case.ranks.rank == 0 else self._nothing(len(times)),
            where=tuple(slice(0, size) for size in own),
            times=np.array(times),
            facts=case.ranks.bcast(_facts(case.seen)),
        )

    def check(self, case: CommandCase, output: Output) -> Sequence[Finding]:
        """Return what the declared words and the plug-in's own check find."""
        found: list[Finding] = []
        on_root(
            case.ranks,
            lambda: found.extend(findings(self._program, case.member.inputs, case.fields)),
        )
        return [Finding(**one) for one in case.ranks.bcast([vars(one) for one in found])]

    def _order(self, case: CommandCase) -> Order:
        program = self._program
        return Order(
            commands=case.commands,
            environment={
                **scrubbed(os.environ, program.launcher, program.secrets),
                **program.env,
            },
            directory=case.work,
            logs=case.directory,
            wall_s=self.wall_s,
            log_bytes=program.log_mb << 20,
            file_bytes=program.file_mb << 20,
            failed="|".join(f"(?:{pattern})" for pattern in program.failed),
        )

    def _nothing(self, steps: int) -> dict[str, Array]:
        """Return the fields of a rank that holds no cell."""
        grid = self._schema.grid
        shapes = {one.name: list(one.shape(grid, steps)) for one in self._schema.fields}
        for one in self._schema.fields:
            shapes[one.name][int(one.time_varying)] = 0
        return {name: np.zeros(shape) for name, shape in shapes.items()}


def _facts(seen: Sequence[Seen]) -> dict[str, float]:
    """Return what the programs took, all together."""
    return {
        "seconds": round(sum(one.seconds for one in seen), 3),
        "cpu_s": round(sum(one.cpu_s for one in seen), 3),
        "peak_mb": max((one.peak_mb for one in seen), default=0.0),
    }
