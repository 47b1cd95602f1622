"""What the declared words and the plug-in's own function say of a member's arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from forgia_hpc.schema.program import Program, ProgramField
from forgia_hpc.simulate.command.extract import function
from forgia_hpc.simulate.member import Array, Finding


def findings(
    program: Program, inputs: Mapping[str, float], fields: Mapping[str, Array]
) -> list[Finding]:
    """Return every finding: finite, each field's range and trend, and those of `check`."""
    finite = all(bool(np.isfinite(values).all()) for values in fields.values())
    found = [Finding(check="finite", value=float(finite), limit="every value", passed=finite)]
    for name, one in program.fields.items():
        found += _range(name, one, inputs, fields[name])
        found += _trend(name, one, inputs, fields[name])
    if program.check:
        found += function(program.check)(inputs, fields)
    return found


def _range(
    name: str, one: ProgramField, inputs: Mapping[str, float], values: Array
) -> Iterator[Finding]:
    bounds = _bounds(one, inputs)
    slack = _slack(one, inputs, values)
    for side, bound in bounds.items():
        worst = float(values.min() if side == "low" else values.max())
        passed = worst >= bound - slack if side == "low" else worst <= bound + slack
        limit = f"{'at least' if side == 'low' else 'at most'} {bound:g} {one.ucum}"
        yield Finding(check=f"{side}_{name}", value=worst, limit=limit, passed=passed)


def _trend(
    name: str, one: ProgramField, inputs: Mapping[str, float], values: Array
) -> Iterator[Finding]:
    if not one.trend:
        return
    change = np.diff(values, axis=0) * (1 if one.trend == "falling" else -1)
    worst = float(change.max(initial=0.0))
    passed = worst <= _slack(one, inputs, values)
    yield Finding(
        check=f"{one.trend}_{name}",
        value=worst,
        limit=f"0 {one.ucum} a step against the trend",
        passed=passed,
    )


def _bounds(one: ProgramField, inputs: Mapping[str, float]) -> dict[str, float]:
    said = {"low": one.low, "high": one.high}
    return {
        side: float(inputs[word] if isinstance(word, str) else word)
        for side, word in said.items()
        if word is not None
    }


def _slack(one: ProgramField, inputs: Mapping[str, float], values: Array) -> float:
    """Return what rounding may cost: a share of the declared span, else of the values' own."""
    bounds = list(_bounds(one, inputs).values())
    span = abs(bounds[1] - bounds[0]) if len(bounds) == 2 else float(np.ptp(values))
    return one.slack * span
