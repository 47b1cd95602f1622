"""The field family's own words, checked before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.models.options import unfit_names

_COUNTS = ("width", "layers", "heads", "feed_forward", "patch", "stencil")
_SHARES = ("dropout", "noise", "noise_floor")
_WHERE = "models/field_options.py"


@dataclass(frozen=True, kw_only=True)
class FieldOptions:
    """The shape of a field model, and how it is taught."""

    width: int  # of a token
    layers: int
    heads: int
    feed_forward: int  # width of the hidden layer of each feed-forward block
    patch: int = 4  # cells along each axis that make one token
    stencil: int = 16  # features of each cell: what neighbours tell each other at full resolution
    dropout: float = 0.0
    noise: float = 0.0  # added to what the model sees in training, in deviations of an increment
    noise_floor: float = 0.0  # of the solver's own error: what an error may be for nothing


def parse_options(options: Mapping[str, Any]) -> FieldOptions:
    """Return the options, or every problem in them at once.

    Raises:
        InputError: an unknown or missing name, a value out of range, shapes that do not fit.
    """
    values = dict(options)
    problems = [_problem(*one) for one in unfit_names(FieldOptions, values)]
    problems += [found for name, value in values.items() if (found := _of_one(name, value))]
    if not problems and values["width"] % (4 * values["heads"]):
        fix = f"try width={4 * values['heads'] * max(1, values['width'] // (4 * values['heads']))}"
        limit = f"must give each of {values['heads']} heads a multiple of 4"
        problems = [_problem("width", values["width"], limit, fix)]
    if problems:
        raise InputError(problems)
    return FieldOptions(**values)


def _of_one(name: str, value: object) -> Problem | None:
    if name in _COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        return _problem(name, value, "a whole number of at least 1 is needed")
    if name in _SHARES and not _is_share(name, value):
        return _problem(
            name, value, "0 up to (not including) 1" if name == "dropout" else "0 or more"
        )
    return None


def _is_share(name: str, value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and value >= 0 and (value < 1 or name != "dropout")  # type: ignore[operator]


def _problem(name: str, got: object, limit: str, fix: str = "") -> Problem:
    return Problem(field=f"model.options.{name}", got=got, limit=limit, where=_WHERE, fix=fix)
