"""What austenite becomes as it cools, cell by cell: ferrite, pearlite, bainite by time, martensite by temperature.

Diffusive phases: start and finish times at constant temperature (a TTT diagram) give Avrami's law
1 - exp(-b t^n) at each temperature; a path of any shape is cut into short holds. Scheil's sum of dt/t_start says
when a phase begins (Avrami, J. Chem. Phys. 8 (1940) 212; Scheil, Arch. Eisenhüttenw. 8 (1935) 565). Martensite:
Koistinen and Marburger, Acta Metall. 7 (1959) 59.

Each cell goes its own way, and every array is made whole before it is used: the bits of a cell do not depend on
which others lie beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.simulate.heat.case import Table

Array = NDArray[np.float64]
RATE_AT_C = 700.0  # Maynier's hardness formulas ask for the cooling rate here
_BEGUN, _DONE = 0.01, 0.99  # the shares that the start and finish curves of a TTT diagram mean
_SPENT = 1e-12  # austenite below which nothing more happens


@dataclass(frozen=True, kw_only=True)
class Diffusive:
    """A phase that grows in time. Outside its table's temperatures it does not grow."""

    name: str
    start: Table  # s until `begun`, over °C
    finish: Table  # s until `done`
    begun: float = _BEGUN
    done: float = _DONE
    limit: float = 1.0  # the share that equilibrium allows
    heat: float = 0.0  # J/m³ released by a whole cell

    def __post_init__(self) -> None:
        """Refuse curves that cross, do not share their temperatures, or hold no times."""
        for limit, wrong in (
            ("start and finish at the same temperatures", self.start.temperature != self.finish.temperature),
            ("times above 0 s", min(*self.start.values, *self.finish.values) <= 0),
            ("a finish after the start, at every temperature",
             any(a >= b for a, b in zip(self.start.values, self.finish.values, strict=False))),
            ("shares 0 < begun < done < 1", not 0 < self.begun < self.done < 1),
            ("a limit above 0, at most 1", not 0 < self.limit <= 1),
        ):  # fmt: skip
            if wrong:
                raise InputError(Problem(field=f"phases.{self.name}", got=None, limit=limit))

    def law(self, temperature: Array) -> tuple[Array, Array]:
        """Return the start time and Avrami's exponent at each temperature: log times are straight between rows."""
        at = np.asarray(self.start.temperature)
        start = np.interp(temperature, at, np.log(self.start.values))
        finish = np.interp(temperature, at, np.log(self.finish.values))
        ratio = math.log(math.log1p(-self.done) / math.log1p(-self.begun))
        return np.exp(start), ratio / (finish - start)


@dataclass(frozen=True, kw_only=True)
class Martensite:
    """The phase that the temperature alone decides: 1 - exp(-rate (Ms - T)) of the austenite that is left."""

    start_c: float  # Ms
    rate: float = 0.011  # 1/K
    heat: float = 0.0  # J/m³ released by a whole cell
    name: str = "martensite"

    def __post_init__(self) -> None:
        """Refuse a rate that is not above 0."""
        if not 0 < self.rate < math.inf:
            raise InputError(
                Problem(field="phases.martensite.rate", got=self.rate, limit="above 0 1/K")
            )


@dataclass(frozen=True)
class Transformation:
    """The phases of one steel, in the order in which they take from what austenite is left.

    Beside the fractions, `fractions` carries what the path has to be remembered by: Scheil sums, the lowest
    temperature so far, the cooling rate at 700 °C (K/s).
    """

    diffusive: Sequence[Diffusive] = ()
    martensite: Martensite | None = None
    _names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Refuse two phases of one name."""
        last = [self.martensite.name] if self.martensite else []
        names = ["austenite", *(phase.name for phase in self.diffusive), *last]
        if len(set(names)) < len(names):
            limit = "a name for each phase, none of them austenite"
            raise InputError(Problem(field="phases", got=names[1:], limit=limit))
        object.__setattr__(self, "_names", tuple(names))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fractions that sum to 1."""
        return self._names

    @property
    def remembered(self) -> tuple[str, ...]:
        """Names of what is carried along with them."""
        return (*(f"begun {phase.name}" for phase in self.diffusive), "lowest", "rate")

    def start(self, shape: tuple[int, ...]) -> dict[str, Array]:
        """Return austenite everywhere, with nothing remembered."""
        state = {name: np.zeros(shape) for name in (*self.names, *self.remembered)}
        state["austenite"] += 1.0
        state["lowest"] += np.inf
        return state

    def advance(
        self, before: Array, after: Array, dt: float, fractions: Mapping[str, Array]
    ) -> tuple[dict[str, Array], Array | float]:
        """Return the fractions `dt` later, and the heat released on the way (J/m³)."""
        state = dict(fractions)
        before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
        state["rate"] = _rate(before, after, dt, state["rate"])
        middle = 0.5 * (before + after)
        heat: Array | float = 0.0
        for phase in self.diffusive:
            heat = heat + phase.heat * _grow(phase, middle, dt, state)
        if self.martensite is not None:
            heat = heat + self.martensite.heat * _quench(self.martensite, after, state)
        state["lowest"] = np.minimum(state["lowest"], after)
        return state, heat


def _rate(before: Array, after: Array, dt: float, known: Array) -> Array:
    passes = (before >= RATE_AT_C) & (after < RATE_AT_C)
    return np.where(passes, (before - after) / dt, known) if passes.any() else known


def _grow(phase: Diffusive, middle: Array, dt: float, state: dict[str, Array]) -> Array | float:
    """Let a phase grow for `dt` at the temperature in the middle of the step; return what it gained."""
    low, high = phase.start.temperature[0], phase.start.temperature[-1]
    active = (middle >= low) & (middle <= high) & (state["austenite"] > _SPENT)
    if not active.any():
        return 0.0
    start, exponent = phase.law(middle[active])
    begun, ready = _scheil(state, phase.name, active, dt / start)
    old, free = state[phase.name][active], state["austenite"][active]
    whole = np.minimum(phase.limit, old + free)
    scale = -math.log1p(-phase.begun)
    share = np.clip(old / whole, np.where(begun, phase.begun, 0.0), 1.0 - 1e-15)
    equivalent = (-np.log1p(-share) / scale) ** (1.0 / exponent)  # in start times: 1 at `begun`
    grown = -np.expm1(-scale * (equivalent + ready) ** exponent) * whole
    gained = np.where(begun, np.clip(grown - old, 0.0, free), 0.0)
    return _take(state, phase.name, active, gained)


def _scheil(state: dict[str, Array], name: str, active: NDArray[np.bool_], spent: Array) -> tuple[
    NDArray[np.bool_], Array
]:  # fmt: skip
    """Add to Scheil's sum; return where the phase has begun, and the start times left over for growth."""
    sums = state[f"begun {name}"].copy()
    old = sums[active]
    new = old + spent
    sums[active] = new
    state[f"begun {name}"] = sums
    return new >= 1.0, np.where(old >= 1.0, spent, np.maximum(new - 1.0, 0.0))


def _quench(phase: Martensite, after: Array, state: dict[str, Array]) -> Array | float:
    """Turn austenite to martensite down to `after`, where no cell has been so cold before."""
    warm = np.minimum(state["lowest"], phase.start_c)
    active = (after < warm) & (state["austenite"] > _SPENT)
    if not active.any():
        return 0.0
    free = state["austenite"][active]
    gained = free * -np.expm1(-phase.rate * (warm[active] - after[active]))
    return _take(state, phase.name, active, gained)


def _take(state: dict[str, Array], name: str, active: NDArray[np.bool_], gained: Array) -> Array:
    """Move a share from austenite to a phase; return it on all cells."""
    moved = np.zeros_like(state[name])
    moved[active] = gained
    state[name] = state[name] + moved
    state["austenite"] = state["austenite"] - moved
    return moved
