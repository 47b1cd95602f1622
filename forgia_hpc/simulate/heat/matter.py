"""The state that steps march, and what a material makes of it.

A constant material marches the temperature itself, unit (rho c): potential = state, and no table is looked at. Any
other marches the enthalpy, and the potential is Kirchhoff's theta = integral of k dT: then the flux between two
cells is the difference of theta over their distance whatever k(T) does, and the sum over a cell's faces is the
same seven-point stencil for all materials.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat.arrays import Any3, Arrays
from forgia_hpc.simulate.heat.case import Material
from forgia_hpc.simulate.heat.pieces import curves_of

_STEEP = 1e30  # instead of an infinite slope, where latent heat is taken at one temperature


class Matter:
    """d(state)/dt * heat_unit = conductivity_unit * stencil(potential) + W/m3."""

    def __init__(self, material: Material, arrays: Arrays) -> None:
        """Take a checked material."""
        self.constant = material.constant
        self.arrays = arrays
        curves = self.curves = curves_of(material)
        capacity = float(curves.enthalpy.b[0])
        self.heat_unit = capacity if self.constant else 1.0  # J/m3 that one unit of state holds
        self.conductivity_unit = float(material.conductivity[0]) if self.constant else 1.0
        self.zero = float(curves.enthalpy(np.zeros(1))[0]) if self.constant else 0.0
        self._of_state = {
            name: arrays.function(getattr(curves, name))
            for name in ("temperature", "theta_of_enthalpy", "diffusivity")
        }
        self._theta = arrays.function(curves.theta)
        self._conductivity = arrays.function(curves.conductivity)
        self.most_conductive = max(material.conductivity)
        self.least_conductive = min(material.conductivity)
        self.fastest = (  # m2/s
            self.conductivity_unit / capacity
            if self.constant
            else float(curves.theta_of_enthalpy.steepest)
        )
        self.least_capacity = (
            capacity if self.constant else 1.0 / float(curves.temperature.steepest)
        )

    def state(self, temperature: NDArray[Any]) -> NDArray[np.float64]:
        """Return the state at these temperatures, in float64."""
        given = np.asarray(temperature, np.float64)
        return given if self.constant else self.curves.enthalpy(given)

    def heat(self, state: NDArray[Any]) -> NDArray[np.float64]:
        """Return J/m3, in float64."""
        given = np.asarray(state, np.float64)
        return given * self.heat_unit + self.zero if self.constant else given

    def temperature(self, state: Any3) -> Any3:
        """Return °C: the state itself if the material is constant."""
        return state if self.constant else self._of_state["temperature"](state)

    def potential(self, state: Any3) -> Any3:
        """Return what the stencil takes: theta over the conductivity's unit."""
        return state if self.constant else self._of_state["theta_of_enthalpy"](state)

    def state_per_potential(self, state: Any3) -> Any3:
        """Return how much state one unit of potential takes, in an array; not infinite."""
        slope = self._of_state["diffusivity"](state)
        none = slope <= 1.0 / _STEEP
        return self.arrays.where(none, _STEEP, 1.0 / self.arrays.where(none, 1.0, slope))

    def theta(self, temperature: Any3) -> Any3:
        """Return the integral of k over temperature, W/m."""
        if self.constant:
            return temperature * self.conductivity_unit
        return self._theta(temperature)

    def conductivity(self, temperature: Any3) -> Any3 | float:
        """Return k, W/(m K)."""
        return self.conductivity_unit if self.constant else self._conductivity(temperature)


def matter_of(material: Material, arrays: Arrays) -> Matter:
    """Return a material's matter: made once for all members that have it."""
    known: Any = arrays
    return _made(material, known)


_made = lru_cache(maxsize=4)(Matter)
