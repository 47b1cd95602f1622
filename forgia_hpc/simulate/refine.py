"""What refinement shows: how far members change when they are solved on a mesh of half the width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.data.fields.storage import decode

SAFETY = 1.25
Difference = dict[str, dict[str, float]]  # field → max, squares (their sum), count


def difference(
    schema: Schema, coarse: Mapping[str, Array], fine: Mapping[str, Array]
) -> Difference:
    """Return how far one member's fields differ between its two levels; numbers as stored, by field."""
    found: Difference = {}
    for one in schema.fields:
        if one.mask or not one.time_varying or coarse[one.name].shape != fine[one.name].shape:
            continue
        gap = decode(coarse[one.name], one) - decode(fine[one.name], one)
        gap = np.abs(gap[np.isfinite(gap)])
        found[one.name] = {
            "max": float(gap.max(initial=0.0)),
            "squares": float(np.sum(gap * gap)),
            "count": float(gap.size),
        }
    return found


def factor_of(order: int | None) -> float:
    """Return what a difference of two levels is multiplied by to hold the coarse one's error.

    An error that falls by 2^order leaves 1 - 2^-order of itself between the levels; a quarter more is Roache's
    margin (J. Fluids Eng. 116 (1994) 405). A solver that declares no order: the difference itself, no promise.
    """
    return 1.0 if order is None else SAFETY / (1.0 - 2.0**-order)


def errors_of(
    differences: Iterable[Difference], factor: float = 1.0
) -> dict[str, dict[str, float]]:
    """Return for each field the largest and the root mean square error over all refined members."""
    found: Difference = {}
    for one in differences:
        for name, told in one.items():
            all_of = found.setdefault(name, {"max": 0.0, "squares": 0.0, "count": 0.0})
            all_of["max"] = max(all_of["max"], told["max"])
            all_of["squares"] += told["squares"]
            all_of["count"] += told["count"]
    return {name: _figures(told, factor) for name, told in found.items()}


def _figures(told: Mapping[str, Any], factor: float) -> dict[str, float]:
    rms = math.sqrt(told["squares"] / max(told["count"], 1.0))
    return {"max": factor * told["max"], "rms": factor * rms}
