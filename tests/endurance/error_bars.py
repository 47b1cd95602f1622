"""Does the error bar of a refined member hold the true error? Bodies with a Biot series, and finer meshes."""

# ruff: noqa: E501 - words of a solver
from __future__ import annotations

import random
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.schema.simulation import Solver as Words
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.refine import difference, errors_of, factor_of
from forgia_hpc.simulate.solvers import open_solver, order_of
from forgia_hpc.simulate.verification import series

Floats = NDArray[np.float64]
POINTS = 8  # a cell's mean is taken of so many points: finite volumes know means
BODIES: dict[series.Body, tuple[str, int]] = {"slab": ("box", 0), "cylinder": ("cylinder", 1), "sphere": ("ball", 2)}  # fmt: skip
FINEST = 2  # the level that stands for the truth where there is no series


class ErrorBars:
    """Trials of one member each: solved at two levels, its bar compared with its true error."""

    def __init__(self, scratch: Path) -> None:
        """Take a directory."""
        self._scratch = scratch

    def __enter__(self) -> ErrorBars:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the scratch directory to its owner."""

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Draw a member; tell how its bar and its error compare. A fault: the bar is below the error."""
        exact = chance.random() < 0.85
        name, options, truth = _with_series(chance) if exact else _without(chance)
        coarse, fine = (_solved(options, level) for level in (0, 1))
        right = truth if truth is not None else _solved(options, FINEST)["temperature"]
        solver = open_solver(Words(options=options))
        factor = factor_of(order_of(solver))
        bar = errors_of([difference(solver.schema(), coarse, fine)], factor)["temperature"]
        off = np.abs(np.asarray(coarse["temperature"], np.float64) - right)
        true = {"rms": float(np.sqrt(np.mean(off * off))), "max": float(off.max())}
        ratios = {key: bar[key] / true[key] for key in true}
        faults = [
            f"{key}: the bar is {ratio:.2f} of the error"
            for key, ratio in ratios.items()
            if ratio < 1
        ]
        return {
            "what": f"{name}, {'covered' if not faults else 'not covered'}",
            "ratios": ratios,
            "faults": faults,
        }


def _with_series(chance: random.Random) -> tuple[str, dict[str, Any], Floats]:
    """Return a body of one axis, cooled from one temperature, and its exact temperatures (step, cell)."""
    body = chance.choice(list(BODIES))
    biot, cells = 10 ** chance.uniform(-1, 1), chance.choice((6, 8, 12))
    size, k, capacity = chance.uniform(0.01, 0.1), chance.uniform(15, 60), chance.uniform(3e6, 5e6)
    end = chance.uniform(0.1, 1.0) * size**2 * capacity / k
    cooled = {"law": "convection", "h": biot * k / size, "ambient": 20.0}
    walls: dict[str, Any] = {"box": {"x-": "symmetry", "x+": cooled}, "ball": {"r+": cooled}}.get(
        BODIES[body][0], {"z-": "symmetry", "z+": "symmetry", "r-": "symmetry", "r+": cooled}
    )  # fmt: skip
    shape = [1, cells] if body == "cylinder" else [cells]
    size_words: dict[str, Any] = {"slab": {"lengths": [size]}, "cylinder": {"radius": size, "height": 0.1}, "sphere": {"radius": size}}[body]  # fmt: skip
    options = {
        "geometry": BODIES[body][0], "shape": shape, **size_words, "boundaries": walls, "initial": 800.0,
        "material": {"density": 1000.0, "conductivity": k, "specific_heat": capacity / 1000.0},
        "end_s": end, "frames": 6, "backend": "numpy",
    }  # fmt: skip
    right = [np.full(cells, 800.0)]
    for time in np.linspace(0.0, end, 6)[1:]:
        right.append(20.0 + 780.0 * _means(body, biot, time * k / capacity / size**2, cells))
    return body, options, np.array(right).reshape(6, *shape)


def _means(body: series.Body, biot: float, fourier: float, cells: int) -> Floats:
    at = (np.arange(cells * POINTS) + 0.5) / (cells * POINTS)
    weight = at ** BODIES[body][1]
    values = series.theta(body, biot, fourier, at) * weight
    return np.asarray(values.reshape(cells, -1).sum(1) / weight.reshape(cells, -1).sum(1))


def _without(chance: random.Random) -> tuple[str, dict[str, Any], None]:
    """Return a plate with properties over temperature and four different walls: no series knows it."""
    walls = {
        side: {"law": "convection", "h": 10 ** chance.uniform(2, 3.5), "ambient": 20.0} for side in ("x-", "x+", "y-")
    }  # fmt: skip
    walls["y+"] = {"law": "radiation", "emissivity": 0.8, "ambient": 20.0}
    lengths = [chance.uniform(0.03, 0.08), chance.uniform(0.03, 0.08)]
    material = chance.choice(("stainless_steel_en1993", "carbon_steel_en1993_split", "carbon_steel_en1993"))  # fmt: skip
    options = {
        "geometry": "box", "shape": [6, 6], "lengths": lengths, "material": material,
        "boundaries": walls, "initial": chance.uniform(600.0, 900.0), "end_s": chance.uniform(20.0, 120.0), "frames": 6,
        "backend": "numba",
    }  # fmt: skip
    return f"plate of {material}", options, None


def _solved(options: dict[str, Any], level: int) -> dict[str, Any]:
    solver = open_solver(Words(options=options))
    member = Member(number=0, id="0" * 16, inputs={}, level=level)
    case = solver.prepare(member, Alone(), Path())
    solver.run(case, lambda: False)
    return dict(solver.extract(case).fields)
