"""The walls of a block: what enters, and how much has entered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat.arrays import Any3, Arrays
from forgia_hpc.simulate.heat.case import (
    Boundary,
    Case,
    Coordinates,
    Flux,
    Law,
    OfPlace,
    Symmetry,
)
from forgia_hpc.simulate.heat.decompose import Block
from forgia_hpc.simulate.heat.faces import Face, faces_of
from forgia_hpc.simulate.heat.geometry import SURFACE, Geometry
from forgia_hpc.simulate.heat.laws import Sharing, Value, Wall, wall_of
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
    """A block's cells at one side; or at all sides, where a backend takes them in one."""

    faces: tuple[Face, ...]
    laws: tuple[Boundary, ...]
    wall: Wall
    key: Any  # the cells, in a field with rim
    areas: NDArray[np.float64]  # m2, of each cell's face
    gain: Any  # state that 1 J/m2 through the face gives the cell: a number, or an array
    taken: Any3  # J/m2, float64, since it was last asked
    shown: list[Any] | None = None  # the laws' values that were seen last

    def gains(self, dt: float) -> Any:
        """Return the state that 1 W/m2 gives each cell in dt."""
        return dt * self.gain

    def strengths(self, dt: float, unit: float, slope: Any) -> Any:
        """Return the same for a flux that changes by `slope` with each unit of the potential."""
        return dt * self.gain * unit * slope


class Walls:
    """All patches of a block. Their order is the sides', whatever the block, so that corners add up alike."""

    def __init__(self, case: Case, geometry: Geometry, block: Block, matter: Matter) -> None:
        """Take a checked case."""
        self.matter = matter
        self.arrays = matter.arrays
        self.driven = Driven()
        self.patches: Sequence[Patch] = self.arrays.joined(
            list(self._patches(case, geometry, block)), block.shape
        )

    def _patches(self, case: Case, geometry: Geometry, block: Block) -> Iterator[Patch]:
        for face in faces_of(geometry, block):
            side = face.side
            given = case.boundaries[side.name if geometry.mask is None else SURFACE]
            laws = tuple(one for one in laws_of(given) if not isinstance(one, Symmetry))
            place = place_of(self.arrays, face.coordinates, face.shape)
            wall = wall_of(laws, side.half, self.matter, place)
            if wall is not None:
                yield Patch(
                    faces=(face,),
                    laws=laws,
                    wall=wall,
                    key=self.arrays.key(face.key),
                    areas=face.areas,
                    gain=self._gain(side.area_per_volume / self.matter.heat_unit, face.shares),
                    taken=self.arrays.wide_array(np.zeros(face.shape)),
                )

    def _gain(self, whole: float, shares: NDArray[np.float64] | float) -> Any:
        return float(whole) if isinstance(shares, float) else self.arrays.array(whole * shares)

    def fluxes(self, t: float, state: Any3) -> list[Sharing]:
        """Return each patch's flux, W/m2, and its slope over the cells' theta."""
        found = []
        for patch in self.patches:
            values = self.values(patch, t)
            cells = self.matter.temperature(self.arrays.take(state, patch.key))
            found.append(patch.wall.flux(values, cells))
        return found

    def values(self, patch: Patch, t: float) -> list[Any]:
        """Return the values of a patch's laws, seen."""
        values = patch.wall.values(t)
        if values is not patch.shown:  # laws that are numbers give the same list again
            for law, value in zip(patch.laws, values, strict=True):
                self.driven.see(law, value if isinstance(value, float) else self.arrays.host(value))
            patch.shown = values
        return values

    def add(self, fluxes: Sequence[Sharing], dt: float, out: Any3) -> None:
        """Add what enters in dt to a state."""
        for patch, (flux, _) in zip(self.patches, fluxes, strict=True):
            self.arrays.add(out, patch.key, patch.gains(dt) * flux)

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

    def noted(self) -> NDArray[np.float64]:
        """Return what `note` has remembered, J/m2 of all faces in a row: the same for every backend."""
        return np.concatenate(
            [*(self.arrays.host(one.taken).ravel() for one in self.patches), np.zeros(0)]
        )

    def recall(self, noted: NDArray[np.float64]) -> None:
        """Set what `note` has remembered to what `noted` gave."""
        at = 0
        for patch in self.patches:
            part = noted[at : at + patch.areas.size]
            patch.taken = self.arrays.wide_array(part.reshape(patch.areas.shape))
            at += patch.areas.size


def laws_of(given: Boundary | tuple[Boundary, ...]) -> tuple[Boundary, ...]:
    """Return a side's laws."""
    return given if isinstance(given, tuple) else (given,)


def place_of(
    arrays: Arrays, coordinates: Coordinates, shape: tuple[int, ...]
) -> Callable[[Law], Value]:
    """Return what makes a law a function of time over cells or faces at these coordinates."""

    def bound(law: Law) -> Value:
        if isinstance(law, OfPlace):
            function = law.function
            return lambda t: arrays.array(np.broadcast_to(function(t, coordinates), shape))
        if callable(law):
            return lambda t: float(law(t))
        number = float(law)
        return lambda t: number

    return bound
