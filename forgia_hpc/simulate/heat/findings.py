"""What the physics says of a solved member: finite, heat balance, maximum principle, cooling, time step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.heat.case import Case, History
from forgia_hpc.simulate.heat.laws import driver_of
from forgia_hpc.simulate.heat.walls import laws_of
from forgia_hpc.simulate.member import Finding, Output

BALANCE = {"f64": 1e-12, "f32": 1e-5}  # of the heat content, a step
DRIFT = {
    "f64": 1e-10,
    "f32": 1e-4,
}  # of the heat in play, over all steps: they may all err to one side
_ROUNDING = {"f64": 1e-10, "f32": 1e-5}  # of the temperatures' range
_IMPLICIT = 0.02  # of the range: a step of second order may overshoot where a front is not resolved


def findings(
    case: Case, history: History, output: Output, ranks: Communicator
) -> Sequence[Finding]:
    """Return all findings, the same on every rank."""
    found = [_finite(output, ranks)]
    if not found[0].passed:
        return found
    return [
        *found,
        *_balance(case, history),
        *_bounds(case, history, ranks),
        _cooling(case, history, ranks),
        *_fractions(history, ranks),
        _step(case, history),
    ]


def _finite(output: Output, ranks: Communicator) -> Finding:
    own = sum(int((~np.isfinite(values)).sum()) for values in output.fields.values())
    count = sum(ranks.allgather(own))
    return Finding(
        check="finite", value=float(count), limit="0 values that are not", passed=not count
    )


def _balance(case: Case, history: History) -> Iterator[Finding]:
    """Give what the book of heat lacks: in the worst interval by its steps, and over the whole time."""
    for check, fact, limit, over in (
        ("energy_balance", "energy_residual", BALANCE[case.dtype], "of the heat content, a step"),
        ("energy_drift", "energy_drift", DRIFT[case.dtype], "of the heat in play, over all steps"),
    ):
        value = history.facts[fact]
        yield Finding(
            check=check, value=value, limit=f"below {limit:g} {over}", passed=value < limit
        )


def _bounds(case: Case, history: History, ranks: Communicator) -> Iterator[Finding]:
    """Give how far the temperature leaves what start and surroundings allow, as a share of their range."""
    facts = history.facts
    low = min(facts["initial_low"], facts["driven_low"])
    high = max(facts["initial_high"], facts["driven_high"])
    inside = case.source is not None or facts["heat_made_j"] != 0.0
    span = max(high - low, 1e-300)
    under = (low - _least(history.temperature, ranks)) / span
    over = (-_least(-history.temperature, ranks) - high) / span
    under, over = (0.0 if open_end else one for one, open_end in (
        (under, inside or facts["cooled"] > 0), (over, inside or facts["heated"] > 0)
    ))  # fmt: skip
    limit = _tolerance(case)
    value = max(under, over, 0.0)
    yield Finding(
        check="maximum_principle",
        value=value,
        limit=f"at most {limit:g} of {low:g} to {high:g} °C outside it",
        passed=value <= limit,
        note="heat from inside or by a flux: not bound on that end"
        if inside or _driven(facts)
        else "",
    )


def _cooling(case: Case, history: History, ranks: Communicator) -> Finding:
    """Return the largest rise between two frames, where a body of one temperature cools in steady cold."""
    facts, check = history.facts, "monotone_cooling"
    even = facts["initial_high"] == facts["initial_low"] >= facts["driven_high"]
    steady = all(
        isinstance(driver_of(law), float | int | None)
        for given in case.boundaries.values()
        for law in laws_of(given)
    )
    inside = case.source is not None or facts["heat_made_j"] != 0.0
    if not even or not steady or inside or facts["heated"] > 0:
        note = "not asked: this start, or these surroundings, may heat a cell"
        return Finding(check=check, value=0.0, limit="no rise", passed=True, note=note)
    span = max(facts["initial_high"] - min(facts["driven_low"], facts["initial_low"]), 1e-300)
    rise = -_least(-np.diff(history.temperature, axis=0), ranks) / span if span > 1e-300 else 0.0
    limit = _tolerance(case)
    value = max(rise, 0.0)
    text = f"no rise above {limit:g} of the range between two frames"
    return Finding(check=check, value=value, limit=text, passed=value <= limit)


def _fractions(history: History, ranks: Communicator) -> Iterator[Finding]:
    names = [name for name in history.fractions if name != "rate"]
    if not names:
        return
    total = sum(history.fractions[name] for name in names)
    off = max(
        -_least(-np.abs(np.asarray(total) - 1.0), ranks),
        *(-_least(history.fractions[name], ranks) for name in names),
    )
    limit = "shares of at least 0 that make 1, to 1e-9"
    yield Finding(check="fractions", value=off, limit=limit, passed=off <= 1e-9)


def _step(case: Case, history: History) -> Finding:
    value = history.facts["largest_cfl"]
    explicit = case.scheme == "explicit"
    return Finding(
        check="time_step",
        value=value,
        limit="at most 1 of the explicit limit"
        if explicit
        else "implicit: any share of the explicit limit",
        passed=not explicit or value <= 1.0 + 1e-12,
        note=f"{history.facts['steps']:g} steps of at most {history.facts['longest_step_s']:g} s",
    )


def _tolerance(case: Case) -> float:
    return _IMPLICIT if case.scheme == "implicit" else _ROUNDING[case.dtype]


def _driven(facts: Any) -> bool:
    return bool(facts["heated"] or facts["cooled"])


def _least(values: NDArray[Any], ranks: Communicator) -> float:
    """Return the lowest value over all ranks."""
    return float(min(ranks.allgather(float(values.min()))))
