"""Which of a block's cells lie at a wall, side by side: the same for all members of one mesh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat.arrays import Key
from forgia_hpc.simulate.heat.case import Coordinates
from forgia_hpc.simulate.heat.decompose import Block
from forgia_hpc.simulate.heat.geometry import Geometry, Side


@dataclass(frozen=True, kw_only=True, eq=False)
class Face:
    """A block's cells at one side."""

    side: Side
    key: Key  # the cells, in a field with rim
    coordinates: Coordinates  # of their faces
    shape: tuple[int, ...]
    areas: NDArray[np.float64]  # m2, of `shape`
    shares: NDArray[np.float64] | float  # how much of a face counts


Found = tuple[Key, Coordinates, tuple[int, ...], Any, Any]


@lru_cache(maxsize=2)  # two levels of one mesh take turns
def faces_of(geometry: Geometry, block: Block) -> tuple[Face, ...]:
    """Return a block's cells at each side that has some. Their order is the sides', whatever the block."""
    return tuple(_faces(geometry, block))


def _faces(geometry: Geometry, block: Block) -> Iterator[Face]:
    for side in geometry.sides:
        found = _cells(geometry, block, side)
        if found is None or side.area_per_volume == 0.0:
            continue
        key, places, shape, volumes, shares = found
        areas = np.broadcast_to(volumes * side.area_per_volume * shares, shape)
        yield Face(side=side, key=key, coordinates=places, shape=shape, areas=areas, shares=shares)


def _cells(geometry: Geometry, block: Block, side: Side) -> Found | None:
    """Return a side's cells in a block: where, their faces' coordinates, shape, volumes, shares; or None."""
    if geometry.mask is not None:
        return _stairs(geometry, block, side)
    edge = geometry.shape[side.axis] if side.high else 0
    if (block.stop if side.high else block.start)[side.axis] != edge:
        return None
    at = block.shape[side.axis] if side.high else 1
    key = tuple(slice(at, at + 1) if one == side.axis else slice(1, -1) for one in range(3))
    shape = tuple(1 if one == side.axis else n for one, n in enumerate(block.shape))
    volumes = geometry.volumes[block.where[2]]
    if side.axis == 2:
        volumes = volumes[-1:] if side.high else volumes[:1]
    return key, coordinates(geometry, block, side), shape, volumes, 1.0


def _stairs(geometry: Geometry, block: Block, side: Side) -> Found | None:
    """Return a mask's cells that have no neighbour towards this side."""
    mask = geometry.mask
    assert geometry.shares is not None
    assert mask is not None
    beyond = np.zeros_like(mask)
    inner = tuple(slice(None) if one != side.axis else slice(None, -1) for one in range(3))
    outer = tuple(slice(None) if one != side.axis else slice(1, None) for one in range(3))
    here, there = (inner, outer) if side.high else (outer, inner)
    beyond[here] = mask[there]
    index = np.nonzero((mask & ~beyond)[block.where])
    if not index[0].size:
        return None
    own = [geometry.centres(axis)[block.start[axis] :][one] for axis, one in enumerate(index)]
    own[side.axis] = own[side.axis] + (side.half if side.high else -side.half)
    key = tuple(one + 1 for one in index)
    places = tuple(own[3 - geometry.axes :])
    shares = geometry.shares[side.axis][block.where][index]
    return key, places, index[0].shape, geometry.volumes[0], shares


def coordinates(geometry: Geometry, block: Block, side: Side | None = None) -> Coordinates:
    """Return the own cells' centres along the grid's axes, or a side's faces, as arrays that broadcast."""
    found = []
    for axis in range(3 - geometry.axes, 3):
        own = geometry.centres(axis)[block.where[axis]]
        if side is not None and side.axis == axis:
            own = geometry.edges[axis][-1:] if side.high else geometry.edges[axis][:1]
        found.append(own.reshape([-1 if one == axis else 1 for one in range(3 - geometry.axes, 3)]))
    return tuple(found)
