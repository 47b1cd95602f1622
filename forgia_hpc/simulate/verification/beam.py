"""A point source that runs over a half-space. V16."""

from __future__ import annotations

from collections.abc import Sequence

from forgia_hpc.simulate.heat.case import Box, Case, Symmetry, constant_material
from forgia_hpc.simulate.heat.sources import MovingGaussian
from forgia_hpc.simulate.verification.exact import MovingSource
from forgia_hpc.simulate.verification.figures import Figure, How
from forgia_hpc.simulate.verification.sampling import at, solved

TARGET_K = 936.620
_ZERO_C = 273.15
_RUN = 1.6e-3  # m that the beam runs, from its start to its place when we look
_BEFORE = 0.2e-3  # m of body behind its start
_BEHIND = 1e-3  # m behind the beam where we look
_SIDE = 0.5e-3  # m of body to the side and below: the wake is 0.1 mm wide there


def rosenthal(how: How) -> Sequence[Figure]:
    """V16: 80 W at 0.8 m/s, 1 mm behind: closed formula, a beam of finite width, and its limit.

    A grid can't hold a point. A Gaussian as wide as 1.5 cells has an exact solution too, which differs from
    the point's by the order of its width squared, as the scheme's error does: two grids give the limit.
    """
    exact = MovingSource()
    cells = (25e-6, 12.5e-6)
    got = [_behind(exact, width, how) for width in cells]
    sigma = 1.5 * cells[1]
    spread = exact.gaussian((-_BEHIND, 0.0, 0.0), _RUN / exact.speed, sigma)
    limit = got[1] + (got[1] - got[0]) / 3
    return [
        Figure(name="Rosenthal's formula", got=exact.rosenthal(-_BEHIND, _BEHIND), target=TARGET_K,
               tolerance=1e-3, unit="K"),
        Figure(name=f"beam of sigma {sigma * 1e6:g} um", got=got[1], target=spread, tolerance=8.0, unit="K"),
        Figure(name="limit of two grids", got=limit, target=TARGET_K, tolerance=5.0, unit="K"),
    ]  # fmt: skip


def _behind(exact: MovingSource, width: float, how: How) -> float:
    across = round(_SIDE / width)
    along = round((_BEFORE + _RUN + _SIDE) / width)
    grid = Box(shape=(across, across, along), lengths=(_SIDE, _SIDE, along * width))
    beam = MovingGaussian(
        power=2 * exact.power,  # half a space: half of it is inside (both sides of y = 0 count)
        speed=exact.speed,
        sigma=1.5 * width,
        start=(0.0, 0.0, _BEFORE),
    )
    case = Case(
        grid=grid,
        material=constant_material(exact.conductivity, exact.conductivity / exact.diffusivity),
        boundaries={f"{axis}{end}": Symmetry() for axis in "xyz" for end in "-+"},
        initial=exact.start - _ZERO_C,
        end_s=_RUN / exact.speed,
        source=beam,
    )
    place = (0.0, 0.0, _BEFORE + _RUN - _BEHIND)
    return at(solved(case, how).temperature[-1], grid, *place) + _ZERO_C
