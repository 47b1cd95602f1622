"""Cases with a Biot series: slab, cylinder, sphere, products, a half-space, a quenched bar. V4 to V9, V12."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from forgia_hpc.simulate.heat.case import (
    Ball,
    Boundary,
    Box,
    Case,
    Convection,
    History,
    Ring,
    Symmetry,
    constant_material,
)
from forgia_hpc.simulate.heat.materials import material
from forgia_hpc.simulate.verification import series
from forgia_hpc.simulate.verification.exact import half_space
from forgia_hpc.simulate.verification.figures import Figure, How
from forgia_hpc.simulate.verification.sampling import at, solved

UNIT = constant_material(1.0, 1.0)
_CELLS = 64
_FOURIER = 0.5
_TOLERANCE = 1e-4  # of theta; 64 cells across give a few 1e-5
# computed with 60 terms of the series, to the digits shown
THETA = {
    "slab": {0.1: (0.96798075, 0.92177894), 1: (0.77252638, 0.50452193), 10: (0.45464056, 0.06432896)},
    "cylinder": {0.1: (0.92934029, 0.88459186), 1: (0.5485862, 0.35278584), 10: (0.14580006, 0.01775797)},
    "sphere": {0.1: (0.88898599, 0.84605367), 1: (0.37077743, 0.23604967), 10: (0.03447829, 0.0036538)},
}  # fmt: skip
FIRST = {
    "slab": (0.860334, 1.119132),
    "cylinder": (1.255784, 1.207092),
    "sphere": (1.570796, 1.27324),
}


def _grid(body: series.Body, cells: int) -> Box | Ring | Ball:
    if body == "slab":
        return Box(shape=(cells,), lengths=(1.0,))
    if body == "cylinder":
        return Ring(shape=(1, cells), inner=0.0, outer=1.0, height=1.0)
    return Ball(shape=(cells,), outer=1.0)


def _sides(body: series.Body, biot: float) -> Mapping[str, Boundary]:
    cooled = Convection(h=biot, ambient=0.0)
    if body == "slab":
        return {"x-": Symmetry(), "x+": cooled}
    if body == "cylinder":
        return {"z-": Symmetry(), "z+": Symmetry(), "r-": Symmetry(), "r+": cooled}
    return {"r+": cooled}


def cooled_body(body: series.Body, biot: float, cells: int, times: tuple[float, ...]) -> Case:
    """Return a body of size 1 and start temperature 1 in a fluid of 0: its temperature is theta."""
    return Case(
        grid=_grid(body, cells),
        material=UNIT,
        boundaries=_sides(body, biot),
        initial=1.0,
        end_s=times[-1],
        save_times=times,
    )


def _theta(history: History, case: Case, body: series.Body, place: float, step: int = -1) -> float:
    grid = case.grid
    assert isinstance(grid, Box | Ring | Ball)
    where = (0.5, place) if body == "cylinder" else (place,)
    return at(history.temperature[step], grid, *where)


def biot_series(body: series.Body, how: How) -> Sequence[Figure]:
    """Return centre and surface of one body at three Biot numbers."""
    found = []
    for biot, targets in THETA[body].items():
        case = cooled_body(body, biot, _CELLS, (_FOURIER,))
        history = solved(case, how)
        found += [
            Figure(
                name=f"theta {name}, Bi {biot:g}",
                got=_theta(history, case, body, place),
                target=target,
                tolerance=_TOLERANCE,
            )
            for name, place, target in zip(("centre", "surface"), (0.0, 1.0), targets, strict=True)
        ]
    return found


def slab(how: How) -> Sequence[Figure]:
    """V4."""
    return biot_series("slab", how)


def cylinder(how: How) -> Sequence[Figure]:
    """V5."""
    return biot_series("cylinder", how)


def sphere(how: How) -> Sequence[Figure]:
    """V6."""
    return biot_series("sphere", how)


def products(how: How) -> Sequence[Figure]:
    """V7: a cylinder as long as thick, and a cube: an eighth of each, cooled on its outer sides."""
    cooled = Convection(h=1.0, ambient=0.0)
    billet = Case(
        grid=Ring(shape=(32, 32), inner=0.0, outer=1.0, height=1.0),
        material=UNIT,
        boundaries={"z-": Symmetry(), "z+": cooled, "r-": Symmetry(), "r+": cooled},
        initial=1.0,
        end_s=_FOURIER,
    )
    cube = Case(
        grid=Box(shape=(24, 24, 24), lengths=(1.0, 1.0, 1.0)),
        material=UNIT,
        boundaries={f"{axis}{end}": Symmetry() if end == "-" else cooled for axis in "xyz" for end in "-+"},
        initial=1.0,
        end_s=_FOURIER,
    )  # fmt: skip
    round_, square = (solved(case, how).temperature[-1] for case in (billet, cube))
    assert isinstance(billet.grid, Ring)
    assert isinstance(cube.grid, Box)
    rows = (
        ("finite cylinder, centre", at(round_, billet.grid, 0.0, 0.0), 0.42379732),
        ("cube, centre", at(square, cube.grid, 0.0, 0.0, 0.0), 0.46104144),
        ("cube, corner", at(square, cube.grid, 1.0, 1.0, 1.0), 0.12842221),
    )
    return [Figure(name=name, got=got, target=target, tolerance=3e-4) for name, got, target in rows]


def eigenvalues(how: How) -> Sequence[Figure]:
    """V8: the last decay of a body's centre gives its first eigenvalue, and the amplitude its weight."""
    found = []
    for body in ("slab", "cylinder", "sphere"):
        case = cooled_body(body, 1.0, _CELLS, (1.0, 1.5))
        history = solved(case, how)
        early, late = (_theta(history, case, body, 0.0, step) for step in (-2, -1))
        square = math.log(early / late) / 0.5
        got = (math.sqrt(square), early * math.exp(square))
        for name, one, target in zip(("zeta", "C"), got, FIRST[body], strict=True):
            figure = Figure(name=f"{body} {name}", got=one, target=target, tolerance=1e-3)
            found.append(figure)
    return found


def semi_infinite(how: How) -> Sequence[Figure]:
    """V9: the surface of a half-space when h sqrt(at)/k is 1; a bar of 8 stands for it."""
    case = Case(
        grid=Box(shape=(256,), lengths=(8.0,)),
        material=UNIT,
        boundaries={"x-": Convection(h=1.0, ambient=1.0), "x+": Symmetry()},
        initial=0.0,
        end_s=1.0,
    )
    field = solved(case, how).temperature[-1]
    assert isinstance(case.grid, Box)
    inside = float(half_space(0.5, 1.0, 1.0, 1.0))
    return [
        Figure(name="1 - theta, x = 0", got=at(field, case.grid, 0.0), target=0.57241642, tolerance=2e-4),
        Figure(name="1 - theta, x = 0.5", got=at(field, case.grid, 0.5), target=inside, tolerance=2e-4),
    ]  # fmt: skip


def quenched_bar(how: How) -> Sequence[Figure]:
    """V12: a square bar of 16MND5 quenched in water, a quarter of it, after 100 s."""
    cooled = Convection(h=1675.0, ambient=15.0)
    case = Case(
        grid=Box(shape=(40, 40), lengths=(0.05, 0.05)),
        material=material("16mnd5_mtlp100").material,
        boundaries={"x-": Symmetry(), "x+": cooled, "y-": Symmetry(), "y+": cooled},
        initial=900.0,
        end_s=100.0,
    )
    field = solved(case, how).temperature[-1]
    assert isinstance(case.grid, Box)
    targets = {0.0: 655.32, 0.026: 466.19, 0.035: 338.73, 0.041: 250.76}
    return [
        Figure(
            name=f"T({place:g}, {place:g}), 100 s",
            got=at(field, case.grid, place, place),
            target=target,
            tolerance=0.1,
            unit="°C",
        )
        for place, target in targets.items()
    ]
