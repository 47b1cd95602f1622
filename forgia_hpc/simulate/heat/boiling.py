"""Heat transfer of a quench: h over the surface's temperature, W/(m² K), as a table.

Two ways. `pool_boiling` takes a still liquid at its boiling point through the published correlations of each
regime. `Curve` is the user's own measured or agreed curve by its corners: baths are stirred, cold, salted and
aged, and no correlation knows yours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.simulate.heat.case import Table

Floats = NDArray[np.float64]
_G = 9.80665


@dataclass(frozen=True, kw_only=True)
class Liquid:
    """A liquid that boils at one pressure: its own and its vapour's properties there. SI units, °C."""

    boils: float
    density: float
    vapour_density: float
    viscosity: float
    vapour_viscosity: float
    prandtl: float
    vapour_conductivity: float
    specific_heat: float
    vapour_specific_heat: float
    latent: float  # J/kg
    tension: float  # N/m
    source: str


WATER = Liquid(
    boils=100.0,
    density=957.9,
    vapour_density=0.5956,
    viscosity=279e-6,
    vapour_viscosity=12.02e-6,
    prandtl=1.76,
    vapour_conductivity=0.0248,
    specific_heat=4217.0,
    vapour_specific_heat=2029.0,
    latent=2257e3,
    tension=58.9e-3,
    source="water at 373.15 K and 1.0133 bar: Incropera and DeWitt, table A.6",
)


def nucleate(liquid: Liquid, excess: Floats, surface: float = 0.0128, power: float = 1.0) -> Floats:
    """Return the flux of nucleate boiling, W/m² (Rohsenow, Trans. ASME 74 (1952) 969).

    surface: Rohsenow's constant of the pair; water on polished copper 0.0128, on scored copper 0.0068,
    on polished stainless steel 0.0132 (Incropera and DeWitt, table 10.1).
    """
    lift = math.sqrt(_G * (liquid.density - liquid.vapour_density) / liquid.tension)
    ratio = liquid.specific_heat * excess / (surface * liquid.latent * liquid.prandtl**power)
    return np.asarray(liquid.viscosity * liquid.latent * lift * ratio**3)


def critical(liquid: Liquid, constant: float = 0.149) -> float:
    """Return the flux at which boiling collapses, W/m² (Zuber, AECU-4439 (1959); 0.149 for large plates)."""
    buoyancy = liquid.tension * _G * (liquid.density - liquid.vapour_density)
    return float(constant * liquid.latent * math.sqrt(liquid.vapour_density) * buoyancy**0.25)


def smallest(liquid: Liquid) -> float:
    """Return the flux at the Leidenfrost point, W/m² (Berenson, J. Heat Transfer 83 (1961) 351)."""
    rise = _G * liquid.tension * (liquid.density - liquid.vapour_density)
    sum_of = liquid.density + liquid.vapour_density
    return float(0.09 * liquid.vapour_density * liquid.latent * (rise / sum_of**2) ** 0.25)


def film(liquid: Liquid, excess: Floats) -> Floats:
    """Return the flux through a film of vapour on a plate, W/m² (Berenson, as above; radiation not in it)."""
    lift = _G * (liquid.density - liquid.vapour_density)
    heat = liquid.latent + 0.4 * liquid.vapour_specific_heat * excess
    length = math.sqrt(liquid.tension / lift)
    top = liquid.vapour_conductivity**3 * liquid.vapour_density * lift * heat
    return np.asarray(0.425 * (top / (liquid.vapour_viscosity * excess * length)) ** 0.25 * excess)


def pool_boiling(
    liquid: Liquid, convection: float, hottest: float = 1200.0, surface: float = 0.0132
) -> Table:
    """Return h over the surface's temperature in a still liquid at its boiling point, which is the ambient.

    `convection` is the least h, and holds near the boiling point. Between the critical and the smallest flux, the
    flux falls as a power of the excess temperature. A colder bath takes more, above all through the film: these
    correlations do not know it.
    """
    if not convection > 0:
        raise InputError(
            Problem(field="boiling.convection", got=convection, limit="above 0 W/(m² K)")
        )
    top = _excess_where(lambda e: nucleate(liquid, e, surface), critical(liquid))
    leiden = _excess_where(lambda e: film(liquid, e), smallest(liquid))
    excess = np.unique(np.r_[np.geomspace(0.5, hottest - liquid.boils, 90), top, leiden])
    slope = math.log(smallest(liquid) / critical(liquid)) / math.log(leiden / top)
    between = critical(liquid) * (excess / top) ** slope
    boiling = np.select(
        [excess <= top, excess < leiden],
        [nucleate(liquid, excess, surface), between],
        film(liquid, excess),
    )
    h = np.maximum(convection, boiling / excess)
    return Table(
        temperature=(liquid.boils, *(liquid.boils + excess).tolist()),
        values=(convection, *h.tolist()),
    )


def _excess_where(flux: Callable[[Floats], Floats], wanted: float) -> float:
    """Return the excess temperature at which a regime has this flux."""
    from scipy.optimize import brentq  # noqa: PLC0415  (takes half a second to import)

    return float(brentq(lambda e: float(flux(np.array(e))) - wanted, 0.1, 2000.0, xtol=1e-10))


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A user's boiling curve by its corners; straight lines between them. °C and W/(m² K).

    Not data of ours: take the corners from your own probe (ISO 9950, ASTM D6200) or your supplier.
    """

    convection: float  # h up to `boils`
    boils: float  # where boiling sets in
    peak: float  # h at its highest
    peak_at: float
    film: float  # h under the film of vapour, from `leidenfrost` up
    leidenfrost: float

    def __post_init__(self) -> None:
        """Refuse corners out of order, and an h that is not above 0."""
        order = (self.boils, self.peak_at, self.leidenfrost)
        if not order[0] < order[1] < order[2]:
            limit = "boils < peak_at < leidenfrost"
            raise InputError(Problem(field="boiling", got=list(order), limit=limit))
        if min(self.convection, self.peak, self.film) <= 0:
            got = [self.convection, self.peak, self.film]
            raise InputError(Problem(field="boiling", got=got, limit="each h above 0 W/(m² K)"))

    def table(self) -> Table:
        """Return the curve as the solver takes it."""
        return Table(
            temperature=(self.boils, self.peak_at, self.leidenfrost),
            values=(self.convection, self.peak, self.film),
        )
