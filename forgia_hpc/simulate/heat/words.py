"""The words of a heat solver: options as a person writes them, checked; names in them are inputs of the members.

Where a number may stand, the name of an input may stand too: `h: transfer` makes `transfer` an input in
W/(m2.K). One name may stand in several places of the same unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from forgia_hpc.errors import InputError, Problem, nearest
from forgia_hpc.simulate.heat.numbers import numbers_of
from forgia_hpc.simulate.member import Input
from forgia_hpc.simulate.units import value_in

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Role:
    """What a number of the options means."""

    ucum: str
    quantity: str
    low: float = -float("inf")
    high: float = float("inf")


LENGTH = Role(ucum="m", quantity="length", low=0.0)
TEMPERATURE = Role(ucum="Cel", quantity="temperature", low=-273.15)
TRANSFER = Role(ucum="W/(m2.K)", quantity="heat transfer coefficient", low=0.0)
FLUX = Role(ucum="W/m2", quantity="heat flux density")
SHARE = Role(ucum="1", quantity="emissivity", low=0.0, high=1.0)
CURVE = {
    "convection": TRANSFER,
    "boils": TEMPERATURE,
    "peak": TRANSFER,
    "peak_at": TEMPERATURE,
    "film": TRANSFER,
    "leidenfrost": TEMPERATURE,
}
LAWS: dict[str, dict[str, Role]] = {
    "symmetry": {},
    "fixed": {"temperature": TEMPERATURE},
    "flux": {"into": FLUX},
    "convection": {"h": TRANSFER, "ambient": TEMPERATURE},
    "radiation": {"emissivity": SHARE, "ambient": TEMPERATURE},
    "boiling": {**CURVE, "ambient": TEMPERATURE},
    "boiling_water": {"convection": TRANSFER},  # still, 100 °C, by correlations
}
GEOMETRIES: dict[str, dict[str, Role]] = {
    "box": {},
    "ring": {"inner": LENGTH, "outer": LENGTH, "height": LENGTH},
    "cylinder": {"radius": LENGTH, "height": LENGTH},
    "ball": {"radius": LENGTH},
    "voxels": {},
}


@dataclass(frozen=True, kw_only=True)
class HeatOptions:
    """What `solver.options` may hold."""

    geometry: str = "box"  # box | ring | cylinder | ball | voxels
    shape: list[int] = field(default_factory=lambda: [32, 32])  # cells, slowest axis first
    lengths: list[Any] = field(default_factory=list)  # box: m, one an axis
    inner: Any = None  # ring: m
    outer: Any = None
    radius: Any = None  # cylinder, ball: m
    height: Any = None  # ring, cylinder: m
    steps: list[Any] = field(
        default_factory=list
    )  # voxels: [length, diameter] from the bottom up, m
    bore: float = 0.0  # voxels: diameter, m
    spacing: float = 0.0  # voxels: m
    material: Any = "carbon_steel_en1993"  # a name of the library, or properties
    initial: Any = "initial"  # °C
    boundaries: dict[str, Any] = field(default_factory=dict)  # side -> law, or a list of laws
    defaults: dict[str, Any] = field(
        default_factory=dict
    )  # inputs' values where the ensemble gives none
    phases: dict[str, Any] = field(default_factory=dict)  # heat/steels.py
    end_s: float = 60.0
    frames: int = 21  # kept: the start, the end, and between them at equal times
    scheme: str = "explicit"
    cfl: float = 0.9
    step_s: float | None = None
    backend: str = "auto"  # numpy | numba | torch | auto
    device: str = "cpu"
    dtype: str = "f64"


def options_of(given: Mapping[str, Any]) -> HeatOptions:
    """Return options, numbers in the solver's units; InputError names every unknown word and what is no number."""
    known = [one.name for one in fields(HeatOptions)]
    problems = [
        Problem(
            field=f"solver.options.{name}",
            got=given[name],
            limit="no such word",
            where="simulate/heat/words.py",
            fix=nearest(str(name), known, f"there are {', '.join(known)}"),
        )
        for name in given
        if name not in known
    ]
    if problems:
        raise InputError(problems)
    return HeatOptions(**numbers_of(given))


class Inputs:
    """The inputs that the options name, in the order of their first place."""

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        """Take the defaults as written, with or without a unit."""
        self.defaults = dict(defaults)
        self.found: dict[str, Input] = {}
        self.problems: list[Problem] = []

    def add(self, word: Any, role: Role, field: str) -> None:
        """Take one place of the options: a number, a text with a unit, or an input's name."""
        if not is_name(word):
            self._number(word, role, field)
            return
        known = self.found.get(word)
        if known is not None and known.ucum != role.ucum:
            limit = f"in {role.ucum} here, in {known.ucum} elsewhere: one input has one unit"
            self.problems.append(Problem(field=field, got=word, limit=limit))
        elif known is None:
            self.found[word] = Input(
                name=word,
                ucum=role.ucum,
                quantity=role.quantity,
                default=self._default(word, role),
                low=role.low,
                high=role.high,
            )

    def finished(self) -> tuple[Input, ...]:
        """Return the inputs; InputError with everything that was wrong."""
        for name in self.defaults:
            if name not in self.found:
                fix = nearest(name, self.found, f"the options name {', '.join(self.found)}")
                where = f"solver.options.defaults.{name}"
                limit = "no place of the options names it"
                self.problems.append(
                    Problem(field=where, got=self.defaults[name], limit=limit, fix=fix)
                )
        if self.problems:
            raise InputError(self.problems)
        return tuple(self.found.values())

    def _default(self, name: str, role: Role) -> float | None:
        given = self.defaults.get(name)
        if given is None:
            return None
        return self._number(given, role, f"solver.options.defaults.{name}")

    def _number(self, word: Any, role: Role, field: str) -> float | None:
        try:
            value = value_in(word, role.ucum, field)
        except InputError as error:
            self.problems += error.problems
            return None
        if not role.low <= value <= role.high:
            limit = f"{role.low:g} to {role.high:g} {role.ucum}"
            self.problems.append(Problem(field=field, got=word, limit=limit))
        return value


def is_name(word: Any) -> bool:
    """Whether a word of the options is the name of an input."""
    return isinstance(word, str) and _NAME.fullmatch(word) is not None


def value_of(word: Any, role: Role, inputs: Mapping[str, float]) -> float:
    """Return a checked word's value for one member."""
    return float(inputs[word]) if is_name(word) else value_in(word, role.ucum, "")


def laws_in(words: Any) -> list[dict[str, Any]]:
    """Return a side's laws as mappings with `law`."""
    listed = words if isinstance(words, list | tuple) else [words]
    return [{"law": one} if isinstance(one, str) else dict(one) for one in listed]


def law_problems(law: Mapping[str, Any], field: str) -> Iterator[Problem]:
    """Give what is wrong with a law's words."""
    name = law.get("law")
    if name not in LAWS:
        fix = nearest(str(name), LAWS, f"there are {', '.join(LAWS)}")
        yield Problem(field=field, got=name, limit="no such law", fix=fix)
        return
    wanted = LAWS[str(name)]
    for word in sorted({*wanted} - {*law}):
        yield Problem(field=f"{field}.{word}", got=None, limit=f"is needed by {name}")
    for word in sorted({*law} - {*wanted, "law"}):
        fix = nearest(word, wanted, f"{name} takes {', '.join(wanted) or 'nothing'}")
        yield Problem(field=f"{field}.{word}", got=law[word], limit="no such word", fix=fix)
