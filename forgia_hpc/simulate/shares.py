"""How the ranks of a group have parted the grid among themselves, and what of each array is whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import prod

import numpy as np

from forgia_hpc.data.fields.layout import Array, Field, Schema

Box = tuple[tuple[int, int], ...]  # along each axis: from, to


def cuts_of(schema: Schema, where: Sequence[slice]) -> Box:
    """Return a rank's own cells, as its solver names them, by numbers."""
    shape = schema.grid.shape
    return tuple(cut.indices(size)[:2] for cut, size in zip(where, shape, strict=True))


@dataclass(frozen=True)
class Shares:
    """The cells of each rank."""

    schema: Schema
    cuts: tuple[Box, ...]

    @cached_property
    def are_whole(self) -> bool:
        """Whether every cell is one rank's, and one's alone."""
        cells = sum(map(size_of, self.cuts))
        meeting = any(_meet(*pair) for pair in combinations(self.cuts, 2))
        return cells == prod(self.schema.grid.shape) and not meeting

    def box(self, one: Field, rank: int, steps: int) -> Box:
        """Return which part of a field's array, ([step,] *cells, *component), is a rank's."""
        return box_of(self.schema, one, self.cuts[rank], steps)

    def is_writer(self, one: Field, rank: int) -> bool:
        """Whether a rank writes its part; of one that several have (a field along fewer axes), the first."""
        box = self.box(one, rank, 1)
        return size_of(box) > 0 and all(self.box(one, other, 1) != box for other in range(rank))


def box_of(schema: Schema, one: Field, cuts: Box, steps: int) -> Box:
    """Return the part of a field's array that these cells are."""
    axes = len(schema.grid.axes)
    along = one.along or (True,) * axes
    cells = (cut if own else (0, 1) for cut, own in zip(cuts, along, strict=True))
    time = ((0, steps),) if one.time_varying else ()
    return (*time, *cells, *((0, axes),) * one.order)


def size_of(box: Box) -> int:
    """Return how many numbers a part has."""
    return prod(max(0, end - begin) for begin, end in box)


def _meet(one: Box, other: Box) -> bool:
    return all(max(a[0], b[0]) < min(a[1], b[1]) for a, b in zip(one, other, strict=True))


def whole(
    schema: Schema, one: Field, steps: int, pieces: Sequence[tuple[tuple[slice, ...], Array]]
) -> Array:
    """Return a field's array put together of the ranks' (cells, values); NaN where none has any."""
    found = np.full(one.shape(schema.grid, steps), np.nan, pieces[0][1].dtype)
    along = one.along or (True,) * len(schema.grid.axes)
    for where, values in pieces:
        own = tuple(cut if kept else slice(None) for cut, kept in zip(where, along, strict=True))
        found[((slice(None),) if one.time_varying else ()) + own] = values
    return found
