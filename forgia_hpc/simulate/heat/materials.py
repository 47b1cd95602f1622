"""A material from its words: a name of the library, or properties of the user's own. As the solver takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forgia_hpc.errors import InputError, Problem, nearest
from forgia_hpc.simulate.heat.case import Material
from forgia_hpc.simulate.heat.latent import Latent, sensible, with_latent
from forgia_hpc.simulate.heat.library import ENTRIES, Entry, Formula, knots
from forgia_hpc.simulate.heat.tables import number, table, value

Floats = NDArray[np.float64]
_WORDS = {"density", "conductivity", "specific_heat", "latent", "range", "source", "transforms"}
_STEP_K = 20.0
_ALL = (-273.15, 1e4)  # the range of a material whose words give none


@dataclass(frozen=True, kw_only=True)
class Described:
    """A material, and what its source says of it."""

    material: Material
    source: str
    low: float  # °C
    high: float
    density: float  # kg/m³
    transforms: bool = False  # its specific heat holds the heat of a change of phase

    def within(self, temperatures: ArrayLike, field: str) -> None:
        """Refuse temperatures that the source does not cover.

        Raises:
            InputError: with the one that is farthest out.
        """
        flat = np.asarray(temperatures, dtype=np.float64).ravel()
        if all(self.low <= one <= self.high for one in flat.tolist()):
            return
        out = np.maximum(self.low - flat, flat - self.high)
        limit = f"{self.material.name} is known from {self.low:g} to {self.high:g} °C"
        fix = "stay within, or give a material of your own"
        got = float(flat[out.argmax()])
        raise InputError(Problem(field=field, got=got, limit=limit, where=self.source, fix=fix))


def material(words: str | Mapping[str, Any], field: str = "material") -> Described:
    """Return a material of the library by its name, or one from density, conductivity, specific_heat, latent.

    Raises:
        InputError: an unknown name or word, a table that does not rise, a property that is not above 0.
    """
    if isinstance(words, str):
        if words not in ENTRIES:
            fix = nearest(words, ENTRIES, f"there are {', '.join(sorted(ENTRIES))}")
            raise InputError(Problem(field=field, got=words, limit="no such material", fix=fix))
        return of_entry(words, ENTRIES[words])
    return _own(words, field)


def of_entry(name: str, entry: Entry) -> Described:
    """Return the solver's material of a library entry: two knots where all is constant."""
    formulas = callable(entry.conductivity) or callable(entry.specific_heat)
    at = knots(entry) if formulas else np.array([entry.low, entry.high])
    heat = sensible(at, entry.density, _formula(entry.specific_heat))
    return Described(
        material=_joined(name, at, heat, _formula(entry.conductivity)),
        source=entry.source,
        low=entry.low,
        high=entry.high,
        density=entry.density,
        transforms=entry.transforms,
    )


def _formula(words: float | Formula) -> Formula:
    if callable(words):
        return words
    constant = float(words)
    return lambda t: np.full_like(t, constant)


def _joined(name: str, at: Floats, enthalpy: Floats, conductivity: Formula) -> Material:
    return Material(
        name=name,
        temperature=tuple(at.tolist()),
        conductivity=tuple(conductivity(at).tolist()),
        enthalpy=tuple(enthalpy.tolist()),
    )


def _own(words: Mapping[str, Any], field: str) -> Described:
    _refuse_words(words, field)
    density = number(words.get("density"), f"{field}.density", above=0.0)
    conductivity = table(words.get("conductivity"), f"{field}.conductivity", above=0.0)
    heat = table(words.get("specific_heat"), f"{field}.specific_heat", above=0.0)
    low, high = _range(words, field)
    at = _own_knots(low, high, conductivity.temperature, heat.temperature)
    enthalpy = sensible(at, density, lambda t: value(heat, t))
    latents = [_latent(one, f"{field}.latent") for one in words.get("latent") or ()]
    at, enthalpy = with_latent(at, enthalpy, density, latents)
    return Described(
        material=_joined("own", at, enthalpy, lambda t: value(conductivity, t)),
        source=str(words.get("source", "")),
        low=low,
        high=high,
        density=density,
        transforms=bool(words.get("transforms", latents)),
    )


def _own_knots(
    low: float, high: float, conductivity: tuple[float, ...], heat: tuple[float, ...]
) -> Floats:
    """Return the tables' own temperatures, and some between: the integral of a sloping c is no straight line."""
    between = np.arange(heat[0], heat[-1], _STEP_K)
    at = np.unique(np.concatenate([[low, high], conductivity, heat, between]))
    return np.asarray(at[(at >= low) & (at <= high)])


def _refuse_words(words: Mapping[str, Any], field: str) -> None:
    unknown = sorted(set(words) - _WORDS)
    missing = [name for name in ("density", "conductivity", "specific_heat") if name not in words]
    problems = [
        Problem(field=f"{field}.{name}", got=words[name], limit="no such word",
                fix=nearest(name, _WORDS, f"there are {', '.join(sorted(_WORDS))}"))
        for name in unknown
    ]  # fmt: skip
    problems += [Problem(field=f"{field}.{name}", got=None, limit="is needed") for name in missing]
    if problems:
        raise InputError(problems)


def _range(words: Mapping[str, Any], field: str) -> tuple[float, float]:
    given = words.get("range") or _ALL
    ends = [number(end, f"{field}.range") for end in given]
    if len(ends) != 2 or not ends[0] < ends[1]:
        limit = "two temperatures in °C, the lower one first"
        raise InputError(Problem(field=f"{field}.range", got=list(given), limit=limit))
    return ends[0], ends[1]


def _latent(words: Any, field: str) -> Latent:
    if not isinstance(words, Mapping) or set(words) != {"heat", "low", "high"}:
        limit = "{heat: J/kg, low: °C, high: °C} is needed"
        raise InputError(Problem(field=field, got=words, limit=limit))
    return Latent(**{name: number(words[name], f"{field}.{name}") for name in words})
