"""Boundary conditions as numbers: what a model takes in beside the fields."""

from __future__ import annotations

import numpy as np

from forgia_hpc.data.fields.layout import BOUNDARIES, SIDES, Schema
from forgia_hpc.data.fields.opened import Ints


def boundary_tokens(schema: Schema) -> tuple[Ints, tuple[str, ...]]:
    """Return (boundary, 5): kind, axis, side, law, first input; and the laws' names.

    Kind and side count BOUNDARIES and SIDES, inputs count parameters and then signals; −1: none.
    """
    laws = tuple(dict.fromkeys(one.law for one in schema.boundaries if one.law))
    inputs = [one.name for one in (*schema.parameters, *schema.signals)]
    rows = [
        (
            BOUNDARIES.index(one.kind),
            schema.grid.names.index(one.axes[0]),
            SIDES.index(one.side),
            laws.index(one.law) if one.law else -1,
            inputs.index(one.parameters[0]) if one.parameters else -1,
        )
        for one in schema.boundaries
    ]
    return np.array(rows, np.int64).reshape(-1, 5), laws


def boundary_kinds(schema: Schema) -> Ints:
    """Return (axis, 2): the kind at the low and the high end of each axis; open where nothing is said.

    The Well's numbers: 0 wall, 1 open, 2 periodic.
    """
    found = np.full((len(schema.grid.axes), 2), BOUNDARIES.index("open"), np.int64)
    for one in sorted(
        schema.boundaries, key=lambda one: one.name
    ):  # as The Well's reader takes them
        points = one.points(schema.grid)
        for axis in one.axes:
            own = np.moveaxis(points, one.axes.index(axis), 0)
            for end, edge in enumerate((own[0], own[-1])):
                if edge.all() if one.kind == "wall" else edge.any():
                    found[schema.grid.names.index(axis), end] = BOUNDARIES.index(one.kind)
    return found
