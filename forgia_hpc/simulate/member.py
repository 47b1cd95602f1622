"""What a solver must give: one interface for built-in, python and command members."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.layout import Schema
from forgia_hpc.simulate.communicator import Communicator

Array = NDArray[Any]
Case = Any  # what prepare makes and the solver's other functions take: its own business


@dataclass(frozen=True, kw_only=True)
class Member:
    """One planned simulation: a pure function of its inputs, the solver and the mesh level."""

    number: int  # its place in the ensemble, from 0
    id: str  # 16 hex digits of the SHA-256 over inputs and solver digest
    inputs: Mapping[str, float]  # in the units that the solver declares
    split: str = "train"
    level: int = 0  # 1: the same on a mesh of half the width
    seed: int = 0  # its own, for solvers that draw


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input that a member may have: its unit, and what a solver takes."""

    name: str
    ucum: str
    quantity: str = ""
    default: float | None = None  # None: the ensemble must give it
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True, kw_only=True)
class Output:
    """What one rank holds of a solved member, on the grid of level 0 whatever the member's level.

    fields: name → ([step,] *own cells, *component); where: the own cells in the whole grid;
    times: (step,) in the schema's time unit; signals: name → (step,), the same on all ranks.
    """

    fields: Mapping[str, Array]
    where: tuple[slice, ...]
    times: NDArray[np.float64]
    signals: Mapping[str, Array] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)  # e.g. steps, largest_cfl, seconds


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check saw in a member."""

    check: str  # finite | energy_balance | maximum_principle | monotone_cooling | time_step | …
    value: float
    limit: str
    passed: bool
    note: str = ""


class Solver(Protocol):
    """Solves members. Every rank of a group holds one and calls its functions together.

    A solver is opened once a group: what it compiles or reads serves all its members. What it raises:
    MemberError for a member that can't be solved (its kind decides on a retry), InputError for options
    or inputs that no retry will mend.
    """

    def inputs(self) -> Sequence[Input]:
        """Return every input that a member may have."""

    def schema(self) -> Schema:
        """Return grid, fields, parameters and boundaries of what the members leave: of level 0."""

    def prepare(self, member: Member, ranks: Communicator, directory: Path) -> Case:
        """Make a member ready; `directory` is its own, and thrown away unless it is rejected.

        It is empty but for `saved`: what the last try put there, if that was stopped or killed from outside.
        A file of it may be cut short unless it was renamed into place; simulate/saved.py sees to all that.
        """

    def run(self, case: Case, stop: Callable[[], bool]) -> None:
        """Solve it. A long member looks at `stop` between steps; if it holds, it raises StoppedError."""

    def extract(self, case: Case) -> Output:
        """Return what the dataset keeps."""

    def check(self, case: Case, output: Output) -> Sequence[Finding]:
        """Return what the physics says: the same findings on every rank."""


class MemberError(Exception):
    """A member that can't be solved. `kind` is one word that two attempts can be compared by."""

    def __init__(self, kind: str, why: str) -> None:
        """Take e.g. `not_finite`, `timeout`, `exit_code`, `no_output`, and one sentence."""
        super().__init__(f"{kind}: {why}")
        self.kind = kind
        self.why = why
