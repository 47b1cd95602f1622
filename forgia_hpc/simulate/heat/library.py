"""Materials with a public source. Nothing here is an estimate of ours: what has no source is not listed.

Temperatures in °C, SI units otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Formula = Callable[[Floats], Floats]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A material as its source gives it; a number stands for a constant."""

    title: str
    source: str
    low: float  # °C, the source's range of validity
    high: float
    density: float  # kg/m³
    conductivity: float | Formula  # W/(m K)
    specific_heat: float | Formula  # J/(kg K)
    close: tuple[float, float] = (0.0, 0.0)  # °C between which the specific heat changes quickly
    transforms: bool = False  # whether the specific heat holds the heat of a change of phase


def _carbon_conductivity(t: Floats) -> Floats:
    """Fall by 3.33e-2 a kelvin from 54, and stay at 27.3 from 800 °C."""
    return np.where(t < 800, 54 - 3.33e-2 * t, 27.3)


def _carbon_specific_heat(t: Floats) -> Floats:
    """Four pieces; the peak at 735 °C is ferrite and pearlite becoming austenite."""
    low = 425 + 7.73e-1 * t - 1.69e-3 * t**2 + 2.22e-6 * t**3
    rise = 666 + 13002 / (738 - np.minimum(t, 735))
    fall = 545 + 17820 / (np.maximum(t, 735) - 731)
    return np.select([t < 600, t < 735, t < 900], [low, rise, fall], 650.0)


def _carbon_without_peak(t: Floats) -> Floats:
    """The same, but a straight line from 600 to 900 °C: what the peak holds above it, phases release."""
    ends = np.array([600.0, 900.0])
    bridged = np.interp(t, ends, _carbon_specific_heat(ends))
    return np.where((t > 600) & (t < 900), bridged, _carbon_specific_heat(t))


def _stainless_conductivity(t: Floats) -> Floats:
    return np.asarray(14.6 + 1.27e-2 * t)


def _stainless_specific_heat(t: Floats) -> Floats:
    return np.asarray(450 + 0.280 * t - 2.91e-4 * t**2 + 1.34e-7 * t**3)


ENTRIES = {
    "carbon_steel_en1993": Entry(
        title="carbon steel, made for structural grades; often taken for low-alloy ones",
        source="EN 1993-1-2:2005: 3.2.2 density, 3.4.1.2 specific heat, 3.4.1.3 conductivity",
        low=20.0,
        high=1200.0,
        density=7850.0,
        conductivity=_carbon_conductivity,
        specific_heat=_carbon_specific_heat,
        close=(690.0, 780.0),
        transforms=True,
    ),
    "carbon_steel_en1993_split": Entry(
        title="the same steel for quenches with phases: the peak of its specific heat is left to them",
        source="EN 1993-1-2:2005 as above, with a straight specific heat from 600 to 900 °C (ours); the peak "
        "above that line holds 84.8 kJ/kg, 6.66e8 J/m³: give it as heat of the phases",
        low=20.0,
        high=1200.0,
        density=7850.0,
        conductivity=_carbon_conductivity,
        specific_heat=_carbon_without_peak,
    ),
    "stainless_steel_en1993": Entry(
        title="austenitic stainless steel: no change of phase on the way down",
        source="EN 1993-1-2:2005: 3.2.2 density, annex C specific heat and conductivity",
        low=20.0,
        high=1200.0,
        density=7850.0,
        conductivity=_stainless_conductivity,
        specific_heat=_stainless_specific_heat,
    ),
    "16mnd5_mtlp100": Entry(
        title="16MND5, a steel of reactor vessels, as the quench test MTLP100 has it",
        source="code_aster V4.61.100: k and rho c (5.26e6 J/m³/K) alone; here rho 1, c rho c",
        low=15.0,
        high=900.0,
        density=1.0,
        conductivity=33.5,
        specific_heat=5.26e6,
    ),
    "nafems_t3": Entry(
        title="the bar of NAFEMS T3",
        source="NAFEMS, The Standard NAFEMS Benchmarks (1990), test T3",
        low=-273.15,
        high=1e4,
        density=7200.0,
        conductivity=35.0,
        specific_heat=440.5,
    ),
}


def knots(entry: Entry, coarse: float = 20.0, close: float = 1.0) -> Floats:
    """Return the temperatures at which a formula is sampled: closer where it changes quickly."""
    wide = np.append(np.arange(entry.low, entry.high, coarse), entry.high)
    return np.unique(np.concatenate([wide, np.arange(*entry.close, close)]))
