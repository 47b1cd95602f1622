"""The telemetry family's own words, checked before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from typing import Any

from forgia_hpc.errors import InputError, Problem

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

_COUNTS = ("width", "layers", "heads", "feed_forward", "patch")
_WHERE = "models/options.py"


@dataclass(frozen=True, kw_only=True)
class TelemetryOptions:
    """The shape of a telemetry model."""

    width: int  # of the hidden state
    layers: int
    heads: int
    feed_forward: int  # width of the hidden layer of each feed-forward block
    patch: int = 16  # time steps that make one token
    quantiles: tuple[float, ...] = DECILES
    dropout: float = 0.0
    initial_scale: float = (
        0.05  # of the random weights; Chronos-2's. Small models start slowly with it
    )


def parse_options(options: Mapping[str, Any]) -> TelemetryOptions:
    """Return the options, or every problem in them at once.

    Raises:
        InputError: an unknown or missing name, a wrong type, a value out of range, shapes that do not fit.
    """
    values = dict(options)
    problems = [_problem(*one) for one in unfit_names(TelemetryOptions, values)]
    problems += [
        problem for name, value in values.items() if (problem := _of_one(name, value)) is not None
    ]
    if not problems:
        problems = _across(values["width"], values["heads"])
    if problems:
        raise InputError(problems)
    if "quantiles" in values:
        values["quantiles"] = tuple(float(level) for level in values["quantiles"])
    return TelemetryOptions(**values)


def unfit_names(kind: type[Any], values: Mapping[str, Any]) -> Iterator[tuple[str, object, str]]:
    """Yield name, value and limit of each option that a family's dataclass lacks, or needs and was not given."""
    known = {entry.name: entry for entry in fields(kind)}
    for name in values:
        if name not in known:
            yield name, values[name], f"unknown; {', '.join(known)} are known"
    for name, entry in known.items():
        if entry.default is MISSING and name not in values:
            yield name, None, "is needed"


def _of_one(name: str, value: object) -> Problem | None:
    if name in _COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        return _problem(name, value, "a whole number of at least 1 is needed")
    if name == "dropout" and not (isinstance(value, int | float) and 0 <= value < 1):
        return _problem(name, value, "0 up to (not including) 1")
    if name == "initial_scale" and not (isinstance(value, int | float) and 0 < value <= 1):
        return _problem(name, value, "above 0, up to 1")
    if name == "quantiles" and not _are_levels(value):
        limit = "levels between 0 and 1, rising, with 0.5 among them"
        return _problem(name, value, limit, "write e.g. [0.1, 0.5, 0.9]")
    return None


def _are_levels(value: object) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return False
    levels = list(value)
    return (
        all(isinstance(level, float) and 0 < level < 1 for level in levels)
        and all(low < high for low, high in pairwise(levels))
        and 0.5 in levels
    )


def _across(width: int, heads: int) -> list[Problem]:
    # Rotary positions turn pairs of numbers, so a head's share of the width must be even.
    if width % heads == 0 and (width // heads) % 2 == 0:
        return []
    fix = f"try width={2 * heads * max(1, round(width / heads / 2))}"
    return [_problem("width", width, f"must give each of {heads} heads an even share", fix)]


def _problem(name: str, got: object, limit: str, fix: str = "") -> Problem:
    return Problem(field=f"model.options.{name}", got=got, limit=limit, where=_WHERE, fix=fix)
