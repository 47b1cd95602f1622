"""Phases and hardness along a given cooling path, once more from the published laws: cell by cell, in small steps.

Li et al., Metall. Mater. Trans. B 29 (1998) 661 (after Kirkaldy); Andrews, JISI 203 (1965) 721; Grange; Maynier et
al. (1978); Koistinen and Marburger (1959); Scheil and Avrami as in the words of the steel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.admission.reading import rows

Floats = NDArray[np.float64]
_R, _Q = 8.314462618, 27500.0 * 4.184
_FIRST, _LAST = -math.log(0.99), -math.log(0.01)  # Avrami's exponents at 1 and 99 %
_SUB = 8  # steps between two points of a path


@dataclass(frozen=True)
class Grows:
    """A diffusive phase: seconds to 1 % and to 99 % at a temperature, between two of them, up to a share."""

    name: str
    low: float
    high: float
    begins: Callable[[float], float]
    ends: Callable[[float], float]
    limit: float


def grown(words: Mapping[str, Any], times: Floats, path: Floats) -> dict[str, float]:
    """Return shares at the end of one cell's path (step,) in °C, and `rate`, K/s at 700 °C."""
    phases, ms, rate = _read(words)
    share = {"austenite": 1.0, **{one.name: 0.0 for one in phases}}
    ripe = dict.fromkeys(share, 0.0)
    if ms is not None:
        share["martensite"] = 0.0
    coldest, fall = math.inf, 0.0
    fine = np.interp(np.arange((len(times) - 1) * _SUB + 1) / _SUB, np.arange(len(times)), times)
    at = np.interp(fine, times, path)
    for dt, a, b in zip(np.diff(fine).tolist(), at[:-1].tolist(), at[1:].tolist(), strict=True):
        if a >= 700.0 > b:
            fall = (a - b) / dt
        for one in phases:
            _grow(one, 0.5 * (a + b), dt, (share, ripe))
        if ms is not None and b < min(coldest, ms):
            gained = share["austenite"] * (1.0 - math.exp(-rate * (min(coldest, ms) - b)))
            share["martensite"] += gained
            share["austenite"] -= gained
        coldest = min(coldest, b)
    return {**share, "rate": fall}


def _grow(one: Grows, t: float, dt: float, kept: tuple[dict[str, float], dict[str, float]]) -> None:
    share, ripe = kept
    if not one.low <= t <= one.high or share["austenite"] <= 1e-12:
        return
    start, power = one.begins(t), math.log(_LAST / _FIRST) / math.log(one.ends(t) / one.begins(t))
    before = ripe[one.name]
    ripe[one.name] = before + dt / start
    if ripe[one.name] < 1.0:
        return
    spent = dt / start if before >= 1.0 else ripe[one.name] - 1.0
    most = min(one.limit, share[one.name] + share["austenite"])
    done = min(max(share[one.name] / most, 0.01), 1.0 - 1e-15)
    age = (-math.log1p(-done) / _FIRST) ** (1.0 / power) + spent
    new = most * (1.0 - math.exp(-_FIRST * age**power))
    gained = min(max(new - share[one.name], 0.0), share["austenite"])
    share[one.name] += gained
    share["austenite"] -= gained


def _read(words: Mapping[str, Any]) -> tuple[list[Grows], float | None, float]:
    if "composition" in words:
        steel = words["composition"]
        return list(_of_steel(steel)), _ms(steel), 0.011
    last = words.get("martensite")
    found = [_of_rows(one) for one in words.get("diffusive") or ()]
    return (
        found,
        None if last is None else float(last["start"]),
        float((last or {}).get("rate", 0.011)),
    )


def _of_rows(words: Mapping[str, Any]) -> Grows:
    begins, ends = (rows(words[key]) for key in ("start", "finish"))
    at = [a for a, _ in begins]
    one, two = ([math.log(b) for _, b in each] for each in (begins, ends))
    return Grows(
        words["name"], at[0], at[-1],
        lambda t: math.exp(np.interp(t, at, one)), lambda t: math.exp(np.interp(t, at, two)),
        float(words.get("limit", 1.0)),
    )  # fmt: skip


def _part(steel: Mapping[str, Any], *names: str) -> list[float]:
    return [float(steel.get(name, 0.0)) for name in names]


def _ms(steel: Mapping[str, Any]) -> float:
    c, mn, ni, cr, mo = _part(steel, "C", "Mn", "Ni", "Cr", "Mo")
    return 539.0 - 423.0 * c - 30.4 * mn - 17.7 * ni - 12.1 * cr - 7.5 * mo


def _of_steel(steel: Mapping[str, Any]) -> Any:
    """Yield ferrite, pearlite, bainite; temperatures of Grange and Li, in Fahrenheit there."""
    c, mn, si, ni, cr, mo = _part(steel, "C", "Mn", "Si", "Ni", "Cr", "Mo")
    grain = float(steel.get("grain", 7.0))
    ae3 = (1570 - 323 * c - 25 * mn + 80 * si - 32 * ni - 3 * cr - 32) / 1.8
    ae1 = (1333 - 25 * mn + 40 * si - 26 * ni + 42 * cr - 32) / 1.8
    bs = 637 - 58 * c - 35 * mn - 15 * ni - 34 * cr - 41 * mo
    f = math.exp(1.0 + 6.31 * c + 1.78 * mn + 0.31 * si + 1.12 * ni + 2.7 * cr + 4.06 * mo)
    p = math.exp(-4.25 + 4.12 * c + 4.36 * mn + 0.44 * si + 1.71 * ni + 3.33 * cr + 5.19 * mo**0.5)
    b = math.exp(-10.23 + 10.18 * c + 0.85 * mn + 0.55 * ni + 0.9 * cr + 0.36 * mo)
    yield from (
        _law(*one)
        for one in (
            ("ferrite", f / 2 ** (0.41 * grain), bs, ae3, 3, max(1 - c / 0.77, 0.0)),
            ("pearlite", p / 2 ** (0.32 * grain), bs, ae1, 3, 1.0),
            ("bainite", b / 2 ** (0.29 * grain), _ms(steel), bs, 2, 1.0),
        )
        if one[3] - one[2] > 10 and one[5] > 0
    )


def _law(name: str, factor: float, low: float, high: float, power: int, limit: float) -> Grows:
    def time(share: float) -> Callable[[float], float]:
        whole = factor * _kirkaldy(share)
        return lambda t: (
            whole / (max(high - t, 1e-9) ** power * math.exp(-_Q / (_R * (t + 273.15))))
        )

    return Grows(name, low, high - 6.0, time(0.01), time(0.99), limit)


def _kirkaldy(share: float) -> float:
    """Return the integral of x^(-0.4(1-x)) (1-x)^(-0.4x), by the middle of many slices of u = x^0.6."""
    u = (np.arange(20_000) + 0.5) / 20_000 * share**0.6
    x = u ** (1 / 0.6)
    return float(np.mean(x ** (0.4 * x) * (1 - x) ** (-0.4 * x)) * share**0.6 / 0.6)


def hardness(words: Mapping[str, Any], shares: Mapping[str, float]) -> float:
    """Return Vickers of a mixture: by the words' own numbers, or Maynier's of the composition."""
    if "hardness" in words:
        return sum(shares[name] * float(value) for name, value in words["hardness"].items())
    c, si, mn, ni, cr, mo, v = _part(words["composition"], "C", "Si", "Mn", "Ni", "Cr", "Mo", "V")
    lv = math.log10(max(shares["rate"], 1e-6) * 3600.0)
    hard = 127 + 949 * c + 27 * si + 11 * mn + 8 * ni + 16 * cr + 21 * lv
    mid = -323 + 185 * c + 330 * si + 153 * mn + 65 * ni + 144 * cr + 191 * mo
    mid += lv * (89 + 53 * c - 55 * si - 22 * mn - 10 * ni - 20 * cr - 33 * mo)
    soft = 42 + 223 * c + 53 * si + 30 * mn + 12.6 * ni + 7 * cr + 19 * mo
    soft += lv * (10 - 19 * si + 4 * ni + 8 * cr + 130 * v)
    of = {"martensite": hard, "austenite": hard, "bainite": mid, "ferrite": soft, "pearlite": soft}
    return sum(share * of[name] for name, share in shares.items() if name in of)
