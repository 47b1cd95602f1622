"""How fast errors fall: a decaying cosine, a manufactured solution, in space and in time. V1, V20."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat.case import Box, Case, Coordinates, Symmetry, constant_material
from forgia_hpc.simulate.verification import manufactured
from forgia_hpc.simulate.verification.figures import Figure, How
from forgia_hpc.simulate.verification.sampling import centres, solved

Floats = NDArray[np.float64]
_ALPHA, _END = 0.1, 0.1
_UNTIL = 0.1  # s, of the manufactured solution
_SPACE, _TIME = (16, 32, 64), (1.0, 0.5, 0.25)
DESIGN = {"explicit": 1.0, "implicit": 2.0}  # order in time
_LONGEST = {"explicit": 1.0, "implicit": 8.0}  # of three steps, in explicit limits


def _cosine(where: Coordinates) -> Floats:
    z, y, x = (np.cos(math.pi * axis) for axis in where)
    return np.asarray(z * y * x)


def cosine(how: How) -> Sequence[Figure]:
    """V1: an insulated unit cube; relative L2 error at 16³, 32³, 64³ and its order."""
    errors = [_cosine_error(cells, how) for cells in _SPACE]
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    return [
        Figure(name="error at 64^3", got=errors[-1], target=1.02e-4, kind="most"),
        Figure(name="order, 32^3 to 64^3", got=orders[-1], target=2.0, tolerance=0.05),
    ]


def _cosine_error(cells: int, how: How) -> float:
    grid = Box(shape=(cells,) * 3, lengths=(1.0,) * 3)
    case = Case(
        grid=grid,
        material=constant_material(_ALPHA, 1.0),
        boundaries={f"{axis}{end}": Symmetry() for axis in "xyz" for end in "-+"},
        initial=_cosine,
        end_s=_END,
        save_times=(_END,),
    )
    where = centres(grid)
    start = _cosine((where[0][:, None, None], where[1][:, None], where[2]))
    right = start * math.exp(-3 * _ALPHA * math.pi**2 * _END)
    return _relative(solved(case, how).temperature[-1], right)


def _relative(got: NDArray[np.floating], right: Floats) -> float:
    return float(np.linalg.norm(got - right) / np.linalg.norm(right))


def made_up(how: How) -> Sequence[Figure]:
    """V20: order in space on three grids, and in time on one grid against itself, for both schemes."""
    found = []
    for scheme, design in DESIGN.items():
        space = _space_order(scheme, how)
        found.append(Figure(name=f"{scheme}, in space", got=space, target=2.0, tolerance=0.1))
        got = time_order(scheme, how)
        found.append(Figure(name=f"{scheme}, in time", got=got, target=design, tolerance=0.1))
    return found


def _space_order(scheme: str, how: How) -> float:
    """Return the order from the two finest of three grids.

    Explicit steps shrink with the square of the cells; implicit ones, of second order themselves, with the cells.
    """
    errors = []
    for cells in (8, 16, 32):
        step = None if scheme == "explicit" else _UNTIL / cells
        case = manufactured.case(cells, scheme, _UNTIL, step)
        assert isinstance(case.grid, Box)
        y, x = centres(case.grid)
        right = manufactured.exact(_UNTIL, (y[:, None], x))
        errors.append(_relative(solved(case, how).temperature[-1], right))
    return math.log2(errors[-2] / errors[-1])


def manufactured_error(scheme: str, how: How) -> float:
    """Return the relative error of the made-up solution on 8 x 8 cells: every law of a wall has its part in it."""
    step = None if scheme == "explicit" else _UNTIL / 8
    case = manufactured.case(8, scheme, _UNTIL, step)
    assert isinstance(case.grid, Box)
    y, x = centres(case.grid)
    right = manufactured.exact(_UNTIL, (y[:, None], x))
    return _relative(solved(case, how).temperature[-1], right)


def time_order(scheme: str, how: How) -> float:
    """Return the order from three steps on one grid: differences of solutions, free of the grid's error."""
    limit = solved(manufactured.case(8, scheme, _UNTIL), how).facts["explicit_limit_s"]
    longest = _UNTIL / math.ceil(_UNTIL / (_LONGEST[scheme] * limit))
    fields = [
        solved(manufactured.case(8, scheme, _UNTIL, longest * share), how).temperature[-1]
        for share in _TIME
    ]
    first, second = (np.linalg.norm(a - b) for a, b in pairwise(fields))
    return math.log2(first / second)
