"""Which cells are whose: a block of the grid for every rank, as even as whole cells allow."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, kw_only=True)
class Block:
    """One rank's cells, and its neighbours: (low, high) along each of three axes, -1 where a wall is."""

    dims: tuple[int, ...]  # ranks along each axis
    start: tuple[int, ...]
    stop: tuple[int, ...]
    neighbours: tuple[tuple[int, int], ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Own cells along each axis."""
        a, b, c = (high - low for low, high in zip(self.start, self.stop, strict=True))
        return a, b, c

    @property
    def where(self) -> tuple[slice, ...]:
        """The own cells in the whole grid of three axes."""
        return tuple(slice(low, high) for low, high in zip(self.start, self.stop, strict=True))


@lru_cache(maxsize=8)
def arrangement(shape: tuple[int, ...], ranks: int) -> tuple[int, ...] | None:
    """Return the ranks along each axis with the least to exchange; None if no arrangement gives all a cell."""
    fits = [
        dims
        for dims in itertools.product(_divisors(ranks), repeat=len(shape))
        if math.prod(dims) == ranks and all(d <= n for d, n in zip(dims, shape, strict=True))
    ]
    return min(fits, key=lambda dims: _cut_faces(shape, dims), default=None)


@lru_cache(maxsize=8)
def block_of(shape: tuple[int, ...], dims: tuple[int, ...], rank: int, cut: int) -> Block:
    """Return a rank's block; ranks count as MPI's Cartesian communicators do, the last axis first."""
    place = _place(rank, dims)
    ranges = [_range(n, parts, at, cut) for n, parts, at in zip(shape, dims, place, strict=True)]
    return Block(
        dims=dims,
        start=tuple(low for low, _ in ranges),
        stop=tuple(high for _, high in ranges),
        neighbours=tuple(
            (_rank(place, dims, axis, -1), _rank(place, dims, axis, +1))
            for axis in range(len(dims))
        ),
    )


def _divisors(number: int) -> list[int]:
    return [one for one in range(1, number + 1) if number % one == 0]


def _cut_faces(shape: tuple[int, ...], dims: tuple[int, ...]) -> int:
    """Count the faces between blocks; slow axes first, whose planes lie in one piece."""
    cells = math.prod(shape)
    return sum((parts - 1) * cells // n for n, parts in zip(shape, dims, strict=True))


def _range(cells: int, parts: int, at: int, cut: int) -> tuple[int, int]:
    cut = min(cut, cells)  # an axis that the grid has not is one cell
    units, rest = divmod(cells // cut, parts)
    start = at * units + min(at, rest)
    return start * cut, (start + units + (at < rest)) * cut


def _place(rank: int, dims: tuple[int, ...]) -> tuple[int, ...]:
    place = []
    for parts in reversed(dims):
        rank, at = divmod(rank, parts)
        place.append(at)
    return tuple(reversed(place))


def _rank(place: tuple[int, ...], dims: tuple[int, ...], axis: int, way: int) -> int:
    """Return the neighbour one block along an axis, or -1."""
    moved = [at + way * (one == axis) for one, at in enumerate(place)]
    if not 0 <= moved[axis] < dims[axis]:
        return -1
    number = 0
    for at, parts in zip(moved, dims, strict=True):
        number = number * parts + at
    return number
