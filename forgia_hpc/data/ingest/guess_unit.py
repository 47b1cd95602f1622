"""Words of a header → a unit and a quantity, for a draft: a guess that a person checks."""

from __future__ import annotations

import re

from forgia_hpc.data.ingest.ucum import QUANTITIES, UNITS

UNKNOWN = ("[arb'U]", "unknown")
# how people write units → UCUM; compared without case where that is not ambiguous
_WRITTEN = {
    "°c": "Cel",
    "degc": "Cel",
    "celsius": "Cel",
    "°f": "[degF]",
    "degf": "[degF]",
    "degr": "[degR]",
    "kelvin": "K",
    "rpm": "{rev}/min",
    "1/min": "/min",
    "u/min": "{rev}/min",
    "hz": "Hz",
    "khz": "kHz",
    "psi": "[psi]",
    "bar": "bar",
    "pa": "Pa",
    "kpa": "kPa",
    "mpa": "MPa",
    "kwh": "kW.h",
    "kvarh": "kV.A.h",
    "kw": "kW",
    "w": "W",
    "v": "V",
    "a": "A",
    "ma": "mA",
    "kn": "kN",
    "n": "N",
    "mm": "mm",
    "um": "um",
    "µm": "um",
    "m": "m",
    "mm/s": "mm/s",
    "m/s": "m/s",
    "m/s2": "m/s2",
    "m/s²": "m/s2",
    "m3/h": "m3/h",
    "m³/h": "m3/h",
    "l/min": "L/min",
    "kg/h": "kg/h",
    "kg/s": "kg/s",
    "kg": "kg",
    "g": "g",
    "t": "t",
    "tco2": "t",
    "%": "%",
    "s": "s",
    "ms": "ms",
    "min": "min",
    "h": "h",
}
_WORDS = (  # a word of the header → the unit that such a number most often has
    (r"power_?factor", "%", "power_factor"),
    (r"temp\w*|t_(in|out|oil|air)", "Cel", "temperature"),
    (r"press\w*|druck", "bar", "pressure"),
    (r"vibr\w*", "mm/s", "vibration_velocity"),
    (r"curr\w*|strom", "A", "current"),
    (r"volt\w*|spannung", "V", "voltage"),
    (r"speed|drehzahl|rpm", "{rev}/min", "rotational_speed"),
    (r"power|leistung", "kW", "power"),
    (r"energy|usage", "kW.h", "energy"),
    (r"flow|durchfluss", "m3/h", "volume_flow"),
    (r"level|fill\w*", "%", "level"),
    (r"valve\w*|opening", "%", "valve_opening"),
    (r"force|tonnage", "kN", "force"),
    (r"pos\w*|stroke", "mm", "position"),
)
_QUANTITY = {"kV.A.h": "reactive_energy", "{rev}/min": "rotational_speed", "t": "mass"}


def guess_unit(header: str) -> tuple[str, str, str]:
    """Return UCUM code, quantity, and why; `[arb'U]` and `unknown` where nothing is found."""
    for written in _written_units(header):
        if written in UNITS or written.lower() in _WRITTEN:
            code = written if written in UNITS else _WRITTEN[written.lower()]
            return code, _quantity(code, header), f"{written!r} in the header"
    for words, code, quantity in _WORDS:
        if found := re.search(rf"(?<![a-z])({words})(?![a-z])", header.lower()):
            return code, quantity, f"{found[0]!r} is often in {code}"
    return *UNKNOWN, "the header names no unit"


def _written_units(header: str) -> list[str]:
    """Return what may be a unit: in brackets first, then the last word after a mark."""
    inside = re.findall(r"[\[(]\s*([^\])]+?)\s*[\])]", header)
    parts = re.split(r"[_\s]+", header)
    return [*inside, *(parts[-1:] if len(parts) > 1 else [])]


def _quantity(code: str, header: str) -> str:
    for words, _, quantity in _WORDS:
        same = UNITS[code].dimension == QUANTITIES[quantity]
        if same and re.search(rf"(?<![a-z])({words})", header.lower()):
            return quantity
    if code in _QUANTITY:
        return _QUANTITY[code]
    return next(name for name, one in QUANTITIES.items() if one == UNITS[code].dimension)
