"""One trial of a probation, and the campaign's first member on a coarse mesh as trials solve it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.schema.simulation import Solver as Words
from forgia_hpc.simulate.admission.audit import asked_of
from forgia_hpc.simulate.admission.reading import Asked, UnreadError
from forgia_hpc.simulate.admission.twin import Twin
from forgia_hpc.simulate.communicator import Alone, Communicator
from forgia_hpc.simulate.findings import as_number
from forgia_hpc.simulate.member import Output
from forgia_hpc.simulate.members import Members
from forgia_hpc.simulate.solvers import open_solver

Floats = NDArray[np.float64]
Whole = Callable[[Schema, Output], dict[str, Array]]  # fields of all ranks together, on the first
_STEPS = 400  # of the twin, at most
_LONGEST = 8_000  # steps of a probe: it takes some hundreds, and a wrong heat capacity millions
_WIDEST = 16  # cells along an axis of a probe's coarse level


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One thing that was tried."""

    name: str
    value: float
    limit: float
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the value is a number, and within its limit."""
        return bool(self.value <= self.limit)

    def as_json(self) -> dict[str, Any]:
        """Return it as verification.json has it."""
        return {**asdict(self), "value": as_number(self.value), "passed": self.passed}


@dataclass(frozen=True)
class Probe:
    """A campaign's first member on a coarse mesh, and how the group's ranks solve it together."""

    words: Words
    members: Members
    ranks: Communicator
    whole: Whole
    directory: Path

    def solved(
        self, options: dict[str, Any], level: int
    ) -> tuple[dict[str, Array], Schema, Asked, Floats]:
        """Return fields and schema of the member with these options. On the other ranks the fields are empty."""
        solver = open_solver(replace(self.words, options=options))
        first = self.members.members[0]
        member = replace(first, level=level)
        case = solver.prepare(member, self.ranks, self.directory)
        solver.run(case, _after(_LONGEST))
        output = solver.extract(case)
        schema = solver.schema()
        asked = asked_of(options, schema, first.inputs)
        return self.whole(schema, output), schema, asked, np.asarray(output.times)

    def alone(self, options: dict[str, Any]) -> Output:
        """Return what this rank alone leaves of a body without inputs."""
        solver = open_solver(replace(self.words, options=options))
        member = replace(self.members.members[0], inputs={}, level=0)
        case = solver.prepare(member, Alone(), self.directory)
        solver.run(case, _after(_LONGEST))
        return solver.extract(case)


def coarse(probe: Probe) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of a coarse member, and the shape of one whose finer level is that mesh."""
    options = {**probe.words.options}
    if options.get("phases"):  # heat of phases is left out: the twin has none
        options["phases"] = {k: v for k, v in options["phases"].items() if k != "heat"}
    base: dict[str, Any] = {}
    if options.get("geometry") != "voxels":
        cells = [min(4, max(2, n // 4)) for n in options.get("shape", (32, 32))]
        while not _fits(probe, {**options, "shape": cells}) and max(cells) < _WIDEST:
            cells = [2 * n for n in cells]
        base = {"shape": cells}
        options["shape"] = [2 * n for n in cells]
    twin = _twin(probe, options)
    if not twin.is_clear:
        raise UnreadError(
            "the boiling curve is too steep for these cells: a surface may have three temperatures"
        )
    options["end_s"] = min(float(options.get("end_s", 60.0)), _STEPS * twin.step_s)
    options["frames"] = 7
    return options, base


def _twin(probe: Probe, options: dict[str, Any]) -> Twin:
    schema = open_solver(replace(probe.words, options=options)).schema()
    return Twin(asked_of(options, schema, probe.members.members[0].inputs))


def _fits(probe: Probe, options: dict[str, Any]) -> bool:
    """Whether the group's ranks can share a mesh, and the walls are clear on one of half its width."""
    solver: Any = open_solver(replace(probe.words, options=options))
    if solver.refuses(probe.members.members[0].inputs, probe.ranks.size):
        return False
    return _twin(probe, {**options, "shape": [2 * n for n in options["shape"]]}).is_clear


def dense(times: Floats) -> Floats:
    """Return the times with 24 between each two: what phases are grown along."""
    return np.interp(np.arange((len(times) - 1) * 25 + 1) / 25, np.arange(len(times)), times)


def refusal(trials: Sequence[Trial]) -> str:
    """Return what failed, in one line; empty: nothing."""
    bad = [
        f"{one.name}: {one.value:.3g}, at most {one.limit:g} {one.note}".strip()
        for one in trials
        if not one.passed
    ]
    return "; ".join(bad)


def _after(count: int) -> Callable[[], bool]:
    """Return a wish to stop that comes after so many steps."""
    asked = iter(range(count))
    return lambda: next(asked, None) is None
