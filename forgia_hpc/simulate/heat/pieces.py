"""Functions in pieces: a polynomial of degree 2 between knots, and the material's curves made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import DTypeLike

from forgia_hpc.simulate.heat.case import Material, Table, Values


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """value = a[i] + d (b[i] + d c[i]), d = x - at[i], i = how many knots are at most x.

    Every backend evaluates just this expression in just this order, so that they agree to the last bit.
    knots: (n,) ascending; at, a, b, c: (n + 1,).
    """

    knots: Values
    at: Values
    a: Values
    b: Values
    c: Values

    def __call__(self, x: Values) -> Values:
        """Return the values in float64, as the reference."""
        i = np.searchsorted(self.knots, x, side="right")
        d = x - self.at[i]
        return np.asarray(self.a[i] + d * (self.b[i] + d * self.c[i]))

    def astype(self, dtype: DTypeLike) -> Pieces:
        """Return them in another precision."""
        return Pieces(**{name: value.astype(dtype) for name, value in vars(self).items()})

    @property
    def slope(self) -> Pieces:
        """The derivative."""
        return replace(self, a=self.b, b=2 * self.c, c=0 * self.c)

    @property
    def steepest(self) -> float:
        """The largest slope at any knot or beyond."""
        ends = np.diff(np.append(self.at[1:], self.at[-1]))
        return float(max(self.b.max(), (self.b[1:] + 2 * self.c[1:] * ends).max()))


def linear(x: Values, y: Values, *, beyond: bool) -> Pieces:
    """Return the line through the points; past the ends it goes on (beyond) or stays."""
    slope = _slope(x, y)
    first, last = (slope[0], slope[-1]) if beyond else (0.0, 0.0)
    return _pieces(x, y, _with_ends(slope, first, last), np.zeros(len(x) + 1))


def of_table(table: Table) -> Pieces:
    """Return a table over temperature as pieces."""
    return linear(np.array(table.temperature), np.array(table.values), beyond=False)


@dataclass(frozen=True, kw_only=True)
class Curves:
    """A material's curves. T temperature, H enthalpy, theta the integral of k over T (Kirchhoff's transform)."""

    enthalpy: Pieces  # of T
    temperature: Pieces  # of H
    theta: Pieces  # of T
    conductivity: Pieces  # of T
    theta_of_enthalpy: Pieces
    diffusivity: Pieces  # d theta / d H, of H: what Newton's steps need


@lru_cache(maxsize=4)
def curves_of(material: Material) -> Curves:
    """Return the curves of a material; its tables must have been checked."""
    t, k, h = (
        np.array(one, np.float64)
        for one in (material.temperature, material.conductivity, material.enthalpy)
    )
    theta = np.concatenate([[0.0], np.cumsum(0.5 * (k[1:] + k[:-1]) * np.diff(t))])
    k_slope = _slope(t, k)
    per_heat = np.diff(t) / np.diff(
        h
    )  # 1 / (rho c); 0 where latent heat is taken at one temperature
    b = _with_ends(k[:-1] * per_heat, k[0] * per_heat[0], k[-1] * per_heat[-1])
    c = _with_ends(0.5 * k_slope * per_heat * per_heat, 0.0, 0.0)
    return Curves(
        enthalpy=linear(t, h, beyond=True),
        temperature=linear(h, t, beyond=True),
        theta=_pieces(
            t, theta, _with_ends(k[:-1], k[0], k[-1]), _with_ends(0.5 * k_slope, 0.0, 0.0)
        ),
        conductivity=linear(t, k, beyond=False),
        theta_of_enthalpy=_pieces(h, theta, b, c),
        diffusivity=_pieces(h, theta, b, c).slope,
    )


def _slope(x: Values, y: Values) -> Values:
    """Return the slope of every piece; 0 where two knots share an x (a jump: no piece)."""
    width = np.diff(x)
    return np.divide(np.diff(y), width, out=np.zeros(len(width)), where=width > 0)


def _with_ends(inside: Values, first: float, last: float) -> Values:
    return np.concatenate([[first], inside, [last]])


def _pieces(x: Values, y: Values, b: Values, c: Values) -> Pieces:
    """Return pieces that begin at the knots; the one below the first knot begins at it too."""
    return Pieces(knots=x, at=np.append(x[:1], x), a=np.append(y[:1], y), b=b, c=c)
