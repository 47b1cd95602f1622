"""Terms of UCUM: products with `.` or `*`, quotients with `/`, whole powers (m2, s-1), brackets, SI prefixes.

`W/(m2.K)` needs no row in the table of units: its parts have one. Sources: ucum.org/ucum (tables 1 ff.).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from forgia_hpc.data.ingest.ucum import NONE, UNITS, Dimension, Unit

_TOKEN = re.compile(r"\s*(?:([./*()])|(\[[^\]]*\]|[A-Za-z%µ°Ω]+(?:'\w+)?)(?:\^?([-+]?\d+))?|(\d+))")
# how people write units → UCUM; where case alone would decide, UCUM's own case holds
WRITTEN: Mapping[str, str] = {
    "degC": "Cel",
    "°C": "Cel",
    "celsius": "Cel",
    "degF": "[degF]",
    "°F": "[degF]",
    "kelvin": "K",
    "psi": "[psi]",
    "µm": "um",
    "Nm": "N.m",
    "sec": "s",
    "hour": "h",
    "tonne": "t",
}
_PREFIXES = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "c": 1e-2, "k": 1e3, "M": 1e6, "G": 1e9}
_PREFIXED = ("m", "g", "s", "A", "K", "Hz", "N", "Pa", "J", "W", "V", "L", "bar")
_MORE = {  # beside the table of what recipes may name
    "rad": (NONE, 1.0),
    "deg": (NONE, 0.017453292519943295),
    "mol": ((0, 0, 0, 0, 0, 1), 1.0),
}


@dataclass(frozen=True)
class Measure:
    """A unit that was read: value in SI base units = value * factor + offset."""

    dimension: Dimension
    factor: float
    offset: float = 0.0


def is_term(code: str) -> bool:
    """Whether a text is a code of the table, or a term of such codes, as UCUM writes them."""
    if code in UNITS:
        return True
    try:
        return bool(measure(code))
    except (LookupError, ValueError):
        return False


def known_units() -> list[str]:
    """Return the codes that may stand in a product, and alone."""
    simple = [code for code in {*UNITS, *_MORE} if not set(code) & set("./{") and code != "1"]
    return sorted(set(simple) - {"[arb'U]"})


@cache
def measure(text: str, *, lenient: bool = False) -> Measure:
    """Return what a unit means; lenient: degC, m² and the like are understood too.

    Raises:
        LookupError: an unknown unit; ValueError: no term of units.
    """
    if lenient:
        text = text.replace("²", "2").replace("³", "3").replace("·", ".").strip()
        text = WRITTEN.get(text, text)
    if text in UNITS:
        return _plain(UNITS[text])
    tokens = [_meant(one) if lenient else one for one in _tokens(text)]
    found = _term(tokens)
    if tokens:
        raise ValueError(f"no unit: {text!r} has a bracket too many")
    return found


def _meant(token: str | tuple[str, int]) -> str | tuple[str, int]:
    return token if isinstance(token, str) else (WRITTEN.get(token[0], token[0]), token[1])


def _tokens(text: str) -> Iterator[str | tuple[str, int]]:
    """Give the marks of a term, and its units with their powers."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"no unit: {text[at:]!r} is not understood")
        at = found.end()
        mark, unit, power, number = found.groups()
        if number and number != "1":
            raise ValueError(f"no unit: a factor of {number} belongs to the value")
        yield mark or (unit or "1", int(power or 1))


def _term(tokens: list[str | tuple[str, int]]) -> Measure:
    """Take a term off the tokens: units in a product, read from the left as UCUM reads them."""
    whole = Measure(NONE, 1.0)
    sign = 1
    while tokens and tokens[0] != ")":
        token = tokens.pop(0)
        if token in (".", "*", "/"):
            sign = -1 if token == "/" else 1
            continue
        if token == "(":
            one, power = _term(tokens), 1
            if not tokens or tokens.pop(0) != ")":
                raise ValueError("no unit: a bracket is not closed")
        else:
            one, power = _single(str(token[0])), int(token[1])
        whole = _times(whole, one, sign * power)
        sign = 1
    return whole


def _times(whole: Measure, one: Measure, power: int) -> Measure:
    """Return a product. In one, a degree Celsius is a difference: W/(m2.Cel) is W/(m2.K)."""
    dimension = tuple(a + power * b for a, b in zip(whole.dimension, one.dimension, strict=True))
    return Measure(dimension, whole.factor * one.factor**power)


def _single(code: str) -> Measure:
    if code in UNITS:
        return _plain(UNITS[code])
    if code in _MORE:
        return Measure(*_MORE[code])
    prefix, rest = code[:1], code[1:]
    if prefix in _PREFIXES and rest in _PREFIXED:
        one = _plain(UNITS[rest])
        return Measure(one.dimension, one.factor * _PREFIXES[prefix])
    raise LookupError(code)


def _plain(unit: Unit) -> Measure:
    if len(unit.dimension) != len(NONE):
        raise LookupError(unit.code)  # an arbitrary unit is comparable with nothing
    return Measure(unit.dimension, unit.factor, unit.offset)
