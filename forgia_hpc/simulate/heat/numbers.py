"""Options that are numbers, counts, lists or mappings, as a person writes them: `40 min` for `end_s` too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.simulate.units import value_in

_FIELD = "solver.options"
_UNITS = {"end_s": "s", "step_s": "s", "cfl": "1", "bore": "m", "spacing": "m"}
_LISTS = {
    "shape": "[32, 32]: cells, slowest axis first",
    "lengths": "[0.1, 0.1]: m, one an axis",
    "steps": "[[length, diameter], …] from the bottom up",
}
_MAPPINGS = {
    "boundaries": "{side: law}",
    "defaults": "{input: value}",
    "phases": "the words of a steel",
}


def numbers_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with every number in the solver's unit; what holds inputs' names stays as it is.

    Raises:
        InputError: everything that is no number, no list or no mapping where one is needed.
    """
    found, problems = dict(given), list(_shapeless(given))
    for name, ucum in _UNITS.items():
        if given.get(name) is not None:
            _read(found, name, ucum, problems)
    _read_count(found, problems)
    if not problems and found.get("steps"):
        _read_steps(found, problems)
    if problems:
        raise InputError(problems)
    return found


def _shapeless(given: Mapping[str, Any]) -> list[Problem]:
    """Return what stands where a list or a mapping is needed."""
    wrong = [(name, "a list", fix) for name, fix in _LISTS.items() if not _listed(given, name)]
    wrong += [
        (name, "a mapping", fix)
        for name, fix in _MAPPINGS.items()
        if not isinstance(given.get(name, {}), Mapping)
    ]
    return [
        Problem(field=f"{_FIELD}.{name}", got=given[name], limit=f"{kind} is needed", fix=fix)
        for name, kind, fix in wrong
    ]


def _listed(given: Mapping[str, Any], name: str) -> bool:
    return isinstance(given.get(name, []), list | tuple)


def _read(found: dict[str, Any], name: str, ucum: str, problems: list[Problem]) -> None:
    """Put a number in the place of a number or a text with a unit."""
    try:
        found[name] = value_in(found[name], ucum, f"{_FIELD}.{name}")
    except InputError as error:
        problems += error.problems


def _read_count(found: dict[str, Any], problems: list[Problem]) -> None:
    """Refuse frames that are no count; a text of digits is one."""
    given = found.get("frames", 2)
    if isinstance(given, str) and given.strip().isdecimal():
        found["frames"] = int(given)
    elif not isinstance(given, int) or isinstance(given, bool):
        limit = "a whole number is needed, at least 2"
        problems.append(Problem(field=f"{_FIELD}.frames", got=given, limit=limit))


def _read_steps(found: dict[str, Any], problems: list[Problem]) -> None:
    """Read the steps of a turned body: length and diameter of each, m."""
    read: list[list[float]] = []
    for at, one in enumerate(found["steps"]):
        field = f"{_FIELD}.steps[{at}]"
        if not isinstance(one, list | tuple) or len(one) != 2:
            problems.append(Problem(field=field, got=one, limit="[length, diameter] is needed"))
            continue
        try:
            read.append([value_in(word, "m", field) for word in one])
        except InputError as error:
            problems += error.problems
    found["steps"] = read
