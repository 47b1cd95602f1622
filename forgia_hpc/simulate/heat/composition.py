"""What a steel's composition says of its transformations: temperatures, TTT curves, hardness. Mass percent, °C.

Formulas fitted to low-alloy steels: guides, not data. A diagram measured on your own steel is better.
TTT: Li, Niebuhr, Meekisho and Atteridge, Metall. Mater. Trans. B 29 (1998) 661, after Kirkaldy. Ae1, Ae3: Grange,
Metal Progress 79 (1961) 73. Ms: Andrews, JISI 203 (1965) 721. Bs: Li et al. Hardness: Maynier, Dollet and Bastien,
in Hardenability Concepts, AIME (1978) 518.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forgia_hpc.errors import InputError, Problem, nearest
from forgia_hpc.simulate.heat.case import Table
from forgia_hpc.simulate.heat.phases import Diffusive
from forgia_hpc.simulate.heat.tables import number

Floats = NDArray[np.float64]
MOST = {"C": 0.8, "Mn": 2.0, "Si": 1.0, "Ni": 4.0, "Cr": 2.0, "Mo": 1.0, "V": 0.2}
_GAS = 8.314462618  # J/(mol K)
_ACTIVATION = 27500 * 4.184  # J/mol, in all three of Li's laws
_EUTECTOID_C = 0.77  # mass percent of carbon: iron-carbon diagram
_STEP_K = 5.0


@dataclass(frozen=True, kw_only=True)
class Composition:
    """Alloying elements of a steel, in mass percent, and its austenite grains (ASTM E112 number)."""

    C: float
    Mn: float = 0.0
    Si: float = 0.0
    Ni: float = 0.0
    Cr: float = 0.0
    Mo: float = 0.0
    V: float = 0.0
    grain: float = 7.0

    @property
    def ae3(self) -> float:
        """Above it all is austenite."""
        return _celsius(
            1570 - 323 * self.C - 25 * self.Mn + 80 * self.Si - 32 * self.Ni - 3 * self.Cr
        )

    @property
    def ae1(self) -> float:
        """Below it there is no austenite in equilibrium."""
        return _celsius(1333 - 25 * self.Mn + 40 * self.Si - 26 * self.Ni + 42 * self.Cr)

    @property
    def bs(self) -> float:
        """Where bainite starts."""
        return 637 - 58 * self.C - 35 * self.Mn - 15 * self.Ni - 34 * self.Cr - 41 * self.Mo

    @property
    def ms(self) -> float:
        """Where martensite starts."""
        return 539 - 423 * self.C - 30.4 * self.Mn - 17.7 * self.Ni - 12.1 * self.Cr - 7.5 * self.Mo


def composition(words: Mapping[str, Any], field: str = "phases.composition") -> Composition:
    """Return a checked composition.

    Raises:
        InputError: an unknown element, or a share that the formulas were not fitted to.
    """
    known = {*MOST, "grain"}
    problems = [
        Problem(field=f"{field}.{name}", got=words[name], limit="no element that the formulas know",
                fix=nearest(name, known, f"they know {', '.join(sorted(known))}"))
        for name in sorted(set(words) - known)
    ]  # fmt: skip
    if "C" not in words:
        problems.append(Problem(field=f"{field}.C", got=None, limit="is needed"))
    values = {
        name: number(words[name], f"{field}.{name}", least=0.0) for name in words if name in known
    }
    problems += [
        Problem(field=f"{field}.{name}", got=values[name], limit=f"at most {most:g} mass percent")
        for name, most in MOST.items()
        if values.get(name, 0.0) > most
    ]
    if problems:
        raise InputError(problems)
    return Composition(**values)


def diffusive_phases(steel: Composition) -> tuple[Diffusive, ...]:
    """Return ferrite, pearlite and bainite with the TTT curves that Li's laws give."""
    ferrite = math.exp(
        1.00 + 6.31 * steel.C + 1.78 * steel.Mn + 0.31 * steel.Si
        + 1.12 * steel.Ni + 2.70 * steel.Cr + 4.06 * steel.Mo
    )  # fmt: skip
    pearlite = math.exp(
        -4.25 + 4.12 * steel.C + 4.36 * steel.Mn + 0.44 * steel.Si
        + 1.71 * steel.Ni + 3.33 * steel.Cr + 5.19 * math.sqrt(steel.Mo)
    )  # fmt: skip
    bainite = math.exp(
        -10.23 + 10.18 * steel.C + 0.85 * steel.Mn
        + 0.55 * steel.Ni + 0.90 * steel.Cr + 0.36 * steel.Mo
    )  # fmt: skip
    most = max(1.0 - steel.C / _EUTECTOID_C, 0.0)  # lever rule
    found = (
        _law("ferrite", ferrite / 2 ** (0.41 * steel.grain), steel.bs, steel.ae3, 3, most),
        _law("pearlite", pearlite / 2 ** (0.32 * steel.grain), steel.bs, steel.ae1, 3, 1.0),
        _law("bainite", bainite / 2 ** (0.29 * steel.grain), steel.ms, steel.bs, 2, 1.0),
    )
    return tuple(phase for phase in found if phase is not None)


def _law(
    name: str, factor: float, low: float, high: float, power: int, limit: float
) -> Diffusive | None:
    """Return a phase between two temperatures; none where they have crossed or equilibrium has none of it."""
    if high - low <= 2 * _STEP_K or limit <= 0:
        return None
    at = np.arange(low, high - 1.0, _STEP_K)
    kelvin = at + 273.15
    times = factor / ((high - at) ** power * np.exp(-_ACTIVATION / (_GAS * kelvin)))

    def curve(share: float) -> Table:
        return Table(
            temperature=tuple(at.tolist()), values=tuple((times * _sigmoid(share)).tolist())
        )

    return Diffusive(name=name, start=curve(0.01), finish=curve(0.99), limit=limit)


def _sigmoid(share: float, points: int = 64) -> float:
    """Return Kirkaldy's integral S of x^(-0.4(1-x)) (1-x)^(-0.4x) up to a share.

    Over u = x^0.6 the integrand is smooth at 0, so Gauss' points do.
    """
    nodes, weights = np.polynomial.legendre.leggauss(points)
    top = share**0.6
    x = (0.5 * top * (nodes + 1)) ** (1 / 0.6)
    return float(0.5 * top * np.sum(weights * x ** (0.4 * x) * (1 - x) ** (-0.4 * x)) / 0.6)


def maynier(steel: Composition, rate: ArrayLike) -> dict[str, Floats]:
    """Return the Vickers hardness of each constituent at a cooling rate (K/s, taken at 700 °C)."""
    log_v = np.log10(np.maximum(np.asarray(rate, dtype=np.float64), 1e-6) * 3600.0)
    s = steel
    martensite = 127 + 949 * s.C + 27 * s.Si + 11 * s.Mn + 8 * s.Ni + 16 * s.Cr + 21 * log_v
    bainite = (
        -323 + 185 * s.C + 330 * s.Si + 153 * s.Mn + 65 * s.Ni + 144 * s.Cr + 191 * s.Mo
        + (89 + 53 * s.C - 55 * s.Si - 22 * s.Mn - 10 * s.Ni - 20 * s.Cr - 33 * s.Mo) * log_v
    )  # fmt: skip
    soft = (
        42 + 223 * s.C + 53 * s.Si + 30 * s.Mn + 12.6 * s.Ni + 7 * s.Cr + 19 * s.Mo
        + (10 - 19 * s.Si + 4 * s.Ni + 8 * s.Cr + 130 * s.V) * log_v
    )  # fmt: skip
    return {"martensite": martensite, "bainite": bainite, "ferrite": soft, "pearlite": soft}


def _celsius(fahrenheit: float) -> float:
    return (fahrenheit - 32) * 5 / 9
