"""A solution at a point: the whole field gathered from its ranks, and read between the cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.heat.case import Ball, Box, Case, History, Ring, solve
from forgia_hpc.simulate.verification.figures import How

Floats = NDArray[np.float64]
_POINTS = 4  # of the polynomial between the cells: its error stays far below the scheme's


def solved(case: Case, how: How) -> History:
    """Solve a case as `how` says, and return it whole on every rank."""
    history = solve(replace(case, backend=how.backend, device=how.device), how.ranks)
    return whole(history, how.ranks)


def whole(history: History, ranks: Communicator) -> History:
    """Return a history of all cells, the same on every rank."""
    if ranks.size == 1:
        return history
    parts = ranks.allgather((history.where, history.temperature, dict(history.fractions)))
    shape = tuple(
        max(where[axis].stop for where, _, _ in parts) for axis in range(len(parts[0][0]))
    )
    return replace(
        history,
        where=tuple(slice(0, cells) for cells in shape),
        temperature=_joined([(where, temperature) for where, temperature, _ in parts], shape),
        fractions={
            name: _joined([(where, fractions[name]) for where, _, fractions in parts], shape)
            for name in history.fractions
        },
    )


def _joined(parts: Sequence[tuple[Any, NDArray[Any]]], shape: tuple[int, ...]) -> NDArray[Any]:
    first = parts[0][1]
    total = np.empty((first.shape[0], *shape), first.dtype)
    for where, values in parts:
        total[(slice(None), *where)] = values
    return total


def centres(grid: Box | Ring | Ball) -> list[Floats]:
    """Return the cells' centres along each axis of a grid, m."""
    if isinstance(grid, Ball):
        return [_middles(0.0, grid.outer, grid.shape[0])]
    if isinstance(grid, Ring):
        along, across = grid.shape
        return [_middles(0.0, grid.height, along), _middles(grid.inner, grid.outer, across)]
    return [_middles(0.0, length, n) for n, length in zip(grid.shape, grid.lengths, strict=True)]


def at(field: NDArray[Any], grid: Box | Ring | Ball, *place: float) -> float:
    """Return a field (own cells) at a place, by a cubic through the nearest cells; on a wall too."""
    value = np.asarray(field, dtype=np.float64)
    for axis, where in zip(centres(grid), place, strict=True):
        value = np.tensordot(_between(axis, where), value, axes=1)
    return float(value)


def _between(axis: Floats, where: float) -> Floats:
    """Return the weight of each cell in the polynomial's value at a place (Lagrange)."""
    count = min(_POINTS, len(axis))
    first = int(np.clip(np.searchsorted(axis, where) - count // 2, 0, len(axis) - count))
    nodes = axis[first : first + count]
    weights = np.zeros(len(axis))
    for one in range(count):
        others = np.delete(nodes, one)
        weights[first + one] = np.prod((where - others) / (nodes[one] - others))
    return weights


def _middles(low: float, high: float, cells: int) -> Floats:
    edges = np.linspace(low, high, cells + 1)
    return np.asarray(0.5 * (edges[1:] + edges[:-1]))
