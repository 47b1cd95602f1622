"""How a sweep's files say much in little: numbers as spans, configs by what differs from the first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def difference(base: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `other` holds in place of `base`; a mapping with other keys is replaced as a whole."""
    changed = {}
    for key, value in other.items():
        before = base[key]
        if value == before and type(value) is type(before):
            continue
        nested = isinstance(value, dict) and isinstance(before, dict) and {*value} == {*before}
        changed[key] = {"~": difference(before, value)} if nested else {"=": value}
    return changed


def applied(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a point: the first point's with its values in place."""
    return {
        key: before
        if key not in values
        else values[key]["="]
        if "=" in values[key]
        else applied(before, values[key]["~"])
        for key, before in base.items()
    }


def spans(numbers: Iterable[int]) -> str:
    """Return numbers in their order as Slurm writes them: 0-4,7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts)


def numbers_of(text: str) -> tuple[int, ...]:
    """Return the numbers of `0-4,7`."""
    found: list[int] = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)
