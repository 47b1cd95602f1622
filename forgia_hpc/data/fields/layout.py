"""The words of the fields layout, without HDF5: grids, fields, boundaries, parameters, trajectories."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.layout import Split

FORMAT = "forgia.fields/1"
BOUNDARIES = ("wall", "open", "periodic")  # The Well's words, in the order of its numbers
SIDES = ("both", "low", "high")
STORAGES = ("f32", "f64", "i16")

Array = NDArray[Any]
Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis of a grid: where its points lie."""

    name: str
    coordinates: Values  # (point,)
    ucum: str = "m"


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A product of axes, slowest first: the order of every field's array, e.g. z, y, x."""

    axes: tuple[Axis, ...]
    kind: str = "cartesian"  # The Well's grid_type; cylindrical: (z, r), what lies about an axis

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along each axis."""
        return tuple(len(axis.coordinates) for axis in self.axes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes."""
        return tuple(axis.name for axis in self.axes)


@dataclass(frozen=True, kw_only=True)
class Field:
    """A scalar (order 0), vector (1) or tensor (2) at each point; components in the order of the axes.

    i16 stores whole numbers, value = number * scale + zero; max_abs_err is the error declared for it, and no
    value may miss it.
    """

    name: str
    order: int = 0
    ucum: str = "1"
    quantity: str = ""
    semantic_id: str = ""
    time_varying: bool = True  # False: one array a trajectory
    per_trajectory: bool = True  # False: one array for all
    along: tuple[
        bool, ...
    ] = ()  # False: the same along this axis, and stored once; empty: along all
    mask: bool = False  # 1 inside the body, 0 outside
    symmetric: bool = False
    antisymmetric: bool = False
    storage: str = "f32"
    scale: float | None = None
    zero: float = 0.0
    max_abs_err: float = 0.0

    def components(self, axes: Sequence[str]) -> tuple[str, ...]:
        """Return the names of its channels: velocity_y, velocity_x."""
        parts = ("".join(part) for part in itertools.product(axes, repeat=self.order))
        return tuple(f"{self.name}_{part}" if part else self.name for part in parts)

    def shape(self, grid: Grid, steps: int) -> tuple[int, ...]:
        """Return the shape of one trajectory's array: ([step,] *grid, *component); 1 where it is stored once."""
        time = (steps,) if self.time_varying else ()
        return (*time, *self.cells(grid), *(len(grid.axes),) * self.order)

    def cells(self, grid: Grid) -> tuple[int, ...]:
        """Return the points along each axis that are stored."""
        along = self.along or (True,) * len(grid.axes)
        return tuple(size if own else 1 for size, own in zip(grid.shape, along, strict=True))


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """An input of a simulation, one number a trajectory; or a signal, one number a step."""

    name: str
    ucum: str = "1"
    quantity: str = ""
    semantic_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """What holds at an edge of the grid, or where a mask says.

    law and parameters say more than The Well's three kinds: e.g. convection with heat_transfer and ambient.
    """

    name: str
    kind: str  # wall | open | periodic
    axes: tuple[str, ...]
    side: str = "both"  # of its one axis: low | high | both
    fields: tuple[str, ...] = ()
    law: str = ""
    parameters: tuple[str, ...] = ()  # names of Parameters or signals
    mask: NDArray[np.bool_] | None = None  # over its axes, instead of a side
    values: NDArray[np.float32] | None = None  # one a True of the mask

    def points(self, grid: Grid) -> NDArray[np.bool_]:
        """Return where it holds, over its axes."""
        if self.mask is not None:
            return self.mask
        found = np.zeros(grid.shape[grid.names.index(self.axes[0])], np.bool_)
        found[0] = self.side in ("both", "low")
        found[-1] |= self.side in ("both", "high")
        return found


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What the numbers of a contribution mean: the same for all of its trajectories."""

    grid: Grid
    fields: tuple[Field, ...]
    parameters: tuple[Parameter, ...] = ()
    signals: tuple[Parameter, ...] = ()
    boundaries: tuple[Boundary, ...] = ()
    time_ucum: str = "s"
    design: Mapping[str, object] = field(default_factory=dict)  # sampling: method, seed, ranges

    def chosen(self, names: Sequence[str] = ()) -> list[int]:
        """Return the numbers of these fields, or of all that vary in time and are no mask."""
        if names:
            return [[one.name for one in self.fields].index(name) for name in names]
        return [at for at, one in enumerate(self.fields) if one.time_varying and not one.mask]

    def channels(self, fields: Sequence[int]) -> tuple[str, ...]:
        """Return the channels of these fields, in order."""
        names = self.grid.names
        return tuple(part for at in fields for part in self.fields[at].components(names))


def place(field: Field) -> str:
    """Return where a field's array lies in a shard. What is packed would be misread by The Well's tools."""
    return (
        f"packed/{field.name}" if field.storage == "i16" else f"t{field.order}_fields/{field.name}"
    )


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """One simulated sample. `values` may be a mapping that loads an array when it is asked for.

    values: field → ([step,] *grid, *component); signals: name → (step,); times: (step,), ascending.
    """

    member: str  # its name: the digest of its inputs where there is one
    split: Split
    times: Values
    values: Mapping[str, Array]
    parameters: Mapping[str, float] = field(default_factory=dict)
    signals: Mapping[str, Array] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FieldSet:
    """Everything of one contributor, ready to be sealed. shared: the fields that are one for all."""

    name: str
    contributor: str
    schema: Schema
    trajectories: Sequence[Trajectory]
    shared: Mapping[str, Array] = field(default_factory=dict)
    provenance: dict[str, object] = field(default_factory=dict)
