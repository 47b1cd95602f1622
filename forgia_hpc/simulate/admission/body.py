"""A body as a net of cells: volumes, links between neighbours, faces at its walls. Made from the words alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.admission.reading import Asked

Floats = NDArray[np.float64]
Net = tuple[Any, Floats]  # pairs and links
SURFACE = "surface"
_KEPT = 2  # bodies: a campaign's members mostly have one, and a large one is gigabytes


@dataclass(frozen=True, kw_only=True)
class Wall:
    """The faces of one side: which cells, m2 of each, m from the cell's centre to the wall."""

    side: str
    cells: NDArray[np.intp]
    area: Floats
    half: float


@dataclass(frozen=True, kw_only=True)
class Body:
    """Cells in the order of the stored field."""

    names: tuple[str, ...]
    centres: tuple[Floats, ...]
    lengths: tuple[float, ...]  # the whole of each axis
    volumes: Floats
    net: Callable[[], Net]
    walls: tuple[Wall, ...]
    inside: NDArray[np.bool_]  # of the whole grid, flat
    is_whole: bool = True  # no cell of the grid is outside

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis of the grid."""
        return tuple(len(one) for one in self.centres)

    @cached_property
    def _linked(self) -> Net:
        """The (low, high) cells of the links, an axis each, and area over distance, m.

        Made when somebody marches: a member's audit needs walls and volumes alone.
        """
        return self.net()

    @property
    def links(self) -> Floats:
        """Area over distance of each link, m."""
        return self._linked[1]

    @cached_property
    def apart(self) -> Any:
        """(link, cell) ±1."""
        return _apart(self._linked[0], self.volumes.size)


def body_of(asked: Asked) -> Body:
    """Return the body that the options describe; members of one shape share it."""
    options = asked.options
    geometry = options.get("geometry", "box")
    if geometry == "voxels":
        steps = tuple((float(a), float(b)) for a, b in options["steps"])
        return _voxels(float(options["spacing"]), steps, float(options.get("bore", 0.0)))
    shape = tuple(options.get("shape", (32, 32)))
    if geometry == "box":
        return _box(shape, tuple(asked.number(one, "length") for one in options["lengths"]))
    if geometry == "ball":
        return _ball(shape[0], asked.number(options["radius"], "length"))
    ring = geometry == "ring"
    inner = asked.number(options["inner"], "length") if ring else 0.0
    outer = asked.number(options["outer" if ring else "radius"], "length")
    return _ring(shape, inner, outer, asked.number(options["height"], "length"))


@lru_cache(maxsize=_KEPT)
def _box(shape: tuple[int, ...], lengths: tuple[float, ...]) -> Body:
    edges = [np.linspace(0.0, one, n + 1) for one, n in zip(lengths, shape, strict=True)]
    return _net(("z", "y", "x")[3 - len(shape) :], edges, 0)


@lru_cache(maxsize=_KEPT)
def _ball(cells: int, outer: float) -> Body:
    return _net(("r",), [np.linspace(0.0, outer, cells + 1)], 2)


@lru_cache(maxsize=_KEPT)
def _ring(shape: tuple[int, ...], inner: float, outer: float, height: float) -> Body:
    edges = [np.linspace(0.0, height, shape[0] + 1), np.linspace(inner, outer, shape[1] + 1)]
    return _net(("z", "r"), edges, 1)


def _net(names: tuple[str, ...], edges: list[Floats], power: int) -> Body:
    """Return a product of axes. power: how the area grows with the last one: 0 flat, 1 round, 2 a ball's."""
    widths = [np.diff(one) for one in edges]
    turn = (1.0, 2 * math.pi, 4 * math.pi)[power]
    last = turn * np.diff(edges[-1] ** (power + 1)) / (power + 1)  # exact volume a unit of the rest
    cross, grows = [*widths[:-1], last], (power, turn)
    volumes = _outer(cross)
    number = np.arange(volumes.size).reshape(volumes.shape)
    walls = []
    for axis, name in enumerate(names):
        half = 0.5 * float(widths[axis][0])
        for end, sign in ((0, "-"), (-1, "+")):
            area = _faces(cross, axis, edges[axis][[end]], grows).ravel()
            at = np.take(number, [end], axis).ravel()
            walls.append(Wall(side=f"{name}{sign}", cells=at, area=area, half=half))
    middles = tuple(0.5 * (one[1:] + one[:-1]) for one in edges)
    return Body(
        names=names, centres=middles, lengths=tuple(float(one[-1] - one[0]) for one in edges),
        volumes=volumes.ravel(), net=partial(_links, cross, edges, grows),
        walls=tuple(one for one in walls if one.area.max() > 0), inside=np.ones(volumes.size, bool),
    )  # fmt: skip


def _links(cross: list[Floats], edges: list[Floats], grows: tuple[int, float]) -> Net:
    shape = tuple(len(one) for one in cross)
    number = np.arange(math.prod(shape)).reshape(shape)
    pairs, links = [], []
    for axis, n in enumerate(shape):
        distance = np.diff(0.5 * (edges[axis][1:] + edges[axis][:-1]))
        area = _faces(cross, axis, edges[axis][1:-1], grows)
        links.append((area / _along(distance, axis, len(shape))).ravel())
        ends = (range(n - 1), range(1, n))
        pairs.append(tuple(np.take(number, span, axis).ravel() for span in ends))
    return pairs, np.concatenate(links)


def _faces(cross: list[Floats], axis: int, at: Floats, grows: tuple[int, float]) -> Floats:
    """Return the areas of the faces across one axis, at these places along it."""
    power, turn = grows
    if axis == len(cross) - 1:
        return _outer([*cross[:-1], turn * at**power])
    return _outer([np.ones(len(at)) if n == axis else one for n, one in enumerate(cross)])


def _outer(parts: list[Floats]) -> Floats:
    found = parts[0]
    for one in parts[1:]:
        found = np.multiply.outer(found, one)
    return found


def _along(values: Floats, axis: int, axes: int) -> Floats:
    return values.reshape([-1 if at == axis else 1 for at in range(axes)])


def _apart(pairs: list[Any], cells: int) -> Any:
    from scipy import sparse  # noqa: PLC0415 - half a second, and only who marches needs it

    low = np.concatenate([one for one, _ in pairs])
    high = np.concatenate([one for _, one in pairs])
    rows = np.arange(low.size)
    shape = (low.size, cells)
    plus = sparse.csr_matrix((np.ones(low.size), (rows, high)), shape)
    return (plus - sparse.csr_matrix((np.ones(low.size), (rows, low)), shape)).tocsr()


@lru_cache(maxsize=_KEPT)
def _voxels(d: float, steps: tuple[tuple[float, float], ...], bore: float) -> Body:
    """Return a turned body cut from cubes: a stair counts as much as the slanted surface that it stands for."""
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
    walls = []
    for axis in range(3):
        low, high = _beside(number, axis)
        share = np.broadcast_to(tilt[axis], mask.shape)[mask]
        cells = np.concatenate([low[(low >= 0) & (high < 0)], high[(high >= 0) & (low < 0)]])
        walls.append(Wall(side=SURFACE, cells=cells, area=d * d * share[cells], half=d / 2))
    count = int(mask.sum())
    return Body(
        names=("z", "y", "x"), centres=(z, off + across * d / 2, off + across * d / 2),
        lengths=(layers * d, across * d, across * d), volumes=np.full(count, d**3),
        net=partial(_cubes, number, d), walls=tuple(walls), inside=mask.ravel(),
        is_whole=bool(mask.all()),
    )  # fmt: skip


def _beside(number: NDArray[np.intp], axis: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return what lies on both sides of each face across an axis: a cell's number, or -1."""
    around = [(1, 1) if one == axis else (0, 0) for one in range(number.ndim)]
    padded, n = np.pad(number, around, constant_values=-1), number.shape[axis]
    return np.take(padded, range(n + 1), axis), np.take(padded, range(1, n + 2), axis)


def _cubes(number: NDArray[np.intp], d: float) -> Net:
    pairs = []
    for low, high in (_beside(number, axis) for axis in range(number.ndim)):
        both = (low >= 0) & (high >= 0)
        pairs.append((low[both], high[both]))
    return pairs, np.full(sum(one.size for one, _ in pairs), d)
