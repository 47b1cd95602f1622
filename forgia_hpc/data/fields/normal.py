"""Means and standard deviations of channels, from what the shards store: no pass over the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.packed import STAT, Table

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Normal:
    """Of each channel: of its values, and of its changes from step to step."""

    mean: Floats
    std: Floats
    delta_mean: Floats
    delta_std: Floats
    known: NDArray[np.bool_]  # whether there was any number at all


def merged(parts: Iterable[Table], channels: int) -> Table:
    """Return one row a channel from many shards' rows (Chan, Golub and LeVeque 1979)."""
    total = np.zeros(channels, STAT)
    for part in parts:
        n = total["n"] + part["n"]
        some = np.maximum(n, 1)
        delta = part["mean"] - total["mean"]
        m2 = total["m2"] + part["m2"] + delta**2 * total["n"] * part["n"] / some
        first, none = total["n"] == 0, part["n"] == 0
        for name, choose in (("min", np.minimum), ("max", np.maximum)):
            both = choose(total[name], part[name])
            total[name] = np.where(first, part[name], np.where(none, total[name], both))
        total["mean"] += delta * part["n"] / some
        total["m2"], total["n"] = m2, n
    return total


def normal_of(values: Table, deltas: Table) -> Normal:
    """Return means and deviations; a channel that never varies, or was never measured, has deviation 1."""
    mean, std = _two(values)
    delta_mean, delta_std = _two(deltas)
    known = np.asarray(values["n"] > 0)
    return Normal(mean=mean, std=std, delta_mean=delta_mean, delta_std=delta_std, known=known)


def _two(table: Table) -> tuple[Floats, Floats]:
    std = np.sqrt(table["m2"] / np.maximum(table["n"], 1))
    return table["mean"].copy(), np.where(std > 0, std, 1.0)
