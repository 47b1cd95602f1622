"""Bodies as masks of voxels: cylinder, ring, stepped forging; and whether a mask is one sound body.

A cell is inside where its centre is. Stairs stand for slanted surfaces: the order of the error drops to 1 there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.simulate.heat.case import Voxels

Mask = NDArray[np.bool_]
_FEWEST = 3  # cells across the thinnest part, below which a voxel body means nothing


def cylinder(radius: float, height: float, spacing: float, inner: float = 0.0) -> Voxels:
    """Return a standing cylinder or ring, axes z, y, x. Lengths in m.

    Raises:
        InputError: a wall or height of fewer than 3 cells.
    """
    return stepped([(height, 2 * radius)], spacing, bore=2 * inner)


def stepped(steps: Sequence[tuple[float, float]], spacing: float, bore: float = 0.0) -> Voxels:
    """Return a forging turned about z: steps of (length, diameter) from the bottom up, and a bore through all.

    Raises:
        InputError: no step, a length that is none, a part thinner than 3 cells, a bore wider than the body.
    """
    _refuse(steps, spacing, bore)
    ends = np.cumsum([0.0, *(length for length, _ in steps)])
    layers = max(round(float(ends[-1]) / spacing), 1)
    across = math.ceil(max(diameter for _, diameter in steps) / spacing - 1e-9)
    z = (np.arange(layers) + 0.5) * spacing
    from_axis = (np.arange(across) + 0.5 - across / 2) * spacing
    square = from_axis[:, None] ** 2 + from_axis[None, :] ** 2
    of_layer = np.clip(np.searchsorted(ends, z, side="right") - 1, 0, len(steps) - 1)
    radii = np.array([diameter / 2 for _, diameter in steps])[of_layer]
    mask = (square[None] <= radii[:, None, None] ** 2) & (square[None] >= (bore / 2) ** 2)
    return Voxels(mask=sound(mask), spacing=spacing, shares=_turned(mask.shape, from_axis))


def _turned(shape: tuple[int, ...], from_axis: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much of each stair counts: ends whole, of the sides what the radius has of y and of x."""
    y, x = from_axis[:, None], from_axis[None, :]
    radius = np.maximum(np.hypot(y, x), 1e-300)
    sides = (np.ones_like(radius), np.abs(y) / radius, np.abs(x) / radius)
    return np.stack([np.broadcast_to(one, shape) for one in sides])


def _refuse(steps: Sequence[tuple[float, float]], spacing: float, bore: float) -> None:
    problems = []
    if not steps or not spacing > 0:
        limit = "at least one step, and a spacing above 0 m"
        problems.append(Problem(field="geometry", got=[list(steps), spacing], limit=limit))
    walls = [(d - bore) / 2 if bore > 0 else d for _, d in steps]
    parts = [*(length for length, _ in steps), *walls]
    parts += [(min(a, b) - bore) / (2 if bore > 0 else 1) for (_, a), (_, b) in pairwise(steps)]
    if not problems and min(parts) < _FEWEST * spacing * (1 - 1e-9):
        limit = f"at least {_FEWEST} cells of {spacing:g} m in the thinnest part"
        fix = "choose a finer spacing"
        problems.append(Problem(field="geometry", got=float(min(parts)), limit=limit, fix=fix))
    if problems:
        raise InputError(problems)


def sound(mask: Mask, field: str = "geometry.mask") -> Mask:
    """Return the mask if it is one body without closed holes.

    Cells hang together by faces. A bore that is open at an end is no hole.

    Raises:
        InputError: nothing inside, several bodies, or holes; with the place of the smallest.
    """
    from scipy.ndimage import label  # noqa: PLC0415  (takes 0.2 s to import)

    if mask.dtype != np.bool_ or not 1 <= mask.ndim <= 3 or not mask.any():
        limit = "a mask of True and False with 1 to 3 axes and something inside"
        raise InputError(Problem(field=field, got=f"{mask.dtype}, {mask.shape}", limit=limit))
    bodies, count = label(mask)
    holes, parts = label(np.pad(~mask, 1, constant_values=True))
    problems = []
    if count > 1:
        got, fix = f"{count} bodies, one at cell {_smallest(bodies)}", "solve each by itself"
        problems.append(Problem(field=field, got=got, limit="one body", fix=fix))
    if parts > 1:
        inside = [at - 1 for at in _smallest(np.where(holes == holes.flat[0], 0, holes))]
        got = f"{parts - 1} closed holes, one at cell {inside}"
        problems.append(Problem(field=field, got=got, limit="no holes", fix="fill them"))
    if problems:
        raise InputError(problems)
    return mask


def _smallest(labels: NDArray[np.int_]) -> list[int]:
    """Return a cell of the smallest labelled part."""
    sizes = np.bincount(labels.ravel())
    which = min((one for one in range(1, sizes.size) if sizes[one]), key=lambda one: sizes[one])
    return [int(at[0]) for at in np.nonzero(labels == which)]
