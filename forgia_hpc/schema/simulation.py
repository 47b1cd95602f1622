"""Which solver, and which members it solves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.program import Program

_WHERE = "schema/simulation.py"


class SolverKind(Enum):
    """Whose code solves a member."""

    builtin = "builtin"  # ours; gets the group's communicator
    python = "python"  # the user's own class, "module:Class" under $FORGIA_PATH; gets it too
    command = "command"  # a program: argument lists, files to fill, an extractor


@dataclass(kw_only=True)
class Solver:
    """What solves a member: one interface for the three kinds (simulate/member.py)."""

    name: str = "heat_quench"
    kind: SolverKind = SolverKind.builtin
    family: str = "heat"  # builtin: a key of simulate/solvers.py; python: "module:Class"
    options: dict[str, Any] = field(default_factory=dict)  # checked by the solver's own dataclass
    program: Program = field(default_factory=Program)  # of kind command

    def __post_init__(self) -> None:
        """Refuse words of one kind beside those of another."""
        problems = [
            Problem(field=f"solver.{name}", got=got, limit=limit, where=_WHERE, fix=fix)
            for name, got, limit, fix in self._faults()
        ]
        if problems:
            raise InputError(problems)

    def _faults(self) -> Iterator[tuple[str, object, str, str]]:
        program = self.kind is SolverKind.command
        if program and not any(self.program.commands):
            fix = "solver.program.commands=[[mysolver,case.inp]]"
            yield "program.commands", [], "a program is needed", fix
        if program and not self.program.extractor:
            fix = "solver.program.extractor=module:function"
            yield "program.extractor", "", "what reads its results is needed", fix
        if not program and self.program.commands:
            limit = f"only solver.kind=command has one; this is {self.kind.value}"
            yield "program", "words of a program", limit, ""
        if self.kind is SolverKind.python and not all(self.family.partition(":")[::2]):
            yield "family", self.family, "module:Class under $FORGIA_PATH", ""


class Design(Enum):
    """How the members' inputs are chosen."""

    sobol = "sobol"  # a scrambled Sobol sequence: fills the space evenly, and can be continued
    lhs = "lhs"  # a Latin hypercube: one member in each of `members` slices of every input
    grid = "grid"  # every combination of `values` and `steps`
    csv = "csv"  # the rows of a file


class Writer(Enum):
    """How the ranks of a group bring their cells into one file."""

    gather = "gather"  # to the group's first rank, which writes: any h5py will do
    mpio = "mpio"  # collectively: needs an h5py built with parallel HDF5


class Workers(Enum):
    """How long the processes of a group live."""

    persistent = "persistent"  # for as many members as they can
    fresh = "fresh"  # for one member: for a solver that leaks, or leaves state behind


@dataclass(kw_only=True)
class Shares:
    """The shares of the members that train, choose (valid) and judge (test) a model. Together 1."""

    train: float = 0.8
    valid: float = 0.1
    test: float = 0.1

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        shares = (self.train, self.valid, self.test)
        if min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-9):
            got = "/".join(map(str, shares))
            limit, fix = (
                "shares of at least 0 that make 1 together",
                "{train: 0.8, valid: 0.1, test: 0.1}",
            )
            raise InputError(
                Problem(field="ensemble.split", got=got, limit=limit, where=_WHERE, fix=fix)
            )


@dataclass(kw_only=True)
class Ensemble:
    """Which members, and how they are shared out and kept.

    inputs: name → a number, or a text with a unit ("850 Cel"), for all members; {low, high} with
    scale: linear or log (and steps: for a grid); {values: […]}.
    """

    dataset: str = "demo_quench"  # the dataset that the members make
    contributor: str = "consortium"
    design: Design = Design.sobol
    members: int = 16  # of a Sobol sequence or Latin hypercube; 0 for a grid or a file: all of it
    seed: int = 0
    inputs: dict[str, Any] = field(default_factory=dict)
    constraints: list[str] = field(
        default_factory=list
    )  # over the inputs: "thickness < 2 * radius"
    csv: str = ""  # the file of design=csv: a column an input, "name [unit]" in its header
    split: Shares = field(default_factory=Shares)
    ranks_per_member: int = 1
    block: int = 0  # members that a group claims together; 0: chosen
    refine_share: float = 0.02  # of the members, solved again on a mesh of half the width
    least_share: float = 0.5  # of the members, admitted; with fewer the job has failed
    retries: int = 2  # of a member that failed for a cause that may pass
    member_s: float = 600.0  # seconds that one member may take
    save_s: float = (
        600.0  # between two saves of a member's state, where the solver can; 0: when it is stopped
    )
    launch: Workers = Workers.persistent
    writer: Writer = Writer.gather
    shard_members: int = 0  # in one file of the dataset; 0: chosen by their size

    def __post_init__(self) -> None:
        """Refuse counts and shares that mean nothing."""
        problems = [
            Problem(field=f"ensemble.{name}", got=got, limit=limit, where=_WHERE, fix=fix)
            for name, got, limit, fix in self._faults()
        ]
        if problems:
            raise InputError(problems)

    def _faults(self) -> Iterator[tuple[str, object, str, str]]:
        drawn = self.design in (Design.sobol, Design.lhs)
        least = {"ranks_per_member": 1, "members": int(drawn)}
        for name in ("ranks_per_member", "members", "block", "retries", "shard_members", "seed"):
            if getattr(self, name) < least.get(name, 0):
                yield name, getattr(self, name), f"at least {least.get(name, 0)}", ""
        if not 0 <= self.refine_share <= 1:
            yield "refine_share", self.refine_share, "0 (none) to 1 (all of them)", ""
        if not 0 <= self.least_share <= 1:
            yield "least_share", self.least_share, "0 (one is enough) to 1 (all of them)", ""
        if not 0 < self.member_s < math.inf:
            yield "member_s", self.member_s, "seconds above 0", ""
        if not 0 <= self.save_s < math.inf:
            yield "save_s", self.save_s, "seconds, or 0: only when a member is stopped", ""
        if not self.dataset or "/" in self.dataset or self.dataset.startswith("."):
            yield "dataset", self.dataset, "the name of a dataset: one word, no /", ""
        if (self.design is Design.csv) != bool(self.csv):
            fix = "ensemble.design=csv ensemble.csv=FILE"
            yield "csv", self.csv, "a file and design=csv go together", fix
