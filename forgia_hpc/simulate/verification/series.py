"""Series for bodies that convection cools: slab, long cylinder, sphere, and products of them.

theta = (T - T_fluid)/(T_start - T_fluid); Bi = h L/k and Fo = a t/L² with L the half-thickness or the
radius. Formulas: Incropera and DeWitt, Fundamentals of Heat and Mass Transfer, sections 5.5 to 5.8.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import j0, j1, jn_zeros

Body = Literal["slab", "cylinder", "sphere"]
Floats = NDArray[np.float64]
_AWAY = 1e-12  # a bracket ends this near a pole


def eigenvalues(body: Body, biot: float, terms: int = 60) -> Floats:
    """Return the first roots of z tan z = Bi, z J1/J0 = Bi or 1 - z cot z = Bi."""
    ends = _brackets(body, terms)
    found = [brentq(_residual, low, high, (body, biot), xtol=1e-15) for low, high in ends]
    return np.array(found)


def _brackets(body: Body, terms: int) -> list[tuple[float, float]]:
    """Return an interval a root: between two poles."""
    if body == "cylinder":
        poles, extremes = jn_zeros(0, terms), np.concatenate([[0.0], jn_zeros(1, terms - 1)])
        return [(low + _AWAY, high - _AWAY) for low, high in zip(extremes, poles, strict=True)]
    step = np.pi if body == "sphere" else np.pi / 2
    return [(n * np.pi + _AWAY, n * np.pi + step - _AWAY) for n in range(terms)]


def _residual(z: float, body: Body, biot: float) -> float:
    if body == "slab":
        return float(z * np.sin(z) - biot * np.cos(z))
    if body == "cylinder":
        return float(z * j1(z) - biot * j0(z))
    return float((1 - biot) * np.sin(z) - z * np.cos(z))


def weights(body: Body, z: Floats) -> Floats:
    """Return the coefficients C_n that a uniform start needs."""
    if body == "slab":
        return np.asarray(4 * np.sin(z) / (2 * z + np.sin(2 * z)))
    if body == "cylinder":
        return np.asarray(2 * j1(z) / (z * (j0(z) ** 2 + j1(z) ** 2)))
    return np.asarray(4 * (np.sin(z) - z * np.cos(z)) / (2 * z - np.sin(2 * z)))


def theta(body: Body, biot: float, fourier: float, place: ArrayLike, terms: int = 60) -> Floats:
    """Return theta at `place` (x/L or r/R, 0 is the centre)."""
    z = eigenvalues(body, biot, terms)
    shape = _shape(body, np.multiply.outer(np.asarray(place, dtype=float), z))
    return np.asarray(shape @ (weights(body, z) * np.exp(-(z**2) * fourier)))


def _shape(body: Body, angle: Floats) -> Floats:
    if body == "slab":
        return np.cos(angle)
    if body == "cylinder":
        return np.asarray(j0(angle))
    return np.asarray(np.sinc(angle / np.pi))


def short_cylinder(biot: float, fourier: float, radius: float, height: float) -> float:
    """Return theta of a cylinder as long as thick, at r/R and z/L: a cylinder times a slab."""
    parts = theta("cylinder", biot, fourier, radius), theta("slab", biot, fourier, height)
    return float(parts[0] * parts[1])


def box(biot: float, fourier: float, *places: float) -> float:
    """Return theta of a bar or cube at x/L, y/L, …: a slab for each axis."""
    return float(np.prod([theta("slab", biot, fourier, place) for place in places]))
