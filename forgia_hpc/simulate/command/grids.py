"""What the words of a program say of its inputs, grid and fields, as the data layer says it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.layout import Axis, Boundary, Field, Grid, Parameter, Schema
from forgia_hpc.schema.program import Program, ProgramAxis
from forgia_hpc.simulate.member import Array, Input

Points = NDArray[np.float64]


def inputs_of(program: Program) -> tuple[Input, ...]:
    """Return the inputs."""
    return tuple(
        Input(
            name=name,
            ucum=one.ucum,
            quantity=one.quantity,
            default=one.default,
            low=-np.inf if one.low is None else one.low,
            high=np.inf if one.high is None else one.high,
        )
        for name, one in program.inputs.items()
    )


def schema_of(program: Program) -> Schema:
    """Return grid, fields, parameters and boundaries, of level 0."""
    axes = tuple(
        Axis(name=name, coordinates=points(axis), ucum=axis.ucum)
        for name, axis in program.grid.items()
    )
    return Schema(
        grid=Grid(axes=axes),
        fields=tuple(
            Field(
                name=name,
                order=one.order,
                ucum=one.ucum,
                quantity=one.quantity,
                time_varying=one.time_varying,
                storage=one.storage,
            )
            for name, one in program.fields.items()
        ),
        parameters=tuple(
            Parameter(name=name, ucum=one.ucum, quantity=one.quantity)
            for name, one in program.inputs.items()
        ),
        boundaries=tuple(
            Boundary(
                name=name,
                kind=one.kind,
                axes=(one.axis,),
                side=one.side,
                fields=tuple(one.fields),
                law=one.law,
                parameters=tuple(one.inputs),
            )
            for name, one in program.boundaries.items()
        ),
        time_ucum=program.time_ucum,
    )


def points(axis: ProgramAxis, level: int = 0) -> Points:
    """Return the coordinates of an axis on the mesh of a level."""
    ends: Points = np.linspace(axis.low, axis.high, (axis.cells << level) + 1)
    return ends if axis.nodes else (ends[1:] + ends[:-1]) / 2


def restricted(values: Array, program: Program, level: int, first: int) -> Array:
    """Bring an array of a level's mesh to the grid of level 0; axis `first` of it is the grid's first.

    A cell becomes the mean of those that share its place; a node keeps its own value.
    """
    for at, axis in enumerate(program.grid.values(), first):
        if axis.nodes:
            values = np.take(values, np.arange(axis.cells + 1) << level, axis=at)
        else:
            parts = (*values.shape[:at], axis.cells, 1 << level, *values.shape[at + 1 :])
            values = values.reshape(parts).mean(axis=at + 1)
    return values
