"""Enthalpy over temperature: the sensible heat of rho c(T), and latent heats on top. J/m³, °C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem

Floats = NDArray[np.float64]
_FINE = 64  # points between two knots when a formula is summed up


@dataclass(frozen=True, kw_only=True)
class Latent:
    """Heat that a change of phase takes up between two temperatures; equal ones make a jump."""

    heat: float  # J/kg
    low: float  # °C, e.g. the solidus
    high: float  # the liquidus

    def __post_init__(self) -> None:
        """Refuse a heat below 0, and temperatures the wrong way round."""
        if not 0 <= self.heat < np.inf:
            raise InputError(Problem(field="latent.heat", got=self.heat, limit="at least 0 J/kg"))
        if not -np.inf < self.low <= self.high < np.inf:
            limit = "two temperatures, the lower one first"
            raise InputError(Problem(field="latent", got=[self.low, self.high], limit=limit))


def sensible(at: Floats, density: float, specific_heat: Callable[[Floats], Floats]) -> Floats:
    """Return the integral of rho c from the first knot to each: exact for a c that is straight between points."""
    steps = np.linspace(0.0, 1.0, _FINE + 1)
    inside = at[:-1, None] + np.diff(at)[:, None] * steps
    pieces = np.trapezoid(specific_heat(inside), inside, axis=1)
    return density * np.concatenate([[0.0], np.cumsum(pieces)])


def with_latent(
    at: Floats, enthalpy: Floats, density: float, latents: Sequence[Latent]
) -> tuple[Floats, Floats]:
    """Return knots and enthalpy with the latent heats in: knots at their ends, two where it jumps."""
    ends = [
        end for latent in latents for end in (latent.low, latent.high) if latent.low < latent.high
    ]
    jumps = sorted({latent.low for latent in latents if latent.low == latent.high})
    knots = np.unique(np.concatenate([at, ends, jumps]))
    total = np.interp(knots, at, enthalpy) + _taken_up(knots, density, latents)
    for jump in jumps:
        place = int(np.searchsorted(knots, jump))
        below = total[place] - density * sum(
            latent.heat for latent in latents if latent.low == latent.high == jump
        )
        knots, total = np.insert(knots, place, jump), np.insert(total, place, below)
    return knots, total


def _taken_up(at: Floats, density: float, latents: Sequence[Latent]) -> Floats:
    """Return the latent heat that each temperature holds, jumps included from their temperature on."""
    total = np.zeros_like(at)
    for latent in latents:
        if latent.low == latent.high:
            total += density * latent.heat * (at >= latent.low)
        else:
            share = np.clip((at - latent.low) / (latent.high - latent.low), 0.0, 1.0)
            total += density * latent.heat * share
    return total
