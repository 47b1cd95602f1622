"""From a finer mesh back to the coarse one: the mean over each coarse cell, weighed by volume."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat.geometry import Geometry


def restricted(
    values: NDArray[Any], fine: Geometry, where: tuple[slice, ...], by: int
) -> NDArray[Any]:
    """Return fields ([step,] *own fine cells) on coarse cells that are `by` fine ones wide."""
    weights = fine.volumes[where[-1]] / fine.volumes.max()
    axes = fine.axes
    steps = values.shape[: values.ndim - axes]
    split = [part for n in values.shape[values.ndim - axes :] for part in (n // by, by)]
    over = tuple(len(steps) + 2 * axis + 1 for axis in range(axes))
    whole = (values * weights).reshape(*steps, *split).sum(axis=over)
    return np.asarray(whole / (weights.reshape(-1, by).sum(axis=1) * by ** (axes - 1)))


def coarse_place(where: tuple[slice, ...], by: int) -> tuple[slice, ...]:
    """Return the coarse cells that these fine ones make up."""
    return tuple(slice(one.start // by, one.stop // by) for one in where)
