"""The words of a solver of kind `command`: somebody's program, its files, what it leaves and what must hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from forgia_hpc.errors import InputError, Problem

LAUNCHERS = ("", "mpirun", "srun")
TRENDS = ("", "falling", "rising")
WHERE = "schema/program.py"
NAME = re.compile(r"[a-z][a-z0-9_]*")
FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
# Placeholders that every command has, besides its inputs and its axes (cells_<axis>).
GIVEN = ("refine", "level", "seed", "member", "ranks", "node")


@dataclass(kw_only=True)
class ProgramInput:
    """One input of a member. Without a default the ensemble must give it."""

    ucum: str = "1"
    default: float | None = None
    low: float | None = None
    high: float | None = None
    quantity: str = ""


@dataclass(kw_only=True)
class ProgramAxis:
    """One axis of the grid, slowest first: `cells` equal cells from low to high."""

    cells: int = 0
    low: float = 0.0
    high: float = 1.0
    nodes: bool = False  # the points are the cells' ends, one more than cells; else their centres
    ucum: str = "m"


@dataclass(kw_only=True)
class ProgramField:
    """One field that the extractor returns, and what its values may be."""

    ucum: str = "1"
    quantity: str = ""
    order: int = 0  # 0 scalar, 1 vector, 2 tensor: components in the order of the axes
    time_varying: bool = True
    storage: str = "f32"
    low: Any = None  # no value may lie below: a number, or the name of an input
    high: Any = None
    slack: float = 1e-6  # of high - low (or of the larger one alone): what rounding may cost
    trend: str = ""  # falling | rising: at every point, from step to step


@dataclass(kw_only=True)
class ProgramBoundary:
    """What holds at an end of an axis; `kind` is one of The Well's three."""

    axis: str = ""
    side: str = "both"
    kind: str = "wall"
    law: str = ""
    inputs: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class ProgramVersion:
    """How the program tells its version, and the words that must be in what it says."""

    argv: list[str] = field(default_factory=list)
    says: str = ""


@dataclass(kw_only=True)
class Program:
    """Argument lists, never a shell line. `@name@` stands for a value in them and in the templates."""

    commands: list[list[str]] = field(default_factory=list)  # run one after the other
    templates: str = ""  # "package:folder": every file of that folder is filled in
    extractor: str = ""  # "module:function" of a sealed package: what is left → arrays on the grid
    derive: str = ""  # "module:function": inputs and level → more values for the placeholders
    check: str = ""  # "module:function": inputs and arrays → findings
    inputs: dict[str, ProgramInput] = field(default_factory=dict)
    grid: dict[str, ProgramAxis] = field(default_factory=dict)
    fields: dict[str, ProgramField] = field(default_factory=dict)
    boundaries: dict[str, ProgramBoundary] = field(default_factory=dict)
    time_ucum: str = "s"
    number: str = ""  # how an input is written, as Python's format: ".12g"; empty: every digit
    env: dict[str, str] = field(default_factory=dict)
    # variables that stay although they look like a secret
    secrets: list[str] = field(default_factory=list)
    launcher: str = (
        ""  # mpirun | srun: what the commands start ranks with; tried once, before the first member
    )
    version: ProgramVersion = field(default_factory=ProgramVersion)
    failed: list[str] = field(
        default_factory=list
    )  # regular expressions: a line of its output that is an error
    leaves: list[str] = field(
        default_factory=list
    )  # files that must be there at the end, and not empty
    wall_s: float = 0.0  # seconds that a member may take; 0: as ensemble.member_s says
    log_mb: int = 4  # of each command's output, its beginning and its end are kept
    file_mb: int = 1024  # no file that it writes may grow beyond

    def __post_init__(self) -> None:
        """Refuse what can't be run, filled in or stored; all problems at once."""
        problems = [
            Problem(field=f"solver.program.{name}", got=got, limit=limit, where=WHERE)
            for name, got, limit in self._faults()
        ]
        if problems:
            raise InputError(problems)

    def _faults(self) -> Iterator[tuple[str, object, str]]:
        if not self.commands and not self.extractor and not self.inputs:
            return  # a solver of another kind
        yield from self._program_faults()
        yield from self._name_faults()
        yield from self._field_faults()

    def _program_faults(self) -> Iterator[tuple[str, object, str]]:
        whole = self.commands and all(words and words[0] for words in self.commands)
        if not whole or any("\0" in word for words in self.commands for word in words):
            limit = "argument lists without NUL are needed: [[program, word, …], …]"
            yield "commands", self.commands, limit
        for name in ("extractor", "derive", "check"):
            word = getattr(self, name)
            if (word or name == "extractor") and not FUNCTION.fullmatch(word):
                yield name, word, "'module:function' is needed, of a package that is sealed"
        for pattern in self.failed:
            if trouble := _refused(pattern):
                yield "failed", pattern, f"no regular expression: {trouble}"
        yield from self._number_faults()

    def _number_faults(self) -> Iterator[tuple[str, object, str]]:
        if not _writes(self.number):
            yield "number", self.number, "a format of one number, such as .12g"
        if self.launcher not in LAUNCHERS:
            yield "launcher", self.launcher, "mpirun, srun, or nothing"
        if bool(self.version.argv) != bool(self.version.says):
            yield "version", self.version.argv, "argv and says go together"
        for name in ("log_mb", "file_mb"):
            if getattr(self, name) < 1:
                yield name, getattr(self, name), "at least 1 MB"
        if self.wall_s < 0:
            yield "wall_s", self.wall_s, "seconds above 0, or 0 for ensemble.member_s"

    def _name_faults(self) -> Iterator[tuple[str, object, str]]:
        given = {*GIVEN, *(f"cells_{axis}" for axis in self.grid)}
        for group in ("inputs", "grid", "fields", "boundaries"):
            for name in getattr(self, group):
                if not NAME.fullmatch(name):
                    yield (
                        f"{group}.{name}",
                        name,
                        "small letters, digits and _, beginning with a letter",
                    )
        if "times" in self.fields:
            yield "fields.times", "times", "the extractor returns the times under this name"
        for name in sorted(given & set(self.inputs)):
            yield f"inputs.{name}", name, "every command has a placeholder of this name already"
        for name, one in self.boundaries.items():
            if one.axis not in self.grid:
                yield f"boundaries.{name}.axis", one.axis, f"one of {', '.join(self.grid)}"
            for word in sorted(set(one.inputs) - set(self.inputs)):
                yield f"boundaries.{name}.inputs", word, f"one of {', '.join(self.inputs)}"

    def _field_faults(self) -> Iterator[tuple[str, object, str]]:
        for group in ("fields", "grid"):
            if not getattr(self, group):
                yield group, None, "at least one is needed"
        for name, axis in self.grid.items():
            if axis.cells < 1 or not axis.low < axis.high:
                yield f"grid.{name}", axis.cells, "cells above 0, and low below high"
        for name, one in self.fields.items():
            for side in (one.low, one.high):
                if isinstance(side, str) and side not in self.inputs:
                    limit = "a number, or the name of an input"
                    yield f"fields.{name}", side, limit
            if one.trend not in (TRENDS if one.time_varying else ("",)):
                limit = (
                    "falling, rising, or nothing; nothing for a field that does not vary in time"
                )
                yield f"fields.{name}.trend", one.trend, limit
            if one.order not in (0, 1, 2):
                yield f"fields.{name}.order", one.order, "0, 1 or 2"


def _writes(number: str) -> bool:
    try:
        float(format(1.5, number))
    except ValueError:
        return False
    return True


def _refused(pattern: str) -> str:
    try:
        re.compile(pattern.encode())
    except re.error as error:
        return str(error)
    return ""
