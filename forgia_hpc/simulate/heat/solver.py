"""The built-in solver of heat treatment, as the simulation layer calls it (simulate/member.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.layout import Schema
from forgia_hpc.schema.simulation import Solver as Words
from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.digests import solver_digest
from forgia_hpc.simulate.heat.case import Case, History
from forgia_hpc.simulate.heat.described import INSIDE, described
from forgia_hpc.simulate.heat.findings import findings
from forgia_hpc.simulate.heat.foresee import memory_needed, refusal
from forgia_hpc.simulate.heat.geometry import Geometry, geometry_of
from forgia_hpc.simulate.heat.march import march
from forgia_hpc.simulate.heat.problem import Problems
from forgia_hpc.simulate.heat.refuse import refuse
from forgia_hpc.simulate.heat.restrict import coarse_place, restricted
from forgia_hpc.simulate.member import Finding, Input, Member, Output
from forgia_hpc.simulate.saved import Saves


@dataclass(kw_only=True)
class Solving:
    """A member on its way: its case, and what became of it."""

    case: Case
    level: int
    ranks: Communicator
    geometry: Geometry  # of level 0
    saves: Saves
    history: History | None = None

    @property
    def solved(self) -> History:
        """What `run` made of it."""
        if self.history is None:
            raise ValueError("extract and check come after run")
        return self.history


class HeatSolver:
    """Heat conduction in forgings, with phases and hardness; options in heat/words.py."""

    def __init__(self, words: Words) -> None:
        """Take the solver's words; InputError names all that is wrong with its options."""
        self.problems = Problems(words.options)
        self.save_s = 0.0  # between two saves of a long member; 0: only when it is stopped
        self._words = words

    @property
    def order(self) -> int:
        """How fast the error falls with the cells' width; the stairs of voxels may cost one order."""
        return 1 if self.problems.options.geometry == "voxels" else 2

    def inputs(self) -> Sequence[Input]:
        """Return the inputs that the options name."""
        return self.problems.inputs

    def schema(self) -> Schema:
        """Return what members leave; coordinates are shares of a length that is an input."""
        return described(self.problems)

    def refuses(self, inputs: Mapping[str, float], ranks: int) -> str:
        """Return why so many ranks can't solve a member of these inputs; empty: they can."""
        return refusal(self.problems, inputs, ranks)

    def memory_bytes(self, ranks: int, level: int) -> int:
        """Return the bytes that one rank will hold."""
        return memory_needed(self.problems, self.schema(), ranks, level)

    def prepare(self, member: Member, ranks: Communicator, directory: Path) -> Solving:
        """Make a member's case; only a long one that is stopped leaves something in the directory.

        Raises:
            InputError: everything that is wrong with it.

        """
        case = self.problems.case(member.inputs, member.level)
        refuse(case, ranks)
        given = self.problems.values(member.inputs)
        geometry = geometry_of(self.problems.grid(given, 0))
        saves = Saves(directory, ranks, partial(self._bears, member, case), self.save_s)
        return Solving(case=case, level=member.level, ranks=ranks, geometry=geometry, saves=saves)

    def _bears(self, member: Member, case: Case) -> Mapping[str, Any]:
        """Return the words by which a saved state is known as this member's."""
        return {
            "member": member.id,
            "level": member.level,
            "solver": self._digest,
            "dtype": case.dtype,
            "shape": list(geometry_of(case.grid).shape),
        }

    @cached_property
    def _digest(self) -> str:
        return solver_digest(self._words)

    def run(self, case: Solving, stop: Callable[[], bool]) -> None:
        """Solve it."""
        case.history = march(case.case, case.ranks, stop, case.saves)

    def extract(self, case: Solving) -> Output:
        """Return temperature, fractions, hardness and the body's mask, on the cells of level 0."""
        history = case.solved
        fields = {"temperature": history.temperature, **self._phases(history)}
        if case.level:
            fine = geometry_of(case.case.grid)
            fields = {
                name: restricted(values, fine, history.where, 2**case.level)
                for name, values in fields.items()
            }
        where = coarse_place(history.where, 2**case.level)
        if case.geometry.mask is not None:
            lead = 3 - case.geometry.axes
            fields[INSIDE] = case.geometry.mask.reshape(case.geometry.shape[lead:])[where]
        return Output(
            fields={name: self._stored(name, values) for name, values in fields.items()},
            where=where,
            times=history.times,
            facts=history.facts,
        )

    def check(self, case: Solving, output: Output) -> Sequence[Finding]:
        """Return what the physics says."""
        return findings(case.case, case.solved, output, case.ranks)

    def _phases(self, history: History) -> Mapping[str, NDArray[Any]]:
        """Return the fractions, and the hardness at the end."""
        found = dict(history.fractions)
        rate = found.pop("rate", None)
        steel = self.problems.steel
        if steel is None or steel.hardness is None or rate is None:
            return found
        last = {name: np.asarray(values[-1]) for name, values in found.items()}
        return {**found, "hardness": steel.hardness(last, rate[-1])}

    def _stored(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return values as the dataset holds them: float32, a mask as it is."""
        return values if name == INSIDE else values.astype(np.float32)
