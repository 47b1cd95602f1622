"""Fields cell by cell: what a cell tells of itself and its neighbours, patches, and edges that may be periodic."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

PERIODIC = 2  # The Well's number, as boundary_kinds has it


def framed(cells: Tensor, rings: Tensor) -> Tensor:
    """Return cells (row, feature, *grid) with one cell more on every side: the other end's, or the edge's again.

    rings (row, axis): which axes are periodic.
    """
    for axis in range(rings.shape[1]):
        at = axis + 2
        ring = rings[:, axis].reshape(-1, *(1,) * (cells.ndim - 1))
        first, last = cells.narrow(at, 0, 1), cells.narrow(at, cells.shape[at] - 1, 1)
        ends = torch.where(ring, last, first), torch.where(ring, first, last)
        cells = torch.cat([ends[0], cells, ends[1]], at)
    return cells


def curvature(cells: Tensor, mask: Tensor, rings: Tensor) -> Tensor:
    """Return (row, channel x axis, *grid): differences to both neighbours, added up axis by axis.

    A neighbour outside of the mask or of the grid counts as equal. mask (row, 1, *grid).
    """
    around, inside = framed(cells, rings), framed(mask, rings)
    grid, found = cells.shape[2:], []
    for axis in range(len(grid)):
        total = torch.zeros_like(cells)
        for shift in (0, 2):
            starts = [shift if other == axis else 1 for other in range(len(grid))]
            cut = (
                ...,
                *(slice(at, at + size) for at, size in zip(starts, grid, strict=True)),
            )
            total = total + (around[cut] - cells) * inside[cut]
        found.append(total * mask)
    return torch.cat(found, 1)


def edges(grid: tuple[int, ...], rings: Tensor) -> Tensor:
    """Return (row, 2 x axis, *grid): 1 in the cells at an end, falling with the distance; 0 where it is no end."""
    found = []
    for axis, size in enumerate(grid):
        near = 1.0 / (1.0 + torch.arange(size, device=rings.device))
        shape = [1, 1, *(size if other == axis else 1 for other in range(len(grid)))]
        both = torch.cat([near.reshape(shape), near.flip(0).reshape(shape)], 1)
        ends = ~rings[:, axis].reshape(-1, *(1,) * (len(grid) + 1))
        found.append((both * ends).expand(len(rings), 2, *grid))
    return torch.cat(found, 1)


def patched(cells: Tensor, patch: int) -> Tensor:
    """Return (row, *patches, feature x cells of a patch) of (row, feature, *grid); a short last patch is zeros."""
    grid = cells.shape[2:]
    short = [-size % patch for size in grid]
    if any(short):
        pads = itertools.chain.from_iterable((0, each) for each in reversed(short))
        cells = torch.nn.functional.pad(cells, tuple(pads))
    for axis in range(len(grid)):
        cells = cells.unflatten(2 + 2 * axis, (-1, patch))
    axes = len(grid)
    order = [0, *range(2, 2 + 2 * axes, 2), 1, *range(3, 3 + 2 * axes, 2)]
    return cells.permute(order).flatten(1 + axes)


def unpatched(patches: Tensor, patch: int, grid: tuple[int, ...]) -> Tensor:
    """Return (row, feature, *grid) of (row, *patches, feature x cells of a patch)."""
    axes = len(grid)
    cells = patches.unflatten(-1, (-1, *(patch,) * axes))
    order = [0, 1 + axes]
    for axis in range(axes):
        order += [1 + axis, 2 + axes + axis]
    cells = cells.permute(order)
    for axis in range(axes):
        cells = cells.flatten(2 + axis, 3 + axis)
    cut = (..., *(slice(0, size) for size in grid))
    return cells[cut]
