"""Numbers as people read them: units, sensible digits, a true minus sign."""

from __future__ import annotations

import math
from datetime import UTC, datetime

GAP = "\u00a0"  # no-break space: between groups of digits, before a unit
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def number(value: object) -> float | None:
    """Return a finite number, or None for everything else (true and false too)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # JSON knows integers that no float holds
        return None


def signed(text: str) -> str:
    """Return the text with a true minus sign."""
    return text.replace("-", "−")


def significant(value: float, digits: int = 3) -> str:
    """Return the value with so many significant digits: 0.412, 1 230, 1.2 × 10⁻⁵."""
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".split("e")[1])  # after rounding: 99.96 is 100
    if not -4 <= exponent < 6:
        mantissa, power = f"{value:.{max(digits - 2, 0)}e}".split("e")
        high = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return signed(f"{mantissa} × 10{high}")
    decimals = max(digits - 1 - exponent, 0)
    return signed(f"{value:,.{decimals}f}".replace(",", GAP))


def count(value: float) -> str:
    """Return a count: whole below a hundred thousand, then 1.23 M."""
    if abs(value) < 1e5:
        return signed(f"{round(value):,}".replace(",", GAP))
    return si(value).rstrip()


def si(value: float, unit: str = "") -> str:
    """Return the value with a prefix of the SI: 12.3 ktokens/s is written 12.3 k tokens/s."""
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor * 0.9995:
            return f"{significant(value / factor)} {prefix} {unit}".rstrip()
    return f"{significant(value)} {unit}".rstrip()


def percent(value: float, *, sign: bool = False) -> str:
    """Return a share as a percentage: 31 %, with `sign` +31 %; one decimal below 10 %."""
    scaled = value * 100
    digits = 1 if abs(scaled) < 9.95 and abs(scaled) >= 0.05 else 0
    text = f"{scaled:+.{digits}f}" if sign else f"{scaled:.{digits}f}"
    return signed("0" if float(text) == 0 else text) + f"{GAP}%"


def duration(seconds: float) -> str:
    """Return a duration: 85 ms, 12.4 s, 3 min 20 s, 1 h 04 min, 2 d 03 h, 15 min."""
    if seconds < 0:
        return "−" + duration(-seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 or seconds == 0 else "< 1 ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    for first, size_of, second, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= first:
            return f"{whole // first} {size_of}" + _rest(whole % first // second, part)
    return f"{whole // 60} min" + _rest(whole % 60, "s")


def _rest(number_of: int, unit_: str) -> str:
    return f" {number_of:02d} {unit_}" if number_of else ""


def size(count_bytes: float) -> str:
    """Return a size in decimal units: 12.3 MB."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count_bytes >= factor * 0.9995:
            return f"{significant(count_bytes / factor)} {unit}"
    return f"{count_bytes:.0f} B"


def moment(time_ns: float) -> str:
    """Return a time in UTC to the second, or the bare number where no calendar holds it."""
    try:
        at = datetime.fromtimestamp(time_ns / 1e9, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return str(time_ns)
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def words(name: str) -> str:
    """Return a name as words: held_out_time → held-out time."""
    return name.replace("held_out_", "held-out ").replace("_", " ")


_UNITS = {
    "1": "",
    "Cel": "°C",
    "[degF]": "°F",
    "[degR]": "°R",
    "deg": "°",
    "Ohm": "Ω",
    "10*3": "10³",
}


def unit(ucum: str) -> str:
    """Return a UCUM code as people write it: Cel → °C, kW.h → kW·h; an unknown code stays as it is."""
    return _UNITS.get(ucum, ucum.replace(".", "·"))
