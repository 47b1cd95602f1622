"""What the campaign itself finds in a member, whatever its solver checks; and findings as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import Array, Field, Schema
from forgia_hpc.data.fields.storage import SENTINEL, decode
from forgia_hpc.simulate.member import Finding


def missing(
    schema: Schema, fields: Mapping[str, Array], signals: Mapping[str, Array], times: Array
) -> str:
    """Return which array a solver has not left, or why its times are none; empty where all are there."""
    for kind, wanted, given in (
        ("field", schema.fields, fields),
        ("signal", schema.signals, signals),
    ):
        if names := [one.name for one in wanted if one.name not in given]:
            return f"there is no {kind} {', '.join(names)}"
    row = times.ndim == 1 and times.size > 0 and np.isfinite(times).all()
    if not row or not (np.diff(times) > 0).all():
        return f"times are not finite and rising: {times.ravel()[:5].tolist()}"
    for one in schema.signals:
        if np.shape(signals[one.name]) != times.shape:
            return f"{one.name}: {np.shape(signals[one.name])} instead of one value a step"
    return ""


def own_findings(schema: Schema, numbers: Mapping[str, Array], why: str) -> Iterator[Finding]:
    """Yield what no solver may leave: numbers that can't be stored; NaN where every mask says: body."""
    if why:
        yield Finding(check="storage", value=math.nan, limit=why, passed=False)
        return
    fields = {f"fields/{one.name}": one for one in schema.fields}
    masks = [(one, decode(numbers[name], one) > 0.5) for name, one in fields.items() if one.mask]
    for name, array in numbers.items():
        field = fields.get(name)
        packed = field is not None and field.storage == "i16"
        gaps: Array = np.asarray(array == SENTINEL) if packed else _not_finite(array)
        for mask, inside in masks if field and not field.mask else ():
            gaps = np.logical_and(gaps, _over(mask, inside, field))
        if gaps.any():
            where = " inside the body" if masks else " everywhere"
            limit, count = f"{name} must be finite{where}", float(np.count_nonzero(gaps))
            yield Finding(check="finite", value=count, limit=limit, passed=False)


def _not_finite(array: Array) -> Array:
    return ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(1, np.bool_)


def _over(mask: Field, inside: Array, field: Field | None) -> Array:
    """Return a mask as NumPy spreads it over a field's array; of a field at rest, what is body at all times."""
    assert field is not None
    if mask.time_varying and not field.time_varying:
        inside = np.all(inside, axis=0)
    elif field.time_varying and not mask.time_varying:
        inside = inside[None]
    return inside.reshape(*inside.shape, *(1,) * field.order)


def plain(one: Finding) -> dict[str, Any]:
    """Return a finding as the journal has it."""
    return {**vars(one), "value": as_number(one.value), "passed": bool(one.passed)}


def as_number(value: float) -> float | str:
    """Return a number as JSON can hold it."""
    found = float(value)
    return found if math.isfinite(found) else repr(found)
