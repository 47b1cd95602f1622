"""Everything that is wrong with a case, said at once, before anything is solved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

from forgia_hpc.errors import InputError, Problem, nearest
from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.heat.arrays import BACKENDS
from forgia_hpc.simulate.heat.case import (
    Ball,
    Boundary,
    Case,
    Convection,
    Fixed,
    Grid,
    Material,
    Radiation,
    Ring,
    Table,
    Voxels,
)
from forgia_hpc.simulate.heat.geometry import shape_of, side_names
from forgia_hpc.simulate.heat.masks import sound
from forgia_hpc.simulate.heat.part import DTYPES, dims_of
from forgia_hpc.simulate.heat.walls import laws_of
from forgia_hpc.simulate.heat.words import HeatOptions

SCHEMES = ("explicit", "implicit")
DEVICES = ("cpu", "cuda")
_ABSOLUTE_ZERO = -273.15


def refuse(case: Case, ranks: Communicator) -> None:
    """Raise InputError with every problem of a case on this many ranks; return if there is none."""
    problems = [*_meshed(case.grid), *_made_of(case.material)]
    problems += [*_sides(case), *_timed(case.end_s, case.save_times), *word_problems(case)]
    if not problems:
        problems += _division(case, ranks)
    if problems:
        raise InputError(problems)


def refuse_step(case: Case, limit: float) -> None:
    """Raise InputError if an explicit case asks for a longer step than is stable."""
    step = case.step_s if case.step_s is not None else case.cfl * limit
    if case.scheme == "explicit" and step > limit * (1 + 1e-12):
        most = f"at most {limit:.6g} s: beyond it the explicit scheme is unstable (von Neumann)"
        fix = "leave step_s out, or scheme=implicit"
        raise InputError(Problem(field="step_s", got=step, limit=most, fix=fix))


@lru_cache(maxsize=2)  # what members share is looked at once
def _meshed(grid: Grid) -> tuple[Problem, ...]:
    return tuple(grid_problems(grid))


@lru_cache(maxsize=4)
def _made_of(material: Material) -> tuple[Problem, ...]:
    return tuple(material_problems(material))


@lru_cache(maxsize=4)
def _timed(end_s: float, save_times: tuple[float, ...]) -> tuple[Problem, ...]:
    return tuple(_times(end_s, save_times))


def grid_problems(grid: Grid) -> Iterator[Problem]:
    """Give what is wrong with the grid."""
    if isinstance(grid, Voxels):
        if not grid.spacing > 0:
            yield Problem(field="grid.spacing", got=grid.spacing, limit="above 0 m")
        yield from _caught(lambda: sound(grid.mask, "grid.mask"))
        return
    if isinstance(grid, Ring):
        lengths = [grid.height, grid.outer - grid.inner]
        if grid.inner < 0:
            yield Problem(field="grid.inner", got=grid.inner, limit="at least 0 m")
        names = ["height", "outer - inner"]
    elif isinstance(grid, Ball):
        lengths, names = [grid.outer], ["outer"]
    else:
        lengths = list(grid.lengths)
        names = [f"lengths[{at}]" for at in range(len(lengths))]
    if not 1 <= len(grid.shape) <= 3 or len(lengths) != len(grid.shape):
        limit = f"1 to 3 axes, and as many as lengths ({len(lengths)})"
        yield Problem(field="grid.shape", got=list(grid.shape), limit=limit)
    if any(not _whole(n) or n < 1 for n in grid.shape):
        yield Problem(
            field="grid.shape", got=list(grid.shape), limit="whole numbers of cells, at least 1"
        )
    for name, length in zip(names, lengths, strict=True):
        if not 0 < length < math.inf:
            yield Problem(field=f"grid.{name}", got=length, limit="above 0 m")


def material_problems(material: Material) -> Iterator[Problem]:
    """Give what is wrong with a material's tables."""
    tables = (material.temperature, material.conductivity, material.enthalpy)
    field = f"material {material.name}"
    if len({len(one) for one in tables}) != 1 or len(material.temperature) < 2:
        lengths = [len(one) for one in tables]
        yield Problem(field=field, got=lengths, limit="three tables of one length, at least 2")
        return
    if not all(np.isfinite(one).all() for one in tables):
        yield Problem(field=field, got="a value that is not finite", limit="finite tables")
    if min(material.conductivity) <= 0:
        got = min(material.conductivity)
        yield Problem(field=f"{field}.conductivity", got=got, limit="above 0 W/(m K)")
    steps = np.diff(material.temperature)
    if (steps < 0).any() or steps[0] <= 0 or steps[-1] <= 0:
        yield Problem(field=f"{field}.temperature", got=float(steps.min()), limit="ascending")
    if (np.diff(material.enthalpy) <= 0).any():
        got = float(np.diff(material.enthalpy).min())
        limit = "rising with temperature: a heat capacity above 0"
        yield Problem(field=f"{field}.enthalpy", got=got, limit=limit)


def _sides(case: Case) -> Iterator[Problem]:
    names = side_names(case.grid)
    for name in case.boundaries:
        if name not in names:
            fix = nearest(name, names, f"there are {', '.join(names)}")
            yield Problem(field=f"boundaries.{name}", got=name, limit="no such side", fix=fix)
    for name in names:
        if name not in case.boundaries:
            fix = f"boundaries.{name}: symmetry, if nothing passes"
            yield Problem(
                field=f"boundaries.{name}", got=None, limit="every side needs a law", fix=fix
            )
        else:
            laws = laws_of(case.boundaries[name])
            yield from _laws(laws, f"boundaries.{name}")


def _laws(laws: tuple[Boundary, ...], field: str) -> Iterator[Problem]:
    if len(laws) > 1 and any(isinstance(one, Fixed) for one in laws):
        got = [type(one).__name__ for one in laws]
        yield Problem(field=field, got=got, limit="a fixed temperature stands alone")
    for law in laws:
        if isinstance(law, Convection):
            yield from _h(law.h, field)
        if isinstance(law, Radiation) and not 0 <= law.emissivity <= 1:
            yield Problem(field=f"{field}.emissivity", got=law.emissivity, limit="0 to 1")
        driver = None if not isinstance(law, Convection | Radiation) else law.ambient
        driver = law.temperature if isinstance(law, Fixed) else driver
        if isinstance(driver, float | int) and not driver >= _ABSOLUTE_ZERO:
            yield Problem(field=field, got=driver, limit=f"at least {_ABSOLUTE_ZERO} °C")


def _h(h: float | Table, field: str) -> Iterator[Problem]:
    values = h.values if isinstance(h, Table) else (h,)
    if not all(0 <= one < math.inf for one in values):
        yield Problem(field=f"{field}.h", got=min(values), limit="at least 0 W/(m2 K)")
    if isinstance(h, Table):
        rising = len(h.temperature) == len(values) and (np.diff(h.temperature) > 0).all()
        if not rising:
            yield Problem(
                field=f"{field}.h",
                got=list(h.temperature),
                limit="temperatures that rise, one a value",
            )


def _times(end_s: float, save_times: tuple[float, ...]) -> Iterator[Problem]:
    if not 0 < end_s < math.inf:
        yield Problem(field="end_s", got=end_s, limit="above 0 s")
    times = np.array(save_times)
    if len(times) and ((np.diff(times) <= 0).any() or times[0] < 0 or times[-1] > end_s):
        limit = f"ascending, from 0 to end_s = {end_s:g} s"
        yield Problem(field="save_times", got=list(save_times)[:5], limit=limit)


def word_problems(said: Case | HeatOptions, before: str = "") -> Iterator[Problem]:
    """Give what is wrong with the words on how to solve; `before` goes in front of their names."""
    tables = {
        "scheme": SCHEMES,
        "backend": ("auto", *BACKENDS),
        "dtype": tuple(DTYPES),
        "device": DEVICES,
    }
    for name, known in tables.items():
        got = getattr(said, name)
        if got not in known:
            fix = nearest(str(got), known, f"there are {', '.join(known)}")
            yield Problem(field=before + name, got=got, limit="no such word", fix=fix)
    if said.device == "cuda" and said.backend != "torch":
        limit, fix = "of backend torch alone", "backend=torch"
        yield Problem(field=f"{before}device", got="cuda", limit=limit, fix=fix)
    most = 1.0 if said.scheme == "explicit" else math.inf
    if not 0 < said.cfl <= most:
        limit = "above 0, at most 1: beyond it the explicit scheme is unstable (von Neumann)"
        limit, fix = (limit, "0.9, or scheme=implicit") if most == 1 else ("above 0", "")
        yield Problem(field=f"{before}cfl", got=said.cfl, limit=limit, fix=fix)
    if said.step_s is not None and not 0 < said.step_s < math.inf:
        yield Problem(field=f"{before}step_s", got=said.step_s, limit="above 0 s")


def _division(case: Case, ranks: Communicator) -> Iterator[Problem]:
    """Give why the mesh can't be divided among the ranks."""
    shape = shape_of(case.grid)
    cells = math.prod(shape)
    if ranks.size > cells:
        yield Problem(
            field="ranks", got=ranks.size, limit=f"at most one a cell: the mesh has {cells}"
        )
        return
    if any(n % case.cut for n in shape if n > 1):
        limit = f"cells that divide by {case.cut} along every axis"
        yield Problem(field="grid.shape", got=list(shape), limit=limit)
        return
    if case.blocks is not None:
        yield from _blocks(case.blocks, shape, ranks.size)
    elif dims_of(case, (1,) * (3 - len(shape)) + shape, ranks.size) is None:
        got = " x ".join(map(str, shape))
        limit = f"a mesh that divides among {ranks.size} ranks: no arrangement gives each a cell"
        yield Problem(field="grid.shape", got=got, limit=limit, fix="take fewer ranks a member")


def _blocks(blocks: tuple[int, ...], shape: tuple[int, ...], ranks: int) -> Iterator[Problem]:
    if len(blocks) != len(shape) or math.prod(blocks) != ranks:
        limit = f"one number an axis ({len(shape)}), {ranks} ranks in all"
        yield Problem(field="blocks", got=list(blocks), limit=limit)
    elif any(parts > n for parts, n in zip(blocks, shape, strict=True)):
        limit = f"at most one a cell along each axis: {list(shape)}"
        yield Problem(field="blocks", got=list(blocks), limit=limit)


def _caught(check: Callable[[], object]) -> Iterator[Problem]:
    """Give the problems that a check raises."""
    try:
        check()
    except InputError as error:
        yield from error.problems


def _whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)
