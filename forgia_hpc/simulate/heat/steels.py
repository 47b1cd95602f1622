"""How a steel transforms and how hard it gets, from a person's words: composition, or a diagram of its own.

    composition: {C: 0.41, Mn: 0.75, …, grain: 7}          mass percent; TTT, Ms and hardness by published formulas
or  martensite: {start: 320, rate: 0.011}                  °C, 1/K
    diffusive: [{name: bainite, start: [[350, 8], …], finish: [[350, 90], …], limit: 1}]   rows [°C, s]
    hardness: {austenite: 200, bainite: 350, martensite: 650}                              Vickers
and, with either, heat: {martensite: 6.4e8}                J/m³ that a whole cell of a phase releases
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from forgia_hpc.errors import InputError, Problem, nearest
from forgia_hpc.simulate.heat.composition import composition, diffusive_phases
from forgia_hpc.simulate.heat.hardness import Given, Maynier
from forgia_hpc.simulate.heat.phases import Diffusive, Martensite, Transformation
from forgia_hpc.simulate.heat.tables import number, table

_WORDS = ("composition", "martensite", "diffusive", "hardness", "heat")
_PHASE = ("name", "start", "finish", "limit")


@dataclass(frozen=True, kw_only=True)
class Steel:
    """Phases, and the hardness of their mixture; None where the words give none."""

    transformation: Transformation
    hardness: Given | Maynier | None

    @property
    def releases(self) -> bool:
        """Whether a phase releases heat."""
        last = self.transformation.martensite
        heats = [phase.heat for phase in self.transformation.diffusive]
        return any(heats) or (last is not None and last.heat > 0)


def steel(words: Mapping[str, Any], field: str = "phases") -> Steel:
    """Return the steel of these words.

    Raises:
        InputError: unknown words, a diagram that crosses, a phase without hardness.
    """
    _refuse_unknown(words, _WORDS, field)
    by_formulas = "composition" in words
    if by_formulas == bool(set(words) & {"martensite", "diffusive", "hardness"}):
        limit = "either composition, or martensite, diffusive and hardness"
        raise InputError(Problem(field=field, got=sorted(words), limit=limit))
    found = _by_formulas(words, field) if by_formulas else _by_diagram(words, field)
    return _with_heat(found, words.get("heat") or {}, f"{field}.heat")


def _by_formulas(words: Mapping[str, Any], field: str) -> Steel:
    made = composition(
        _mapping(words["composition"], f"{field}.composition"), f"{field}.composition"
    )
    phases = Transformation(diffusive_phases(made), Martensite(start_c=made.ms))
    return Steel(transformation=phases, hardness=Maynier(made))


def _by_diagram(words: Mapping[str, Any], field: str) -> Steel:
    listed = words.get("diffusive") or []
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        limit = "a list of {name, start, finish}"
        raise InputError(Problem(field=f"{field}.diffusive", got=listed, limit=limit))
    diffusive = tuple(_diffusive(one, f"{field}.diffusive[{at}]") for at, one in enumerate(listed))
    phases = Transformation(diffusive, _martensite(words.get("martensite"), f"{field}.martensite"))
    given = _mapping(words.get("hardness") or {}, f"{field}.hardness")
    if given:
        _refuse_unknown(given, phases.names, f"{field}.hardness")
        missing = [name for name in phases.names if name not in given]
        if missing:
            limit = "each phase needs a hardness"
            raise InputError(
                [
                    Problem(field=f"{field}.hardness.{name}", got=None, limit=limit)
                    for name in missing
                ]
            )
    values = {name: number(given[name], f"{field}.hardness.{name}", least=0.0) for name in given}
    return Steel(transformation=phases, hardness=Given(values) if values else None)


def _diffusive(words: Any, field: str) -> Diffusive:
    words = _mapping(words, field)
    _refuse_unknown(words, _PHASE, field)
    missing = [name for name in _PHASE[:3] if name not in words]
    if missing:
        raise InputError(
            [Problem(field=f"{field}.{name}", got=None, limit="is needed") for name in missing]
        )
    return Diffusive(
        name=str(words["name"]),
        start=table(words["start"], f"{field}.start", above=0.0),
        finish=table(words["finish"], f"{field}.finish", above=0.0),
        limit=number(words.get("limit", 1.0), f"{field}.limit"),
    )


def _martensite(words: Any, field: str) -> Martensite | None:
    if words is None:
        return None
    words = _mapping(words, field)
    _refuse_unknown(words, ("start", "rate"), field)
    start = number(words.get("start"), f"{field}.start", least=-273.15)
    return Martensite(start_c=start, rate=number(words.get("rate", 0.011), f"{field}.rate"))


def _with_heat(made: Steel, words: Mapping[str, Any], field: str) -> Steel:
    phases = made.transformation
    _refuse_unknown(_mapping(words, field), phases.names[1:], field)
    heat = {name: number(words[name], f"{field}.{name}", least=0.0) for name in words}
    last = phases.martensite
    if last is not None:
        last = replace(last, heat=heat.get(last.name, 0.0))
    diffusive = tuple(replace(one, heat=heat.get(one.name, 0.0)) for one in phases.diffusive)
    return replace(made, transformation=Transformation(diffusive, last))


def _mapping(words: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(words, Mapping):
        raise InputError(Problem(field=field, got=words, limit="words with values: {…: …}"))
    return words


def _refuse_unknown(words: Mapping[str, Any], known: Sequence[str], field: str) -> None:
    problems = [
        Problem(field=f"{field}.{name}", got=words[name], limit="no such word",
                fix=nearest(str(name), known, f"there are {', '.join(known)}"))
        for name in words
        if name not in known
    ]  # fmt: skip
    if problems:
        raise InputError(problems)
