"""The units and quantities that a recipe may name: a small table of UCUM codes with their dimensions.

Dimensions are exponents of (length, mass, time, current, temperature, amount); "arbitrary" units of UCUM have a
dimension of their own, so they fit no physical quantity. Sources: ucum.org/ucum (tables 1 ff.), SI brochure.
"""

from __future__ import annotations

from dataclasses import dataclass

from forgia_hpc.errors import Problem

Dimension = tuple[int, ...]

NONE: Dimension = (0, 0, 0, 0, 0, 0)
ARBITRARY: Dimension = (99,)  # procedure-defined: comparable with nothing, by UCUM's own rule
LENGTH: Dimension = (1, 0, 0, 0, 0, 0)
AREA: Dimension = (2, 0, 0, 0, 0, 0)
VOLUME: Dimension = (3, 0, 0, 0, 0, 0)
MASS: Dimension = (0, 1, 0, 0, 0, 0)
TIME: Dimension = (0, 0, 1, 0, 0, 0)
CURRENT: Dimension = (0, 0, 0, 1, 0, 0)
TEMPERATURE: Dimension = (0, 0, 0, 0, 1, 0)
FREQUENCY: Dimension = (0, 0, -1, 0, 0, 0)
SPEED: Dimension = (1, 0, -1, 0, 0, 0)
ACCELERATION: Dimension = (1, 0, -2, 0, 0, 0)
FORCE: Dimension = (1, 1, -2, 0, 0, 0)
PRESSURE: Dimension = (-1, 1, -2, 0, 0, 0)
ENERGY: Dimension = (2, 1, -2, 0, 0, 0)
POWER: Dimension = (2, 1, -3, 0, 0, 0)
VOLTAGE: Dimension = (2, 1, -3, -1, 0, 0)
MASS_FLOW: Dimension = (0, 1, -1, 0, 0, 0)
VOLUME_FLOW: Dimension = (3, 0, -1, 0, 0, 0)
FUEL_PER_PRESSURE: Dimension = (1, 0, 1, 0, 0, 0)  # kg/s / Pa = m.s


@dataclass(frozen=True)
class Unit:
    """A UCUM code: physical value in SI base units = value * factor + offset."""

    code: str
    dimension: Dimension
    factor: float = 1.0
    offset: float = 0.0


_PSI = 6894.757293168361
_UNITS = (
    Unit("1", NONE),
    Unit("%", NONE, 0.01),
    Unit("mol%", NONE, 0.01),
    Unit("[arb'U]", ARBITRARY),
    Unit("m", LENGTH),
    Unit("mm", LENGTH, 1e-3),
    Unit("um", LENGTH, 1e-6),
    Unit("m2", AREA),
    Unit("m3", VOLUME),
    Unit("L", VOLUME, 1e-3),
    Unit("kg", MASS),
    Unit("g", MASS, 1e-3),
    Unit("t", MASS, 1e3),
    Unit("s", TIME),
    Unit("ms", TIME, 1e-3),
    Unit("min", TIME, 60.0),
    Unit("h", TIME, 3600.0),
    Unit("d", TIME, 86400.0),
    Unit("A", CURRENT),
    Unit("mA", CURRENT, 1e-3),
    Unit("K", TEMPERATURE),
    Unit("Cel", TEMPERATURE, 1.0, 273.15),
    Unit("[degF]", TEMPERATURE, 5 / 9, 459.67 * 5 / 9),
    Unit("[degR]", TEMPERATURE, 5 / 9),
    Unit("Hz", FREQUENCY),
    Unit("kHz", FREQUENCY, 1e3),
    Unit("/min", FREQUENCY, 1 / 60),
    Unit("{rev}/min", FREQUENCY, 1 / 60),
    Unit("m/s", SPEED),
    Unit("mm/s", SPEED, 1e-3),
    Unit("m/s2", ACCELERATION),
    Unit("N", FORCE),
    Unit("kN", FORCE, 1e3),
    Unit("Pa", PRESSURE),
    Unit("kPa", PRESSURE, 1e3),
    Unit("MPa", PRESSURE, 1e6),
    Unit("bar", PRESSURE, 1e5),
    Unit("[psi]", PRESSURE, _PSI),
    Unit("J", ENERGY),
    Unit("MJ", ENERGY, 1e6),
    Unit("kW.h", ENERGY, 3.6e6),
    Unit("kV.A.h", ENERGY, 3.6e6),  # UCUM has no var; kvarh is written as the apparent energy it is
    Unit("W", POWER),
    Unit("kW", POWER, 1e3),
    Unit("V", VOLTAGE),
    Unit("kg/s", MASS_FLOW),
    Unit("kg/h", MASS_FLOW, 1 / 3600),
    Unit("[lb_av]/s", MASS_FLOW, 0.45359237),
    Unit("m3/h", VOLUME_FLOW, 1 / 3600),
    Unit("L/min", VOLUME_FLOW, 1e-3 / 60),
    # thousands of standard cubic metres an hour: the annotation names the reference state, as UCUM wants it
    Unit("10*3.m3{std}/h", VOLUME_FLOW, 1e3 / 3600),
    Unit("[lb_av]/s/[psi]", FUEL_PER_PRESSURE, 0.45359237 / _PSI),
)
UNITS: dict[str, Unit] = {unit.code: unit for unit in _UNITS}

# quantity → the dimension that its unit must have
QUANTITIES: dict[str, Dimension] = {
    "dimensionless": NONE,
    "ratio": NONE,
    "category": NONE,
    "mole_fraction": NONE,
    "level": NONE,
    "valve_opening": NONE,
    "power_factor": NONE,
    "altitude_setting": NONE,
    "unknown": ARBITRARY,
    "length": LENGTH,
    "position": LENGTH,
    "area": AREA,
    "volume": VOLUME,
    "mass": MASS,
    "emitted_mass": MASS,
    "time": TIME,
    "current": CURRENT,
    "temperature": TEMPERATURE,
    "frequency": FREQUENCY,
    "rotational_speed": FREQUENCY,
    "speed": SPEED,
    "vibration_velocity": SPEED,
    "acceleration": ACCELERATION,
    "force": FORCE,
    "pressure": PRESSURE,
    "energy": ENERGY,
    "reactive_energy": ENERGY,
    "power": POWER,
    "voltage": VOLTAGE,
    "mass_flow": MASS_FLOW,
    "volume_flow": VOLUME_FLOW,
    "fuel_flow_per_pressure": FUEL_PER_PRESSURE,
}


def check_unit(ucum: str, quantity: str, *, field: str, where: str) -> list[Problem]:
    """Return what is wrong with a unit and the quantity that it measures; nothing if they fit."""
    problems = []
    if ucum not in UNITS:
        problems.append(
            Problem(
                field=f"{field}.ucum",
                got=ucum,
                limit="not in our table of UCUM codes",
                where=where,
                fix="use its UCUM code (Cel, kW.h, [psi] …) or add it to data/ingest/ucum.py",
            )
        )
    if quantity not in QUANTITIES:
        problems.append(
            Problem(
                field=f"{field}.quantity",
                got=quantity,
                limit=f"one of {', '.join(QUANTITIES)}",
                where=where,
            )
        )
    if not problems and UNITS[ucum].dimension != QUANTITIES[quantity]:
        problems.append(
            Problem(
                field=f"{field}.ucum",
                got=ucum,
                limit=f"a unit of {quantity} is needed; this one has another dimension",
                where=where,
            )
        )
    return problems


def fits(ucum: str) -> list[str]:
    """Return the quantities that a unit can measure."""
    return [name for name, dimension in QUANTITIES.items() if dimension == UNITS[ucum].dimension]
