"""NumPy's arrays with the hot loops compiled: the same bits, a dozen times as fast. Needs the extra `fast`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat import kernels
from forgia_hpc.simulate.heat.arrays import Any3, NumpyArrays, Stencil
from forgia_hpc.simulate.heat.case import Boundary, Convection, Radiation, Table
from forgia_hpc.simulate.heat.compiled import compiled
from forgia_hpc.simulate.heat.laws import KELVIN, STEFAN_BOLTZMANN, STEPS, Implicit, fourth_power
from forgia_hpc.simulate.heat.matter import Matter
from forgia_hpc.simulate.heat.pieces import Pieces, of_table

Kernels = dict[str, Callable[..., None]]


@cache
def _kernels() -> Kernels:
    return compiled()


class NumbaArrays(NumpyArrays):
    """NumPy's arrays; stencil and material curves are numba's."""

    def stencil(
        self,
        low: tuple[NDArray[Any], ...],
        high: tuple[NDArray[Any], ...],
        body: NDArray[np.bool_] | None,
    ) -> Stencil:
        """Return the sum in one pass over memory."""
        lows, highs = (tuple(one.astype(self.dtype) for one in ends) for ends in (low, high))
        number = self.dtype.type
        if body is None:
            run = _kernels()["stencil"]
            return lambda out, base, u, scale: run(out, base, u, lows, highs, number(scale))
        inside = body.astype(self.dtype)
        run = _kernels()["masked"]
        return lambda out, base, u, scale: run(out, base, u, inside, lows, highs, number(scale))

    def function(self, pieces: Pieces) -> Callable[[Any3], Any3]:
        """Return pieces, compiled."""
        own = pieces.astype(self.dtype)
        run = _kernels()["pieces"]

        def evaluate(x: Any3) -> Any3:
            flat = x if x.ndim == 3 else x.reshape((1, 1, -1))
            out = np.empty(flat.shape, self.dtype)
            run(out, flat, own.knots, own.at, own.a, own.b, own.c)
            return out.reshape(x.shape)

        return evaluate

    def function_and_slope(self, pieces: Pieces) -> Callable[[Any3], tuple[Any3, Any3]]:
        """Return pieces and their slope, compiled."""
        value, slope = self.function(pieces), self.function(pieces.slope)
        return lambda x: (value(x), slope(x))

    def wall(self, law: Any) -> Callable[[list[Any], Any3], tuple[Any3, Any3]] | None:
        """Return the surface's temperature cell by cell, compiled."""
        return _CompiledWall(law, self.dtype)


class _CompiledWall:
    """What laws.Implicit computes, in one loop over a wall's cells."""

    def __init__(self, law: Implicit, dtype: np.dtype[Any]) -> None:
        self.law = law
        self.dtype = dtype
        number = dtype.type
        self.how = (
            _encoded(law.laws, dtype),
            _as_tuple(_theta(law.matter).astype(dtype)),
            _as_tuple(_conductivity(law.matter).astype(dtype)),
            number(law.half),
            number(law.tolerance),
            STEPS,
        )

    def __call__(self, given: list[Any], temperature: Any3) -> tuple[Any3, Any3]:
        """Return the flux and its slope over the cells' theta."""
        low, high = self.law.bracket(given, temperature)
        drives = np.empty((len(given), temperature.size), self.dtype)
        for row, law, value in zip(drives, self.law.laws, given, strict=True):
            drive = fourth_power(value) if isinstance(law, Radiation) else value
            row[...] = np.ravel(drive)
        flux, slope = (np.empty(temperature.size, self.dtype) for _ in range(2))
        cells = temperature.reshape(-1)
        _kernels()["surfaces"](
            flux, slope, cells, low.reshape(-1), high.reshape(-1), drives, self.how
        )
        return flux.reshape(temperature.shape), slope.reshape(temperature.shape)


def _encoded(laws: Sequence[Boundary], dtype: np.dtype[Any]) -> tuple[Any, ...]:
    """Return kinds, strengths, their slopes, kelvin, where each law's knots begin, and the tables' pieces."""
    kinds, strengths, tables = [], [], []
    nothing = Table(temperature=(), values=())
    for law in laws:
        table, strength, kind = nothing, 0.0, kernels.FLUX
        if isinstance(law, Radiation):
            strength, kind = law.emissivity * STEFAN_BOLTZMANN, kernels.RADIATION
        elif isinstance(law, Convection):
            if isinstance(law.h, Table):
                table, kind = law.h, kernels.TABLE
            else:
                strength, kind = float(law.h), kernels.CONVECTION
        kinds.append(kind)
        strengths.append(strength)
        tables.append(_table_pieces(table))
    knots, starts, values, rises = (
        np.concatenate([getattr(one, name) for one in tables]).astype(dtype)
        for name in ("knots", "at", "a", "b")
    )
    ends = np.cumsum([0, *(one.knots.size for one in tables)])
    strong = np.array(strengths)
    pieces = (knots, starts, values, rises)
    number = dtype.type
    return (
        np.array(kinds),
        strong.astype(dtype),
        (-4.0 * strong).astype(dtype),
        number(KELVIN),
        ends,
        pieces,
    )


def _table_pieces(table: Table) -> Pieces:
    return of_table(table) if table.values else _line(0.0, 0.0)


def _theta(matter: Matter) -> Pieces:
    return _line(0.0, matter.conductivity_unit) if matter.constant else matter.curves.theta


def _conductivity(matter: Matter) -> Pieces:
    constant = matter.constant
    return _line(matter.conductivity_unit, 0.0) if constant else matter.curves.conductivity


def _line(value: float, slope: float) -> Pieces:
    """Return one piece without knots: value + slope x."""
    none, zero = np.empty(0), np.zeros(1)
    return Pieces(knots=none, at=zero, a=np.array([value]), b=np.array([slope]), c=zero)


def _as_tuple(pieces: Pieces) -> tuple[Any, ...]:
    return pieces.knots, pieces.at, pieces.a, pieces.b, pieces.c
