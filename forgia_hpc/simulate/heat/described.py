"""What the members of a heat solver leave, in the words of the fields layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import Axis, Boundary, Field, Grid, Parameter, Schema
from forgia_hpc.simulate.heat.geometry import SURFACE, Geometry, geometry_of
from forgia_hpc.simulate.heat.problem import Problems
from forgia_hpc.simulate.heat.words import GEOMETRIES, is_name, laws_in

INSIDE = "inside"  # the field that says where the body is
_LENGTHS = {
    "ring": ("height", "outer", "inner"),
    "cylinder": ("height", "radius"),
    "ball": ("radius",),
}


def described(problems: Problems) -> Schema:
    """Return grid, fields, parameters and boundaries."""
    geometry = geometry_of(problems.grid(_nominal(problems), 0))
    return Schema(
        grid=_grid(problems, geometry),
        fields=tuple(_fields(problems, geometry)),
        parameters=tuple(
            Parameter(name=one.name, ucum=one.ucum, quantity=one.quantity)
            for one in problems.inputs
        ),
        boundaries=tuple(_boundaries(problems, geometry)),
        time_ucum="s",
    )


def _nominal(problems: Problems) -> dict[str, float]:
    """Return inputs that a grid can be made of: defaults, and 1 where there is none."""
    names = {one.name: one.default for one in problems.inputs}
    inner = problems.options.inner
    return {
        name: (0.5 if name == inner else 1.0) if value is None else value
        for name, value in names.items()
    }


def _grid(problems: Problems, geometry: Geometry) -> Grid:
    """Return the cells' centres, m; as shares of the whole length if an input decides on it."""
    options = problems.options
    given = [getattr(options, name) for name in GEOMETRIES[options.geometry]]
    relative = any(is_name(one) for one in (*given, *options.lengths))
    lead = 3 - geometry.axes
    axes = []
    for at, name in enumerate(geometry.names):
        points, edges = geometry.centres(lead + at), geometry.edges[lead + at]
        shares = (points - edges[0]) / (edges[-1] - edges[0])
        axes.append(
            Axis(
                name=name, coordinates=shares if relative else points, ucum="1" if relative else "m"
            )
        )
    return Grid(axes=tuple(axes), kind=_kind(problems, relative=relative))


def _kind(problems: Problems, *, relative: bool) -> str:
    """Return how the grid turns: not told of a ring whose coordinates are shares of its wall."""
    options = problems.options
    if options.geometry == "ball":
        return "spherical"
    turns = options.geometry == "cylinder" or (options.geometry == "ring" and not relative)
    return "cylindrical" if turns else "cartesian"


def _fields(problems: Problems, geometry: Geometry) -> Iterator[Field]:
    yield Field(name="temperature", ucum="Cel", quantity="temperature")
    phases = problems.transformation()
    for name in phases.names if phases else ():
        yield Field(name=name, ucum="1", quantity="volume fraction")
    if problems.steel is not None and problems.steel.hardness is not None:
        yield Field(name="hardness", ucum="1", quantity="Vickers hardness", time_varying=False)
    if geometry.mask is not None:
        yield Field(name=INSIDE, ucum="1", time_varying=False, mask=True)


def _boundaries(problems: Problems, geometry: Geometry) -> Iterator[Boundary]:
    for side, laws in problems.options.boundaries.items():
        for law in laws_in(laws):
            yield Boundary(
                name=f"{_called(side)}_{law['law']}",
                kind="wall",
                **_place(side, geometry),
                fields=("temperature",),
                law=law["law"],
                parameters=tuple(
                    word for key, word in law.items() if key != "law" and is_name(word)
                ),
            )


def _called(side: str) -> str:
    """Return a side's name as a dataset has it: letters, digits and _."""
    return f"{side[:-1]}_{'low' if side[-1] == '-' else 'high'}" if side[-1] in "-+" else side


def _place(side: str, geometry: Geometry) -> Mapping[str, Any]:
    """Return where a side lies."""
    if side != SURFACE or geometry.mask is None:
        return {"axes": (side[:-1],), "side": "high" if side[-1] == "+" else "low"}
    mask = geometry.mask.reshape(geometry.shape[3 - geometry.axes :])
    padded = np.pad(mask, 1)
    inner = np.ones_like(mask)
    for axis in range(mask.ndim):
        for shift in (-1, 1):
            rolled = np.roll(padded, shift, axis)
            inner &= rolled[tuple(slice(1, -1) for _ in range(mask.ndim))]
    return {"axes": geometry.names, "mask": mask & ~inner}
