"""What a verification case gives: figures, each beside the target that it must meet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from forgia_hpc.simulate.communicator import Alone, Communicator


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a case. kind: equal (within tolerance) or most (at most the target)."""

    name: str
    got: float
    target: float
    tolerance: float = 0.0  # absolute, in `unit`
    unit: str = ""
    kind: str = "equal"

    @property
    def deviation(self) -> float:
        """How far off: got - target."""
        return self.got - self.target

    @property
    def passed(self) -> bool:
        """Whether the target is met; a number that is none never is."""
        if not math.isfinite(self.got):
            return False
        if self.kind == "most":
            return self.got <= self.target
        return abs(self.deviation) <= self.tolerance

    def as_json(self) -> dict[str, Any]:
        """Return the figure as `--json` prints it."""
        return {**asdict(self), "deviation": self.deviation, "passed": self.passed}


@dataclass(frozen=True, kw_only=True)
class How:
    """What solves the cases."""

    backend: str = "numpy"
    device: str = "cpu"
    ranks: Communicator = field(default_factory=Alone)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """One case of the suite: what it shows, where its targets come from, and what computes its figures."""

    name: str  # V1, V2, …
    title: str
    source: str
    run: Callable[[How], Sequence[Figure]]
    note: str = ""
    quick: bool = False  # a second or less: part of every unit test
    backends: bool = True  # whether the backend matters


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a case gave on one backend."""

    case: Verification
    backend: str
    figures: Sequence[Figure] = ()
    seconds: float = 0.0
    skipped: str = ""  # why it could not be run here
    broke: str = ""  # why there are no figures

    @property
    def passed(self) -> bool:
        """Whether every figure meets its target; a case that was not run has not failed."""
        if self.broke:
            return False
        return bool(self.skipped) or all(figure.passed for figure in self.figures)
