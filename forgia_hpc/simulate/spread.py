"""What an ensemble says of each input: one value, a choice of values, or a range. In the solver's units."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem, nearest
from forgia_hpc.simulate.member import Input
from forgia_hpc.simulate.units import value_in

Values = NDArray[np.float64]
_WORDS = ("low", "high", "scale", "steps", "values")
_SHAPE = "a number, {low: …, high: …} or {values: […]}"
_DIGITS = (
    9  # of a drawn value: logarithms differ in their last bits between processors, names must not
)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """An input that varies: a range, or values to choose from. Fixed where there is one value only."""

    name: str
    values: tuple[float, ...] = ()
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    steps: int = 0  # of a grid

    @property
    def varies(self) -> bool:
        """Whether members differ in it."""
        return len(self.values) != 1

    def at(self, places: Values) -> Values:
        """Return the values at these places of the range, each in [0, 1)."""
        if self.values:
            chosen = np.minimum((places * len(self.values)).astype(np.int64), len(self.values) - 1)
            return np.array(self.values)[chosen]
        if self.log:
            drawn = self.low * np.exp(places * math.log(self.high / self.low))
        else:
            drawn = self.low + places * (self.high - self.low)
        return np.clip(_rounded(drawn), self.low, self.high)

    def stations(self) -> Values:
        """Return the values of a grid, both ends among them."""
        return np.array(self.values) if self.values else self.at(np.linspace(0, 1, self.steps))

    def words(self) -> dict[str, Any]:
        """Return it as the manifest keeps it."""
        if self.values:
            return {"values": list(self.values)}
        scale = "log" if self.log else "linear"
        return {"low": self.low, "high": self.high, "scale": scale}


def _rounded(values: Values) -> Values:
    return np.array([float(f"{value:.{_DIGITS}g}") for value in values])


def spreads(
    written: Mapping[str, Any], known: Sequence[Input], columns: Collection[str] = ()
) -> list[Spread]:
    """Return every input of the solver in its order, but for those that a file has columns of.

    What is not written has its default.

    Raises:
        InputError: every unknown, missing, unreadable or impossible one.
    """
    names = [one.name for one in known]
    problems = [
        Problem(
            field=f"ensemble.inputs.{name}",
            got=written[name],
            limit=f"the solver has no such input; it has {', '.join(names)}",
            fix=nearest(name, names, "leave it out"),
        )
        for name in written
        if name not in names
    ]
    problems += [
        Problem(
            field=f"ensemble.inputs.{name}", got=written[name], limit="the file has a column of it"
        )
        for name in written
        if name in columns
    ]
    found = []
    for one in (one for one in known if one.name not in columns):
        try:
            found.append(_spread(one, written.get(one.name)))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def _spread(given: Input, written: Any) -> Spread:
    field = f"ensemble.inputs.{given.name}"
    if written is None:
        if given.default is None:
            fix = f"{given.name}: {{low: …, high: …}} in {given.ucum}, or one value"
            limit = f"the solver needs it ({given.quantity or 'in'} {given.ucum})"
            raise InputError(Problem(field=field, got=None, limit=limit, fix=fix))
        return Spread(name=given.name, values=(float(given.default),))
    if not isinstance(written, Mapping):
        return _checked(
            Spread(name=given.name, values=(value_in(written, given.ucum, field),)), given
        )
    if unknown := [str(word) for word in written if word not in _WORDS]:
        fix = nearest(unknown[0], _WORDS, "")
        raise InputError(
            Problem(field=f"{field}.{unknown[0]}", got=written[unknown[0]], limit=_SHAPE, fix=fix)
        )
    if ("values" in written) == ("low" in written or "high" in written):
        raise InputError(Problem(field=field, got=dict(written), limit=_SHAPE))
    return _checked(
        _choice(given, written) if "values" in written else _range(given, written), given
    )


def _choice(given: Input, written: Mapping[str, Any]) -> Spread:
    field, values = f"ensemble.inputs.{given.name}.values", written["values"]
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise InputError(Problem(field=field, got=values, limit="a list of values is needed"))
    found = [value_in(value, given.ucum, field) for value in values]
    if len(set(found)) < len(found):
        raise InputError(Problem(field=field, got=list(values), limit="a value stands there twice"))
    return Spread(name=given.name, values=tuple(found))


def _range(given: Input, written: Mapping[str, Any]) -> Spread:
    field, scale, steps = (
        f"ensemble.inputs.{given.name}",
        written.get("scale", "linear"),
        written.get("steps", 0),
    )
    ends = [value_in(written.get(end), given.ucum, f"{field}.{end}") for end in ("low", "high")]
    faults = (
        ("high", ends[1], f"above low={ends[0]:g} is needed", not ends[0] < ends[1]),
        ("scale", scale, "linear or log", scale not in ("linear", "log")),
        ("low", ends[0], "above 0 on a log scale", scale == "log" and not ends[0] > 0),
        ("steps", steps, "a whole number of at least 2", not _is_steps(steps)),
    )
    if problems := [
        Problem(field=f"{field}.{end}", got=got, limit=limit)
        for end, got, limit, bad in faults
        if bad
    ]:
        raise InputError(problems)
    return Spread(name=given.name, low=ends[0], high=ends[1], log=scale == "log", steps=steps)


def _is_steps(steps: object) -> bool:
    return isinstance(steps, int) and not isinstance(steps, bool) and (steps == 0 or steps >= 2)


def _checked(spread: Spread, given: Input) -> Spread:
    """Refuse what the solver does not take."""
    ends = spread.values or (spread.low, spread.high)
    problems = [
        Problem(field=f"ensemble.inputs.{given.name}", got=value, limit=outside(given))
        for value in ends
        if not takes(given, value)
    ]
    if problems:
        raise InputError(problems)
    return spread


def takes(given: Input, value: float) -> bool:
    """Whether the solver takes this value of an input."""
    return math.isfinite(value) and given.low <= value <= given.high


def outside(given: Input) -> str:
    """Return what a solver takes of an input, as an error says it."""
    unit = "" if given.ucum == "1" else f" {given.ucum}"
    low = "" if math.isinf(given.low) else f"from {given.low:g}{unit}"
    high = "" if math.isinf(given.high) else f"up to {given.high:g}{unit}"
    return f"the solver takes {' '.join(part for part in (low, high) if part) or 'finite values'}"
