"""One rank's part of a case, ready to march: cells, kernels, neighbours, walls."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.heat.arrays import BACKENDS, INNER, Any3, Arrays, NumpyArrays
from forgia_hpc.simulate.heat.case import Case, Coordinates
from forgia_hpc.simulate.heat.decompose import Block, arrangement, block_of
from forgia_hpc.simulate.heat.faces import coordinates
from forgia_hpc.simulate.heat.geometry import Geometry, geometry_of
from forgia_hpc.simulate.heat.halo import Halo
from forgia_hpc.simulate.heat.limit import hottest_of, longest_step
from forgia_hpc.simulate.heat.matter import matter_of
from forgia_hpc.simulate.heat.sums import exact_sum
from forgia_hpc.simulate.heat.walls import Walls

HOST = NumpyArrays(np.float64)
DTYPES = {"f32": np.float32, "f64": np.float64}


class Part:
    """Everything of a case that does not change as time goes on, and the state that does."""

    def __init__(self, case: Case, ranks: Communicator) -> None:
        """Take a checked case, all ranks together. `halo` is to be closed."""
        self.case = case
        self.ranks = ranks
        self.geometry: Geometry = geometry_of(case.grid)
        self.block: Block = block_for(case, self.geometry, ranks)
        self.arrays: Arrays = arrays_of(case)
        self.matter = matter_of(case.material, self.arrays)
        self.body = _body(self.geometry, self.block)
        self.stencil = self.arrays.stencil(
            tuple(one[at] for one, at in zip(self.geometry.low, self.block.where, strict=True)),
            tuple(one[at] for one, at in zip(self.geometry.high, self.block.where, strict=True)),
            self.body,
        )
        self.walls = Walls(case, self.geometry, self.block, self.matter)
        self.host = self.arrays if isinstance(self.arrays, NumpyArrays) else HOST
        self.halo = Halo(ranks, self.block, self.arrays)
        self.volumes = self.geometry.volumes[self.block.where[2]]
        self.start = self._start()
        self.state = self.field(self.matter.state(self.start))
        self.spare = self.state + 0.0
        self.flow = self.state if self.matter.constant else self.field(np.zeros(self.block.shape))
        self.whole = self.arrays.whole(self)
        self.made = np.zeros(self.block.shape if self.has_source else (0, 0, 0))  # J/m3 by sources

    @cached_property
    def coordinates(self) -> Coordinates:
        """The own cells' centres."""
        return coordinates(self.geometry, self.block)

    @property
    def has_source(self) -> bool:
        """Whether heat appears inside."""
        return self.case.source is not None or self.case.phases is not None

    def _start(self) -> NDArray[np.float64]:
        """Return the own cells' temperatures at the start."""
        given = self.case.initial
        if callable(given):
            given = given(self.coordinates)
        elif isinstance(given, np.ndarray):
            given = given.reshape(self.geometry.shape)[self.block.where]
        return np.array(np.broadcast_to(np.asarray(given, np.float64), self.block.shape))

    def field(self, values: NDArray[Any]) -> Any3:
        """Return own cells as a field with a rim."""
        found = np.empty([n + 2 for n in values.shape], values.dtype)
        found[INNER] = values
        for along in found, found.swapaxes(0, 1), found.swapaxes(0, 2):
            along[0], along[-1] = along[1], along[-2]  # finite: through a wall passes 0 times it
        return self.arrays.array(found)

    def potential(self, state: Any3) -> Any3:
        """Return a state's potential as a field, its rim filled."""
        if self.matter.constant:
            flow = state
        else:
            flow = self.flow
            flow[INNER] = self.matter.potential(state[INNER])
        self.halo.exchange(flow)
        return flow

    def longest_step(self) -> float:
        """Return the explicit limit, s."""
        own = float(self.start.max())
        hottest = hottest_of(self.case, max(self.ranks.allgather(own)))
        return longest_step(self.case, self.geometry, self.matter, hottest)

    def temperature(self) -> NDArray[Any]:
        """Return the own cells' temperatures, °C; outside the body those of the start."""
        return np.array(self.arrays.host(self.matter.temperature(self.state[INNER])))

    def content(self) -> float:
        """Return the heat of the whole body, J, above the enthalpy's zero."""
        heat = self.matter.heat(self.arrays.host(self.state[INNER]))
        heat = heat * self.volumes
        return self.sum(heat if self.body is None else heat * self.body[INNER])

    def volume(self) -> float:
        """Return m3 of the whole body."""
        return self.sum(np.broadcast_to(self.volumes * self.inside, self.block.shape) + 0.0)

    @property
    def inside(self) -> NDArray[np.bool_] | bool:
        """Which own cells are in the body."""
        return True if self.body is None else self.body[INNER]

    def sum(self, values: NDArray[np.float64]) -> float:
        """Return the sum over all ranks; no order of them shows."""
        return exact_sum(values, self.host, self.ranks)

    def source(self, t: float) -> NDArray[np.float64] | None:
        """Return what the case's source gives each own cell, W/m3."""
        if self.case.source is None:
            return None
        given = np.asarray(self.case.source(t, self.coordinates), np.float64)
        return np.broadcast_to(given, self.block.shape) * self.inside

    def add_heat(self, heat: NDArray[np.float64], out: Any3) -> None:
        """Add J/m3 to each own cell of a state."""
        out[INNER] = out[INNER] + self.arrays.array(heat / self.matter.heat_unit)

    def note_heat(self, heat: NDArray[np.float64]) -> None:
        """Remember J/m3 that appeared inside."""
        self.made += heat


def arrays_of(case: Case) -> Arrays:
    """Return the case's backend."""
    return _arrays(named(case.backend), case.dtype, case.device)


@cache  # what a material's matter is known by
def _arrays(backend: str, dtype: str, device: str) -> Arrays:
    module, _, name = BACKENDS[backend].partition(":")
    try:
        kind = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name not in (backend, "llvmlite"):
            raise
        limit = f"{error.name} is not installed here"
        fix = "install the extra `fast`, or backend=numpy: the same bits, slower"
        problem = Problem(field="backend", got=backend, limit=limit, fix=fix)
        raise InputError(problem) from error
    made: Arrays = kind(DTYPES[dtype], device)
    return made


def named(backend: str) -> str:
    """Return the backend itself; for `auto`, numba where it is installed, else numpy: the bits are the same."""
    if backend != "auto":
        return backend
    return "numba" if importlib.util.find_spec("numba") else "numpy"


def block_for(case: Case, geometry: Geometry, ranks: Communicator) -> Block:
    """Return this rank's block."""
    dims = dims_of(case, geometry.shape, ranks.size)
    assert dims is not None
    return block_of(geometry.shape, dims, ranks.rank, case.cut)


def dims_of(case: Case, shape: tuple[int, ...], ranks: int) -> tuple[int, ...] | None:
    """Return the ranks along each of three axes; None if there is no way."""
    units = tuple(max(1, n // case.cut) for n in shape)
    if case.blocks is None:
        return arrangement(units, ranks)
    return (1,) * (3 - len(case.blocks)) + tuple(case.blocks)


def _body(geometry: Geometry, block: Block) -> NDArray[np.bool_] | None:
    """Return the mask of a block and its rim."""
    if geometry.mask is None:
        return None
    padded = np.pad(geometry.mask, 1)
    found: NDArray[np.bool_] = padded[
        tuple(slice(low, high + 2) for low, high in zip(block.start, block.stop, strict=True))
    ]
    return found
