"""Where cells and faces lie: one shape of numbers for boxes, rings and voxels.

All arrays have three axes, leading ones of size 1. What a face passes to a cell is weight * (difference of the
potential), weight = face area / (cell volume * distance of the centres), in 1/m2; it depends on one index only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat.case import Ball, Box, Grid, Ring, Values, Voxels

SURFACE = "surface"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One wall of the grid: what a flux of 1 W/m2 through it gives a cell at it."""

    name: str
    axis: int  # of three
    high: bool
    area_per_volume: float  # 1/m
    half: float  # m from the cell's centre


@dataclass(frozen=True, kw_only=True, eq=False)
class Geometry:
    """A grid as numbers. low, high: weights of each axis; outer walls are closed (0)."""

    names: tuple[str, ...]  # of the grid's own axes
    shape: tuple[int, int, int]
    low: tuple[Values, Values, Values]
    high: tuple[Values, Values, Values]
    edges: tuple[Values, Values, Values]  # m: where each axis' faces lie
    volumes: Values  # (last axis,) m3
    sides: tuple[Side, ...]
    mask: NDArray[np.bool_] | None = None  # of `shape`
    shares: NDArray[np.float64] | None = None  # (axis of three, *shape) of a mask's faces

    @property
    def axes(self) -> int:
        """How many axes the grid itself has."""
        return len(self.names)

    def centres(self, axis: int) -> Values:
        """Return the cells' centres along one of three axes."""
        return 0.5 * (self.edges[axis][1:] + self.edges[axis][:-1])


@lru_cache(maxsize=2)  # members of one mesh, and its finer level
def geometry_of(grid: Grid) -> Geometry:
    """Return a checked grid as numbers."""
    if isinstance(grid, Ring):
        return _ring(grid)
    if isinstance(grid, Ball):
        return _ball(grid)
    shape = grid.mask.shape if isinstance(grid, Voxels) else grid.shape
    lengths = tuple(n * grid.spacing for n in shape) if isinstance(grid, Voxels) else grid.lengths
    lead = 3 - len(shape)
    full = (1,) * lead + tuple(shape)
    long = (1.0,) * lead + tuple(lengths)  # a plate is 1 m deep, a bar 1 m x 1 m
    widths = [length / n for length, n in zip(long, full, strict=True)]
    weights = [_flat(n, width) for n, width in zip(full, widths, strict=True)]
    names = ("z", "y", "x")[lead:]
    return Geometry(
        names=names,
        shape=(full[0], full[1], full[2]),
        low=_three([low for low, _ in weights]),
        high=_three([high for _, high in weights]),
        edges=_three([np.linspace(0, length, n + 1) for length, n in zip(long, full, strict=True)]),
        volumes=np.full(full[2], float(np.prod(widths))),
        sides=tuple(
            Side(
                name=f"{name}{'+' if high else '-'}",
                axis=lead + at,
                high=high,
                area_per_volume=1.0 / widths[lead + at],
                half=0.5 * widths[lead + at],
            )
            for at, name in enumerate(names)
            for high in (False, True)
        ),
        mask=grid.mask.reshape(full) if isinstance(grid, Voxels) else None,
        shares=_shares(grid, full) if isinstance(grid, Voxels) else None,
    )


def _shares(grid: Voxels, full: tuple[int, ...]) -> Values:
    """Return the shares of faces across three axes."""
    found = np.ones((3, *full))
    if grid.shares is not None:
        found[3 - grid.mask.ndim :] = grid.shares.reshape(-1, *full)
    return found


def _ring(grid: Ring) -> Geometry:
    """Return the ring: z, r. The axis of a cylinder has no area, so nothing passes through it."""
    nz, nr = grid.shape
    dz, dr = grid.height / nz, (grid.outer - grid.inner) / nr
    edges = np.linspace(grid.inner, grid.outer, nr + 1)
    centres = 0.5 * (edges[1:] + edges[:-1])
    low, high = edges[:-1] / (centres * dr * dr), edges[1:] / (centres * dr * dr)
    low[0], high[-1] = 0.0, 0.0
    z_low, z_high = _flat(nz, dz)
    nothing = np.zeros(1)
    radial = [float(edges[end] / (centres[end] * dr)) for end in (0, -1)]
    return Geometry(
        names=("z", "r"),
        shape=(1, nz, nr),
        low=(nothing, z_low, low),
        high=(nothing, z_high, high),
        edges=(np.array([0.0, 1.0]), np.linspace(0, grid.height, nz + 1), edges),
        volumes=2 * np.pi * centres * dr * dz,
        sides=(
            Side(name="z-", axis=1, high=False, area_per_volume=1 / dz, half=0.5 * dz),
            Side(name="z+", axis=1, high=True, area_per_volume=1 / dz, half=0.5 * dz),
            Side(name="r-", axis=2, high=False, area_per_volume=radial[0], half=0.5 * dr),
            Side(name="r+", axis=2, high=True, area_per_volume=radial[1], half=0.5 * dr),
        ),
    )


def _ball(grid: Ball) -> Geometry:
    """Return the sphere: r alone. Its centre has no area."""
    edges = np.linspace(0.0, grid.outer, grid.shape[0] + 1)
    dr = grid.outer / grid.shape[0]
    thirds = np.diff(edges**3) / 3  # volume / 4 pi
    low, high = edges[:-1] ** 2 / (thirds * dr), edges[1:] ** 2 / (thirds * dr)
    low[0], high[-1] = 0.0, 0.0
    nothing, one = np.zeros(1), np.array([0.0, 1.0])
    outside = float(edges[-1] ** 2 / thirds[-1])
    return Geometry(
        names=("r",),
        shape=(1, 1, grid.shape[0]),
        low=(nothing, nothing, low),
        high=(nothing, nothing, high),
        edges=(one, one, edges),
        volumes=4 * np.pi * thirds,
        sides=(Side(name="r+", axis=2, high=True, area_per_volume=outside, half=0.5 * dr),),
    )


def _flat(cells: int, width: float) -> tuple[Values, Values]:
    """Return the weights of equal cells between two closed walls."""
    low, high = (np.full(cells, 1.0 / (width * width)) for _ in range(2))
    low[0], high[-1] = 0.0, 0.0
    return low, high


def _three(arrays: list[Values]) -> tuple[Values, Values, Values]:
    return arrays[0], arrays[1], arrays[2]


def side_names(grid: Grid) -> tuple[str, ...]:
    """Return the sides that need a law."""
    if isinstance(grid, Voxels):
        return (SURFACE,)
    if isinstance(grid, Ball):
        return ("r+",)
    axes = ("z", "r") if isinstance(grid, Ring) else ("z", "y", "x")[-len(grid.shape) :]
    return tuple(f"{axis}{end}" for axis in axes for end in "-+")


def shape_of(grid: Grid) -> tuple[int, ...]:
    """Return the grid's cells along its own axes."""
    return tuple(grid.mask.shape) if isinstance(grid, Voxels) else tuple(grid.shape)


__all__ = ["SURFACE", "Box", "Geometry", "Side", "geometry_of", "shape_of", "side_names"]
