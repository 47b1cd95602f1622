"""The walls of a block: which cells lie at them, what enters, and how much has entered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat.arrays import Any3, Key
from forgia_hpc.simulate.heat.case import Boundary, Case, Coordinates, Flux, Symmetry
from forgia_hpc.simulate.heat.decompose import Block
from forgia_hpc.simulate.heat.geometry import SURFACE, Geometry, Side
from forgia_hpc.simulate.heat.laws import Sharing, Wall, place_of, wall_of
from forgia_hpc.simulate.heat.matter import Matter


@dataclass(kw_only=True)
class Driven:
    """What the walls have shown so far: the temperatures behind them, and whether fluxes heat or cool."""

    low: float = np.inf
    high: float = -np.inf
    heated: bool = False
    cooled: bool = False

    def see(self, law: Boundary, value: Any) -> None:
        """Take one value of one law."""
        number = isinstance(value, float)
        least, most = (value, value) if number else (float(value.min()), float(value.max()))
        if isinstance(law, Flux):
            self.heated, self.cooled = self.heated or most > 0, self.cooled or least < 0
        else:
            self.low, self.high = min(self.low, least), max(self.high, most)


@dataclass(kw_only=True)
class Patch:
    """A block's cells at one side."""

    side: Side
    laws: tuple[Boundary, ...]
    wall: Wall
    key: Any  # the cells, in a field with rim
    areas: NDArray[np.float64]  # m2, of each cell's face
    gain: Any  # state that 1 J/m2 through the face gives the cell: a number, or an array
    taken: Any3  # J/m2, float64, since it was last asked


class Walls:
    """All patches of a block. Their order is the sides', whatever the block, so that corners add up alike."""

    def __init__(self, case: Case, geometry: Geometry, block: Block, matter: Matter) -> None:
        """Take a checked case."""
        self.matter = matter
        self.arrays = matter.arrays
        self.driven = Driven()
        self.patches = list(self._patches(case, geometry, block))

    def _patches(self, case: Case, geometry: Geometry, block: Block) -> Iterator[Patch]:
        for side in geometry.sides:
            given = case.boundaries[side.name if geometry.mask is None else SURFACE]
            laws = tuple(one for one in laws_of(given) if not isinstance(one, Symmetry))
            found = _cells(geometry, block, side)
            if found is None or side.area_per_volume == 0.0:
                continue
            key, coordinates, shape, volumes, shares = found
            wall = wall_of(laws, side.half, self.matter, place_of(self.arrays, coordinates, shape))
            if wall is not None:
                yield Patch(
                    side=side,
                    laws=laws,
                    wall=wall,
                    key=self.arrays.key(key),
                    areas=np.broadcast_to(volumes * side.area_per_volume * shares, shape),
                    gain=self._gain(side.area_per_volume / self.matter.heat_unit, shares),
                    taken=self.arrays.wide(self.arrays.array(np.zeros(shape))),
                )

    def _gain(self, whole: float, shares: NDArray[np.float64] | float) -> Any:
        return float(whole) if isinstance(shares, float) else self.arrays.array(whole * shares)

    def fluxes(self, t: float, state: Any3) -> list[Sharing]:
        """Return each patch's flux, W/m2, and its slope over the cells' theta."""
        found = []
        for patch in self.patches:
            values = patch.wall.values(t)
            for law, value in zip(patch.laws, values, strict=True):
                self.driven.see(law, self._plain(value))
            found.append(patch.wall.flux(values, self.matter.temperature(state[patch.key])))
        return found

    def add(self, fluxes: Sequence[Sharing], dt: float, out: Any3) -> None:
        """Add what enters in dt to a state."""
        for patch, (flux, _) in zip(self.patches, fluxes, strict=True):
            out[patch.key] = out[patch.key] + (dt * patch.gain) * flux

    def note(self, fluxes: Sequence[Sharing], dt: float) -> None:
        """Remember what has entered in dt."""
        for patch, (flux, _) in zip(self.patches, fluxes, strict=True):
            patch.taken = patch.taken + dt * self.arrays.wide(flux)

    def taken(self) -> NDArray[np.float64]:
        """Return the heat, J, that each face has taken since this was last asked."""
        parts = [(self.arrays.host(one.taken) * one.areas).ravel() for one in self.patches]
        for patch in self.patches:
            patch.taken = 0.0 * patch.taken
        return np.concatenate([*parts, np.zeros(1)])

    def _plain(self, value: Any) -> Any:
        return value if isinstance(value, float) else self.arrays.host(value)


def laws_of(given: Boundary | tuple[Boundary, ...]) -> tuple[Boundary, ...]:
    """Return a side's laws."""
    return given if isinstance(given, tuple) else (given,)


Found = tuple[Key, Coordinates, tuple[int, ...], Any, Any]


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
