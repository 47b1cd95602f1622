"""A heat conduction problem, complete: grid, material, boundaries, start, times; and what its solution is.

Units throughout: m, s, W, J, °C (radiation adds 273.15 K). Arrays lie slowest axis first: z, y, x or z, r.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.communicator import Alone, Communicator

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from forgia_hpc.simulate.saved import Saves

Array = NDArray[Any]
Values = NDArray[np.float64]
Coordinates = tuple[Values, ...]  # one array an axis, slowest first, that broadcast together


class _Keyed:
    """Meshes and materials are keys of what is made once for many members: lists become tuples."""

    def __post_init__(self) -> None:
        for one in fields(cast("DataclassInstance", self)):
            value = getattr(self, one.name)
            if str(one.type).startswith("tuple") and value is not None:
                object.__setattr__(self, one.name, tuple(value))


@dataclass(frozen=True, kw_only=True)
class Box(_Keyed):
    """A bar, plate or block of 1 to 3 axes (x; y, x; z, y, x). Sides: x-, x+, y-, y+, z-, z+."""

    shape: tuple[int, ...]
    lengths: tuple[float, ...]  # m, in the order of the shape


@dataclass(frozen=True, kw_only=True)
class Ring(_Keyed):
    """An axisymmetric ring, or a cylinder where inner is 0. Shape (z, r). Sides: z-, z+, r-, r+."""

    shape: tuple[int, int]
    inner: float  # m
    outer: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Ball(_Keyed):
    """A sphere whose temperature depends on the radius alone. Shape (r,). Side: r+."""

    shape: tuple[int]
    outer: float  # m


@dataclass(frozen=True, kw_only=True, eq=False)
class Voxels:
    """A body cut out of a box by a mask; its whole surface is the side `surface`.

    Stairs that stand for a slanted surface are larger than it (27 % round a circle) however fine they are.
    shares says how much of a stair counts: the size of the true normal's component across each axis.
    """

    mask: NDArray[np.bool_]  # True inside; 1 to 3 axes
    spacing: float  # m, the same along every axis
    shares: NDArray[np.float64] | None = (
        None  # (axis, *mask), 0 to 1; None: the body is made of cubes
    )


Grid = Box | Ring | Ball | Voxels


@dataclass(frozen=True, kw_only=True)
class OfPlace:
    """A value that differs from place to place: (time s, coordinates m) → an array that broadcasts."""

    function: Callable[[float, Coordinates], Array]


Law = (
    float | Callable[[float], float] | OfPlace
)  # a number, a function of time, or of time and place


@dataclass(frozen=True, kw_only=True)
class Table(_Keyed):
    """Piecewise linear in temperature, constant beyond its ends."""

    temperature: tuple[float, ...]  # °C, ascending
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """The surface has this temperature, °C."""

    temperature: Law


@dataclass(frozen=True, kw_only=True)
class Flux:
    """This heat enters through the surface, W/m2."""

    into: Law


@dataclass(frozen=True, kw_only=True)
class Convection:
    """h (T_ambient - T_surface) enters, h in W/(m2 K): a number, or a table over the surface temperature."""

    h: float | Table
    ambient: Law


@dataclass(frozen=True, kw_only=True)
class Radiation:
    """emissivity sigma (T_ambient^4 - T_surface^4) enters, in kelvin; ambient in °C."""

    emissivity: float
    ambient: Law


@dataclass(frozen=True, kw_only=True)
class Symmetry:
    """No heat passes: a plane of symmetry, an insulated wall, or the axis of a cylinder."""


Boundary = Fixed | Flux | Convection | Radiation | Symmetry


@dataclass(frozen=True, kw_only=True)
class Material(_Keyed):
    """Conductivity and enthalpy over temperature, both piecewise linear on the same knots.

    Beyond its ends the conductivity stays and the enthalpy goes on with its last slope. Two knots at one
    temperature are a jump of the enthalpy: latent heat at a single temperature.
    """

    name: str
    temperature: tuple[float, ...]  # °C, ascending; at least 2
    conductivity: tuple[float, ...]  # W/(m K), above 0
    enthalpy: tuple[float, ...]  # J/m3, density and latent heat included, rising

    @cached_property
    def constant(self) -> bool:
        """Whether conductivity and heat capacity are the same at every temperature."""
        widths = np.diff(self.temperature)
        if not (widths > 0).all():
            return False
        capacity = np.diff(self.enthalpy) / widths
        same = np.allclose(capacity, capacity[0], rtol=1e-12, atol=0)
        return bool(same and len(set(self.conductivity)) == 1)


def constant_material(
    conductivity: float, heat_capacity: float, name: str = "constant"
) -> Material:
    """Return a material of one conductivity, W/(m K), and one volumetric heat capacity, J/(m3 K)."""
    return Material(
        name=name,
        temperature=(0.0, 1000.0),
        conductivity=(conductivity, conductivity),
        enthalpy=(0.0, 1000.0 * heat_capacity),
    )


class Phases(Protocol):
    """What becomes of each cell as it cools: fractions that the temperature's path decides."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the fractions, e.g. austenite, martensite."""

    def start(self, shape: tuple[int, ...]) -> Mapping[str, Array]:
        """Return the fractions at the start, each of this shape."""

    def advance(
        self, before: Array, after: Array, dt: float, fractions: Mapping[str, Array]
    ) -> tuple[Mapping[str, Array], Array | float]:
        """Return the fractions a step later, and the heat released on the way, J/m3. Temperatures in °C."""


@dataclass(frozen=True, kw_only=True)
class Case(_Keyed):
    """One problem. Every side of the grid has its law; several laws of one side add up."""

    grid: Grid
    material: Material
    boundaries: Mapping[str, Boundary | tuple[Boundary, ...]]
    initial: float | Array | Callable[[Coordinates], Array]  # °C; an array is of the whole grid
    end_s: float
    save_times: tuple[float, ...] = ()  # s, ascending, 0 to end_s; empty: start and end
    scheme: str = "explicit"  # explicit | implicit
    cfl: float = 0.9  # step over the explicit limit: at most 1 if explicit
    step_s: float | None = None  # instead of cfl: a step that must not be exceeded
    dtype: str = "f64"  # f64 | f32
    backend: str = "numpy"  # numpy | numba | torch | auto: numba where it is installed, else numpy
    device: str = "cpu"  # of torch: cpu | cuda
    source: Callable[[float, Coordinates], Array] | None = None  # W/m3 at (time, cells)
    phases: Phases | None = None
    blocks: tuple[int, ...] | None = None  # ranks along each axis; None: chosen
    cut: int = 1  # blocks begin at multiples of this many cells


@dataclass(frozen=True, kw_only=True)
class History:
    """What one rank holds of a solved case, on its own cells."""

    times: Values  # (step,) s
    temperature: Array  # (step, *own cells) °C
    where: tuple[slice, ...]  # the own cells in the whole grid
    fractions: Mapping[str, Array] = field(default_factory=dict)  # name -> (step, *own cells)
    facts: Mapping[str, float] = field(default_factory=dict)  # the same on all ranks but `seconds`


def solve(
    case: Case,
    ranks: Communicator | None = None,
    stop: Callable[[], bool] | None = None,
    saves: Saves | None = None,
) -> History:
    """Solve a case on all ranks of a group together. One that was stopped goes on from what it saved.

    Raises:
        InputError: everything that is wrong with the case.
        MemberError: not_finite, or not_converged.
        StoppedError: `stop` held between two steps.

    """
    # a case is described without a solver
    from forgia_hpc.simulate.heat.march import march  # noqa: PLC0415
    from forgia_hpc.simulate.heat.refuse import refuse  # noqa: PLC0415

    ranks = ranks or Alone()
    refuse(case, ranks)
    return march(case, ranks, stop or (lambda: False), saves)
