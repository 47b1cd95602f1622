"""A body as a net of cells: volumes, links between neighbours, faces at its walls. Made from the words alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from forgia_hpc.simulate.admission.reading import Asked

Floats = NDArray[np.float64]
SURFACE = "surface"


@dataclass(frozen=True, kw_only=True)
class Wall:
    """The faces of one side: which cells, m2 of each, m from the cell's centre to the wall."""

    side: str
    cells: NDArray[np.intp]
    area: Floats
    half: float


@dataclass(frozen=True, kw_only=True)
class Body:
    """Cells in the order of the stored field.

    pairs: the (low, high) cells of the links, an axis each; links: area over distance, m.
    """

    names: tuple[str, ...]
    centres: tuple[Floats, ...]
    lengths: tuple[float, ...]  # the whole of each axis
    volumes: Floats
    pairs: Any
    links: Floats
    walls: tuple[Wall, ...]
    inside: NDArray[np.bool_]  # of the whole grid, flat

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis of the grid."""
        return tuple(len(one) for one in self.centres)

    @cached_property
    def apart(self) -> Any:
        """(link, cell) ±1: made when somebody marches; a member's audit needs walls and volumes alone."""
        return _apart(self.pairs, self.volumes.size)


def body_of(asked: Asked) -> Body:
    """Return the body that the options describe."""
    options = asked.options
    geometry = options.get("geometry", "box")
    if geometry == "voxels":
        return _voxels(options)
    shape = tuple(options.get("shape", (32, 32)))
    if geometry == "box":
        lengths = [asked.number(one, "length") for one in options["lengths"]]
        edges = [np.linspace(0.0, one, n + 1) for one, n in zip(lengths, shape, strict=True)]
        return _net(("z", "y", "x")[3 - len(shape) :], edges, 0)
    if geometry == "ball":
        outer = asked.number(options["radius"], "length")
        return _net(("r",), [np.linspace(0.0, outer, shape[0] + 1)], 2)
    ring = geometry == "ring"
    inner = asked.number(options["inner"], "length") if ring else 0.0
    outer = asked.number(options["outer" if ring else "radius"], "length")
    height = asked.number(options["height"], "length")
    edges = [np.linspace(0.0, height, shape[0] + 1), np.linspace(inner, outer, shape[1] + 1)]
    return _net(("z", "r"), edges, 1)


def _net(names: tuple[str, ...], edges: list[Floats], power: int) -> Body:
    """Return a product of axes. power: how the area grows with the last one: 0 flat, 1 round, 2 a ball's."""
    widths = [np.diff(one) for one in edges]
    turn = (1.0, 2 * math.pi, 4 * math.pi)[power]
    last = turn * np.diff(edges[-1] ** (power + 1)) / (power + 1)  # exact volume a unit of the rest
    cross = [*widths[:-1], last]
    shape = tuple(len(one) for one in widths)
    volumes = _outer(cross)
    number = np.arange(volumes.size).reshape(shape)
    pairs, links, walls = [], [], []
    for axis, name in enumerate(names):
        area = _face_areas(cross, edges[-1], (axis, power), turn)
        distance = np.diff(0.5 * (edges[axis][1:] + edges[axis][:-1]))
        inner = np.take(area, range(1, shape[axis]), axis)
        links.append((inner / _along(distance, axis, len(shape))).ravel())
        low, high = (
            np.take(number, span, axis).ravel()
            for span in (range(shape[axis] - 1), range(1, shape[axis]))
        )
        pairs.append((low, high))
        for end, sign in ((0, "-"), (shape[axis], "+")):
            at = np.take(number, [min(end, shape[axis] - 1)], axis).ravel()
            here = np.take(area, [end], axis).ravel()
            half = 0.5 * float(widths[axis][0])
            walls.append(Wall(side=f"{name}{sign}", cells=at, area=here, half=half))
    middles = tuple(0.5 * (one[1:] + one[:-1]) for one in edges)
    return Body(
        names=names, centres=middles, lengths=tuple(float(one[-1] - one[0]) for one in edges),
        volumes=volumes.ravel(), pairs=pairs, links=np.concatenate(links),
        walls=tuple(one for one in walls if one.area.max() > 0), inside=np.ones(volumes.size, bool),
    )  # fmt: skip


def _face_areas(cross: list[Floats], edges: Floats, which: tuple[int, int], turn: float) -> Floats:
    """Return the areas of all faces across one axis, walls included."""
    axis, power = which
    if axis == len(cross) - 1:
        return _outer([*cross[:-1], turn * edges**power])
    return _outer([np.ones(len(one) + 1) if at == axis else one for at, one in enumerate(cross)])


def _outer(parts: list[Floats]) -> Floats:
    found = parts[0]
    for one in parts[1:]:
        found = np.multiply.outer(found, one)
    return found


def _along(values: Floats, axis: int, axes: int) -> Floats:
    return values.reshape([-1 if at == axis else 1 for at in range(axes)])


def _apart(pairs: list[Any], cells: int) -> Any:
    low = np.concatenate([one for one, _ in pairs])
    high = np.concatenate([one for _, one in pairs])
    rows = np.arange(low.size)
    shape = (low.size, cells)
    plus = sparse.csr_matrix((np.ones(low.size), (rows, high)), shape)
    return (plus - sparse.csr_matrix((np.ones(low.size), (rows, low)), shape)).tocsr()


def _voxels(options: Any) -> Body:
    """Return a turned body cut from cubes: a stair counts as much as the slanted surface that it stands for."""
    d = float(options["spacing"])
    steps = [(float(a), float(b)) for a, b in options["steps"]]
    bore = float(options.get("bore", 0.0))
    layers = max(round(sum(one for one, _ in steps) / d), 1)
    across = math.ceil(max(one for _, one in steps) / d - 1e-9)
    z = np.asarray((np.arange(layers) + 0.5) * d, np.float64)
    off = np.asarray((np.arange(across) + 0.5 - across / 2) * d, np.float64)
    ends = np.cumsum([one for one, _ in steps])
    wide = np.array(
        [steps[min(int(np.searchsorted(ends, at, "right")), len(steps) - 1)][1] for at in z]
    )
    far = np.hypot(off[:, None], off[None, :])
    mask = (far[None] <= wide[:, None, None] / 2) & (far[None] >= bore / 2)
    number = np.full(mask.shape, -1)
    number[mask] = np.arange(mask.sum())
    tilt = (np.ones_like(far), abs(off[:, None]) / far, abs(off[None, :]) / far)
    pairs, walls = [], []
    for axis in range(3):
        padded = np.pad(
            number, [(1, 1) if one == axis else (0, 0) for one in range(3)], constant_values=-1
        )
        low, high = (
            np.take(padded, span, axis)
            for span in (range(mask.shape[axis] + 1), range(1, mask.shape[axis] + 2))
        )
        both = (low >= 0) & (high >= 0)
        pairs.append((low[both], high[both]))
        share = np.broadcast_to(tilt[axis], mask.shape)[mask]
        cells = np.concatenate([low[(low >= 0) & (high < 0)], high[(high >= 0) & (low < 0)]])
        walls.append(Wall(side=SURFACE, cells=cells, area=d * d * share[cells], half=d / 2))
    count = int(mask.sum())
    return Body(
        names=("z", "y", "x"), centres=(z, off + across * d / 2, off + across * d / 2),
        lengths=(layers * d, across * d, across * d), volumes=np.full(count, d**3),
        pairs=pairs, links=np.full(sum(one.size for one, _ in pairs), d),
        walls=tuple(walls), inside=mask.ravel(),
    )  # fmt: skip
