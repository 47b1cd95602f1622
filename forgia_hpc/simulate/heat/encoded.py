"""Laws and curves as compiled loops take them: tuples of arrays and numbers of one precision."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from forgia_hpc.simulate.heat import kernels
from forgia_hpc.simulate.heat.case import Boundary, Convection, Flux, Radiation, Table
from forgia_hpc.simulate.heat.laws import KELVIN, STEFAN_BOLTZMANN
from forgia_hpc.simulate.heat.matter import Matter
from forgia_hpc.simulate.heat.pieces import Pieces, of_table


def undriven(law: Boundary) -> Boundary:
    """Return a law less what drives it: all that `encoded` takes of it."""
    if isinstance(law, Flux):
        return replace(law, into=0.0)
    return replace(law, ambient=0.0) if isinstance(law, Convection | Radiation) else law


@lru_cache(maxsize=4)
def encoded(laws: tuple[Boundary, ...], dtype: np.dtype[Any]) -> tuple[Any, ...]:
    """Return kinds, strengths, their slopes, kelvin, where each law's knots begin, and the tables' pieces."""
    if not laws:
        laws = (Flux(into=0.0),)  # that no side has
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


@lru_cache(maxsize=4)
def curves(matter: Matter | None, dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Return theta and conductivity over temperature, in pieces; of no use where all sides are linear."""
    if matter is None or matter.constant:
        unit = 0.0 if matter is None else matter.conductivity_unit
        pieces = _line(0.0, unit), _line(unit, 0.0)
    else:
        pieces = matter.curves.theta, matter.curves.conductivity
    theta, conductivity = (_as_tuple(one.astype(dtype)) for one in pieces)
    return theta, conductivity


def _line(value: float, slope: float) -> Pieces:
    """Return one piece without knots: value + slope x."""
    none, zero = np.empty(0), np.zeros(1)
    return Pieces(knots=none, at=zero, a=np.array([value]), b=np.array([slope]), c=zero)


def _as_tuple(pieces: Pieces) -> tuple[Any, ...]:
    return pieces.knots, pieces.at, pieces.a, pieces.b, pieces.c
