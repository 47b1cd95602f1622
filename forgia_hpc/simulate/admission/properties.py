"""Conductivity and heat of a material, once more from its source. SI units, °C.

EN 1993-1-2:2005, 3.4.1 and annex C; code_aster V4.61.100; NAFEMS T3: typed in here a second time, on purpose.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.digest import canonical_json
from forgia_hpc.simulate.admission.reading import UnreadError, rows

Floats = NDArray[np.float64]
Formula = Callable[[Floats], Floats]
_POINTS = 20_001
_WHOLE = 100.0  # K: to which a table's ends are rounded
_PIECE = 1 << 13  # numbers that are looked up together: they stay in a core's own cache


class Even:
    """Straight lines between points an even step apart: the place is reckoned, where np.interp seeks it."""

    def __init__(self, at: Floats, values: Floats) -> None:
        """Take points and values; beyond the ends the end's value holds."""
        self._low, self._last = float(at[0]), float(len(at) - 1)
        self._per_step = self._last / float(at[-1] - at[0])
        self._values, self._rises = values, np.append(np.diff(values), 0.0)

    def __call__(self, x: Floats) -> Floats:
        """Return the values at x, of any shape."""
        flat = np.ravel(np.asarray(x, np.float64))
        found = np.empty_like(flat)
        for begin in range(0, flat.size, _PIECE):
            self._look_up(flat[begin : begin + _PIECE], found[begin : begin + _PIECE])
        return found.reshape(np.shape(x))

    def total(self, x: Floats, weights: Floats) -> float:
        """Return the sum of the values at x, each times its weight; both flat."""
        found, total = np.empty(min(x.size, _PIECE)), 0.0
        for begin in range(0, x.size, _PIECE):
            own = x[begin : begin + _PIECE]
            self._look_up(own, found[: own.size])
            found[: own.size] *= weights[begin : begin + _PIECE]
            total += float(found[: own.size].sum())
        return total

    def _look_up(self, x: Floats, into: Floats) -> None:
        place = (x - self._low) * self._per_step
        np.clip(place, 0.0, self._last, out=place)
        below = place.astype(np.intp)
        place -= below
        np.take(self._rises, below, out=into, mode="clip")
        into *= place
        into += np.take(self._values, below, mode="clip")


@dataclass(frozen=True, kw_only=True)
class Matter:
    """Tables so fine that straight lines do. at: °C; heat: J/m3; theta: the integral of k, W/m."""

    at: Floats
    heat: Floats
    theta: Floats
    k: Floats
    capacity: Floats  # rho c, latent heat included, J/(m3 K)

    @cached_property
    def heats(self) -> Even:
        """J/m3 by °C."""
        return Even(self.at, self.heat)

    @cached_property
    def thetas(self) -> Even:
        """W/m by °C."""
        return Even(self.at, self.theta)

    def heat_of(self, t: Floats) -> Floats:
        """Return J/m3."""
        return self.heats(t)

    def temperature_of(self, heat: Floats) -> Floats:
        """Return °C."""
        return np.interp(heat, self.heat, self.at)

    def theta_of(self, t: Floats) -> Floats:
        """Return W/m."""
        return self.thetas(t)


def matter_near(words: Any, low: float, high: float) -> Matter:
    """Return the material between two temperatures, with room around them; many members share one."""
    room = 0.2 * (high - low) + 50.0
    ends = math.floor((low - room) / _WHOLE) * _WHOLE, math.ceil((high + room) / _WHOLE) * _WHOLE
    return _tables(canonical_json(words), *ends)


@lru_cache(maxsize=32)
def _tables(text: bytes, low: float, high: float) -> Matter:
    words = json.loads(text)
    at = np.linspace(low, high, _POINTS)
    density, k_of, c_of, latents = _named(words) if isinstance(words, str) else _own(words)
    k, capacity = k_of(at), density * c_of(at)
    heat = _integral(capacity, at)
    for amount, begin, end in latents:
        width = max(end - begin, 4 * float(at[1] - at[0]))
        heat = heat + density * amount * np.clip((at - begin) / width, 0.0, 1.0)
    return Matter(
        at=at, heat=heat, theta=_integral(k, at), k=k, capacity=np.gradient(heat, at)
    )  # fmt: skip


def _integral(values: Floats, at: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]) * np.diff(at))])


def _named(name: str) -> tuple[float, Formula, Formula, list[tuple[float, float, float]]]:
    if name not in LIBRARY:
        raise UnreadError(f"material {name!r}")
    density, k, c = LIBRARY[name]
    return density, _formula(k), _formula(c), []


def _formula(words: Any) -> Formula:
    return words if callable(words) else lambda t: np.full_like(t, float(words))


def _own(words: Any) -> tuple[float, Formula, Formula, list[tuple[float, float, float]]]:
    latents = [
        (float(one["heat"]), float(one["low"]), float(one["high"]))
        for one in words.get("latent") or ()
    ]
    return (
        float(words["density"]),
        _tabled(words["conductivity"]),
        _tabled(words["specific_heat"]),
        latents,
    )


def _tabled(words: Any) -> Formula:
    if isinstance(words, int | float):
        return _formula(words)
    pairs = rows(words)
    return lambda t: np.interp(t, [a for a, _ in pairs], [b for _, b in pairs])


def _carbon_k(t: Floats) -> Floats:
    return np.where(t < 800.0, 54.0 - 0.0333 * t, 27.3)


def _carbon_c(t: Floats) -> Floats:
    found = np.empty_like(t)
    cold, rise, fall = t < 600.0, (t >= 600.0) & (t < 735.0), (t >= 735.0) & (t < 900.0)
    x = t[cold]
    found[cold] = 425.0 + x * (0.773 + x * (-0.00169 + x * 2.22e-6))
    found[rise] = 666.0 + 13002.0 / (738.0 - t[rise])
    found[fall] = 545.0 + 17820.0 / (t[fall] - 731.0)
    found[t >= 900.0] = 650.0
    return found


def _carbon_c_straight(t: Floats) -> Floats:
    """Return it without the peak: straight between its values at 600 °C (666 + 13002/138) and 900 °C (650)."""
    bridge = np.interp(t, [600.0, 900.0], [666.0 + 13002.0 / 138.0, 650.0])
    return np.where((t > 600.0) & (t < 900.0), bridge, _carbon_c(t))


def _stainless_k(t: Floats) -> Floats:
    return 14.6 + 0.0127 * t


def _stainless_c(t: Floats) -> Floats:
    return 450.0 + t * (0.28 + t * (-2.91e-4 + t * 1.34e-7))


LIBRARY: dict[str, tuple[float, Any, Any]] = {  # density, conductivity, specific heat
    "carbon_steel_en1993": (7850.0, _carbon_k, _carbon_c),
    "carbon_steel_en1993_split": (7850.0, _carbon_k, _carbon_c_straight),
    "stainless_steel_en1993": (7850.0, _stainless_k, _stainless_c),
    "16mnd5_mtlp100": (1.0, 33.5, 5.26e6),
    "nafems_t3": (7200.0, 35.0, 440.5),
}
