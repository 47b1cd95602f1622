"""The sealed words of a heat solver, read once more and by other code: what a member was asked to be.

Nothing here imports the solver or its units: what both read alike, two pieces of code have understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

ZERO_C = 273.15  # K
# kind → unit → (factor, offset) into m, °C, W/(m2 K), W/m2, 1
UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "length": {"m": (1.0, 0.0), "cm": (0.01, 0.0), "mm": (0.001, 0.0)},
    "temperature": {
        "Cel": (1.0, 0.0),
        "degC": (1.0, 0.0),
        "°C": (1.0, 0.0),
        "K": (1.0, -ZERO_C),
        "[degF]": (5 / 9, -160 / 9),
    },
    "transfer": {"W/(m2.K)": (1.0, 0.0), "kW/(m2.K)": (1e3, 0.0), "W.m-2.K-1": (1.0, 0.0)},
    "flux": {"W/m2": (1.0, 0.0), "kW/m2": (1e3, 0.0), "MW/m2": (1e6, 0.0)},
    "share": {"1": (1.0, 0.0), "%": (0.01, 0.0)},
}
_TEXT = re.compile(r"\s*([-+0-9.eE]+)\s*(\S*)\s*")
KINDS = {
    "h": "transfer",
    "convection": "transfer",
    "peak": "transfer",
    "film": "transfer",
    "into": "flux",
    "emissivity": "share",
}  # of a law's words; the others are temperatures


class UnreadError(Exception):
    """Words that this reading does not know: then there is nothing to compare with, and no verdict."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Options and one member's inputs; units: what each input is declared in."""

    options: Mapping[str, Any]
    inputs: Mapping[str, float]
    units: Mapping[str, str] = field(default_factory=dict)

    def number(self, word: Any, kind: str) -> float:
        """Return a word as a number in m, °C, W/(m2 K), W/m2 or 1."""
        if isinstance(word, str) and word in self.inputs:
            return convert(float(self.inputs[word]), self.units[word], kind)
        return plain(word, kind)

    def laws(self) -> dict[str, list[dict[str, Any]]]:
        """Return each side's laws, every number in its kind; tables of h as rows."""
        return self._laws

    @cached_property
    def _laws(self) -> dict[str, list[dict[str, Any]]]:
        return {side: [self._law(one) for one in _listed(laws)] for side, laws in self._walls()}

    def _walls(self) -> list[tuple[str, Any]]:
        return list(self.options["boundaries"].items())

    def _law(self, words: Any) -> dict[str, Any]:
        if isinstance(words, str):
            return {"law": words}
        found: dict[str, Any] = {"law": words["law"]}
        for name, word in words.items():
            if name == "law":
                continue
            table = name == "h" and not isinstance(word, str | int | float)
            found[name] = rows(word) if table else self.number(word, KINDS.get(name, "temperature"))
        return found

    @property
    def initial(self) -> float:
        """The start, °C."""
        return self.number(self.options["initial"], "temperature")

    def ambients(self) -> list[float]:
        """Return the temperatures behind the walls, °C."""
        found = []
        for laws in self.laws().values():
            for law in laws:
                found += [law[name] for name in ("ambient", "temperature") if name in law]
                found += [100.0] if law["law"] == "boiling_water" else []
        return found


def plain(word: Any, kind: str) -> float:
    """Return a number, or a text with a unit."""
    if isinstance(word, int | float):
        return float(word)
    found = _TEXT.fullmatch(str(word))
    if found is None:
        raise UnreadError(f"{word!r} is no number")
    value = float(found[1])
    return convert(value, found[2], kind) if found[2] else value


def convert(value: float, unit: str, kind: str) -> float:
    """Return a value in the unit of its kind."""
    if unit not in UNITS[kind]:
        raise UnreadError(f"{unit!r} is no unit that this reading knows for a {kind}")
    factor, offset = UNITS[kind][unit]
    return value * factor + offset


def rows(table: Any) -> list[tuple[float, float]]:
    """Return a table's rows."""
    listed: Sequence[Any] = list(table.items()) if isinstance(table, Mapping) else list(table)
    return [(float(a), float(b)) for a, b in listed]


def _listed(laws: Any) -> list[Any]:
    return list(laws) if isinstance(laws, list | tuple) else [laws]


def kind_of(unit: str) -> str:
    """Return which kind a declared unit is of."""
    for kind, known in UNITS.items():
        if unit in known:
            return kind
    raise UnreadError(f"{unit!r} is no unit that this reading knows")
