"""What a person writes (20 degC, 1675 W/(m2.K), 40 mm) in the unit that a solver declares."""

from __future__ import annotations

import re

from forgia_hpc.data.ingest.unit_terms import WRITTEN, Measure, known_units, measure
from forgia_hpc.errors import InputError, Problem, nearest

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*", re.DOTALL)


def value_in(written: object, ucum: str, field: str) -> float:
    """Return a number, or a text `number [unit]`, in the unit `ucum`. A bare number is in that unit already.

    Raises:
        InputError: no number, an unknown unit, or one of another quantity.
    """
    if isinstance(written, int | float) and not isinstance(written, bool):
        return float(written)
    found = _NUMBER.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        limit, fix = "a number is needed, with or without a unit", f'"850 {ucum}"'
        raise InputError(Problem(field=field, got=written, limit=limit, fix=fix))
    return converted(float(found[1]), found[2], ucum, field) if found[2] else float(found[1])


def converted(value: float, unit: str, ucum: str, field: str) -> float:
    """Return a value of `unit` in `ucum`.

    Raises:
        InputError: an unknown unit, or one of another quantity.
    """
    if unit == ucum:
        return value
    given, wanted = _read(unit, field), _read(ucum, field)
    if given.dimension != wanted.dimension:
        limit = f"a unit like {ucum} is needed; {unit} measures something else"
        raise InputError(Problem(field=field, got=f"{value:g} {unit}", limit=limit))
    if (given.factor, given.offset) == (wanted.factor, wanted.offset):
        return value
    # 20 Cel is 293.15 K, and not 293.15000000000003 or so: members are named by their decimals
    base = value * given.factor + given.offset
    return float(f"{(base - wanted.offset) / wanted.factor:.12g}")


def _read(text: str, field: str) -> Measure:
    try:
        return measure(text, lenient=True)
    except LookupError as error:
        unknown = str(error.args[0])
        limit = f"{unknown!r} is none of {', '.join(known_units())}"
        fix = nearest(unknown, [*known_units(), *WRITTEN], "products with . and /, e.g. W/(m2.K)")
        raise InputError(Problem(field=field, got=text, limit=limit, fix=fix)) from error
    except ValueError as error:
        fix = "products with . and /, e.g. W/(m2.K)"
        raise InputError(Problem(field=field, got=text, limit=str(error), fix=fix)) from error
