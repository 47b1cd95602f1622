"""The design of an ensemble: which inputs its members have. The same words always give the same members.

Points are drawn in the unit cube, one axis an input that varies, in the order in which the solver declares its
inputs. A point that breaks a constraint, or repeats a member, is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, log2, prod

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.simulation import Design, Ensemble
from forgia_hpc.simulate.constraints import Constraint
from forgia_hpc.simulate.spread import Spread

Values = NDArray[np.float64]
Table = Mapping[str, Values]  # input → (member,), in the solver's units
LARGEST = 1_000_000  # members of an ensemble
_TRIES = 256  # points looked at for each member that is wanted, at most
_FIRST = 1024  # … and at least so many


def designed(
    ensemble: Ensemble,
    spread: Sequence[Spread],
    constraints: Sequence[Constraint],
    columns: Table,
) -> Table:
    """Return the inputs of all members of level 0, in design order. columns: those of the file, if there is one.

    Raises:
        InputError: nothing or too little fits, too many members, or a file that can't be read.
    """
    if ensemble.members > LARGEST:
        limit = f"at most {LARGEST:,}"
        raise InputError(Problem(field="ensemble.members", got=ensemble.members, limit=limit))
    if ensemble.design in (Design.sobol, Design.lhs):
        return _drawn(ensemble, spread, constraints)
    table = _grid(spread) if ensemble.design is Design.grid else _file(spread, columns)
    kept = _chosen(table, _kept(table, constraints))
    count = len(next(iter(kept.values()), ()))
    if not count:
        raise InputError(_nothing_fits(table, constraints, 1))
    if ensemble.members not in (0, count):
        limit = f"this {ensemble.design.value} has {count} members"
        fix = "ensemble.members=0 for all of them"
        raise InputError(
            Problem(field="ensemble.members", got=ensemble.members, limit=limit, fix=fix)
        )
    return kept


def _drawn(
    ensemble: Ensemble, spread: Sequence[Spread], constraints: Sequence[Constraint]
) -> Table:
    """Draw points until enough of them fit; the first points are the same however many are wanted (Sobol)."""
    axes, wanted = [one for one in spread if one.varies], ensemble.members
    if most := _different(axes, wanted):
        raise InputError(most)
    table: Table = {}
    for points in _draws(ensemble, len(axes)):
        columns = dict(zip((one.name for one in axes), points.T, strict=True))
        table = {
            one.name: one.at(columns[one.name])
            if one.varies
            else np.full(len(points), one.values[0])
            for one in spread
        }
        rows = _kept(table, constraints)
        if len(rows) >= wanted:
            return _chosen(table, rows[:wanted])
    raise InputError(_nothing_fits(table, constraints, wanted))


def _draws(ensemble: Ensemble, axes: int) -> Iterator[Values]:
    """Yield more and more points (point, axis), up to the number of tries."""
    most = max(_FIRST, _TRIES * ensemble.members)
    count = ensemble.members
    draw = _sobol if ensemble.design is Design.sobol else _latin
    while True:
        yield draw(count, axes, ensemble.seed)
        if count >= most:
            return
        count = min(4 * count, most)


def _sobol(count: int, axes: int, seed: int) -> Values:
    """Return the first points of a scrambled Sobol sequence; all are drawn in whole powers of two, as it wants."""
    if not axes:
        return np.zeros((count, 0))
    from scipy.stats import qmc  # noqa: PLC0415 - a second to import, and a grid needs none of it

    points: Values = qmc.Sobol(d=axes, rng=np.random.default_rng(seed)).random_base2(
        ceil(log2(max(count, 2)))
    )
    return points[:count]


def _latin(count: int, axes: int, seed: int) -> Values:
    if not axes:
        return np.zeros((count, 0))
    from scipy.stats import qmc  # noqa: PLC0415 - as above

    points: Values = qmc.LatinHypercube(d=axes, rng=np.random.default_rng(seed)).random(count)
    return points


def _grid(spread: Sequence[Spread]) -> Table:
    """Return every combination, the last input turning quickest."""
    problems = [
        Problem(
            field=f"ensemble.inputs.{one.name}",
            got=0,
            limit="a range of a grid needs steps, or values instead",
            fix=f"{one.name}: {{low: …, high: …, steps: 5}}",
        )
        for one in spread
        if not one.values and not one.steps
    ]
    if problems:
        raise InputError(problems)
    stations = [one.stations() for one in spread]
    count = prod(len(one) for one in stations)
    if count > LARGEST:
        limit = f"at most {LARGEST:,} members"
        raise InputError(Problem(field="ensemble.inputs", got=count, limit=limit))
    mesh = np.meshgrid(*stations, indexing="ij")
    return {one.name: axis.ravel() for one, axis in zip(spread, mesh, strict=True)}


def _file(spread: Sequence[Spread], columns: Table) -> Table:
    """Return the rows of the file; an input without a column has its one value."""
    problems = [
        Problem(
            field=f"ensemble.inputs.{one.name}", got=one.words(), limit="one value, or a column"
        )
        for one in spread
        if one.varies
    ]
    if problems:
        raise InputError(problems)
    count = len(next(iter(columns.values())))
    return {**columns, **{one.name: np.full(count, one.values[0]) for one in spread}}


def _kept(table: Table, constraints: Sequence[Constraint]) -> NDArray[np.int64]:
    """Return the rows that hold to every constraint and repeat no earlier one, in order."""
    count = len(next(iter(table.values()), ()))
    fits = np.ones(count, np.bool_)
    for one in constraints:
        fits &= one.holds(table)
    rows = np.flatnonzero(fits)
    if not len(rows):
        return rows
    _, first = np.unique(_stacked(table)[rows], axis=0, return_index=True)
    return rows[np.sort(first)]


def _stacked(table: Table) -> Values:
    return np.stack(list(table.values()), axis=1)


def _chosen(table: Table, rows: NDArray[np.int64]) -> Table:
    return {name: column[rows] for name, column in table.items()}


def _different(axes: Sequence[Spread], wanted: int) -> list[Problem]:
    """Return what is wrong where choices alone can't give so many members."""
    if any(not one.values for one in axes):
        return []
    most = prod(len(one.values) for one in axes)
    if most >= wanted:
        return []
    limit, fix = f"these inputs have {most} combinations", "let an input vary, or design=grid"
    return [Problem(field="ensemble.members", got=wanted, limit=limit, fix=fix)]


def _nothing_fits(table: Table, constraints: Sequence[Constraint], wanted: int) -> list[Problem]:
    """Return the one line of constraints that leave too little."""
    count, kept = len(next(iter(table.values()))), len(_kept(table, constraints))
    tightest = min(constraints, key=lambda one: _share(one, table), default=None)
    if tightest is None:
        limit = f"of {count:,} points only {kept} differ"
        return [Problem(field="ensemble.members", got=wanted, limit=limit)]
    limit = f"holds for {_share(tightest, table):.2%} of {count:,} points"
    limit += f"; with all constraints {kept} fit, and {wanted} are needed"
    fix = "loosen it, or narrow the inputs"
    return [Problem(field="ensemble.constraints", got=tightest.text, limit=limit, fix=fix)]


def _share(constraint: Constraint, table: Table) -> float:
    return float(constraint.holds(table).mean())
