"""Exact solutions beside the Biot series: bars, half-spaces, melting fronts, moving sources. SI units."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import erf, erfc, erfcx

from forgia_hpc.simulate.verification.series import eigenvalues

Floats = NDArray[np.float64]


def half_space(place: ArrayLike, seconds: float, diffusivity: float, h_over_k: float) -> Floats:
    """Return 1 - theta at the depth `place` below a surface that convection cools.

    Carslaw and Jaeger, Conduction of Heat in Solids, 2.7 (1): the surface value with h sqrt(at)/k = 1
    is 1 - e erfc(1). Scaled, so that a large h does not overflow.
    """
    x = np.asarray(place, dtype=float)
    root = math.sqrt(diffusivity * seconds)
    depth, biot = x / (2 * root), h_over_k * root
    return np.asarray(erfc(depth) - np.exp(-(depth**2)) * erfcx(depth + biot))


def stefan_constant(stefan: float) -> float:
    """Return l of sqrt(pi) l exp(l²) erf(l) = Ste (Carslaw and Jaeger, 11.2)."""

    def residual(constant: float) -> float:
        return float(math.sqrt(math.pi) * constant * math.exp(constant**2) * erf(constant) - stefan)

    return float(brentq(residual, 1e-12, 10.0, xtol=1e-15))


def stefan_theta(place: ArrayLike, seconds: float, diffusivity: float, stefan: float) -> Floats:
    """Return (T - T_melt)/(T_wall - T_melt) between the wall and the front, and 0 beyond."""
    constant = stefan_constant(stefan)
    eta = np.asarray(place, dtype=float) / (2 * math.sqrt(diffusivity * seconds))
    return np.asarray(np.maximum(0.0, 1 - erf(eta) / erf(constant)))


def martensite(undercooling: ArrayLike, rate: float = 0.011) -> Floats:
    """Return 1 - exp(-rate (Ms - T)) (Koistinen and Marburger, Acta Metall. 7 (1959) 59)."""
    return np.asarray(-np.expm1(-rate * np.maximum(0.0, np.asarray(undercooling, dtype=float))))


@dataclass(frozen=True)
class OscillatingBar:
    """A bar from 0 whose far end goes as A sin(w t), the near end held at 0. NAFEMS T3's data."""

    length: float = 0.1
    diffusivity: float = 35.0 / (7200.0 * 440.5)
    amplitude: float = 100.0
    rate: float = math.pi / 40  # rad/s

    def __call__(self, place: float, seconds: float, terms: int = 4000) -> float:
        """Return the temperature by eigenfunctions over the straight line between the two ends.

        u = A sin(wt) x/L + sum b_n(t) sin(n pi x/L), b_n' + a k² b_n = 2 A w (-1)^n/(n pi) cos(wt).
        """
        n = np.arange(1, terms + 1)
        decay = self.diffusivity * (n * math.pi / self.length) ** 2
        forcing = 2 * self.amplitude * self.rate * (-1.0) ** n / (n * math.pi)
        angle = self.rate * seconds
        driven = (
            decay * math.cos(angle) + self.rate * math.sin(angle) - decay * np.exp(-decay * seconds)
        )
        terms_of = (
            forcing * driven / (decay**2 + self.rate**2) * np.sin(n * math.pi * place / self.length)
        )
        line = self.amplitude * math.sin(angle) * place / self.length
        return float(line + terms_of.sum())


@dataclass(frozen=True)
class CooledPlate:
    """A steady plate: base at T, left side insulated, right and top convect to 0. NAFEMS T4's data."""

    width: float = 0.6
    height: float = 1.0
    conductivity: float = 52.0
    h: float = 750.0
    base: float = 100.0

    def __call__(self, x: float, y: float, terms: int = 2000) -> float:
        """Return the temperature: sum of cosines across, hyperbolic functions up."""
        ratio = self.h / self.conductivity
        z = eigenvalues("slab", ratio * self.width, terms) / self.width
        across = 4 * np.sin(z * self.width) / (2 * z * self.width + np.sin(2 * z * self.width))
        # both halves are divided by exp(z height)/2, which a large z would overflow
        down, up = np.exp(-z * y), np.exp(-z * (2 * self.height - y))
        bottom = np.exp(-2 * z * self.height)
        along = (down + up + ratio / z * (down - up)) / (1 + bottom + ratio / z * (1 - bottom))
        return float(self.base * np.sum(across * np.cos(z * x) * along))


@dataclass(frozen=True)
class MovingSource:
    """Power that runs along x over a half-space with an insulated surface."""

    power: float = 80.0  # W absorbed: 200 W of which 0.4 stay
    speed: float = 0.8  # m/s
    conductivity: float = 20.0
    diffusivity: float = 20.0 / (8000.0 * 500.0)
    start: float = 300.0  # K

    def rosenthal(self, ahead: float, distance: float) -> float:
        """Return the steady temperature of a point source; `ahead` is x from it, negative behind.

        Rosenthal, Trans. ASME 68 (1946) 849.
        """
        rise = self.power / (2 * math.pi * self.conductivity * distance)
        return float(
            self.start + rise * math.exp(-self.speed * (ahead + distance) / (2 * self.diffusivity))
        )

    def gaussian(self, place: tuple[float, float, float], seconds: float, sigma: float) -> float:
        """Return the temperature at (x from the source, y, depth), `seconds` after the source began.

        The source is exp(-r²/(2 sigma²)) in all three directions, its lower half in the body: Green's
        function of the half-space, integrated over the path. sigma → 0 is the point source.
        """
        from scipy.integrate import quad  # noqa: PLC0415  (takes half a second to import)

        volumetric = self.power * self.diffusivity / self.conductivity

        def warmth(age: float) -> float:
            """Return what the source left `age` seconds ago."""
            spread = sigma**2 + 2 * self.diffusivity * age
            x, y, z = place
            square = (x + self.speed * age) ** 2 + y**2 + z**2
            return float(2.0 * math.exp(-square / (2 * spread)) / (2 * math.pi * spread) ** 1.5)

        nearest = min(max(-place[0] / self.speed, 0.0), seconds)
        value, _ = quad(warmth, 0.0, seconds, points=[nearest], limit=400, epsabs=0, epsrel=1e-10)
        return float(self.start + volumetric * value)
