"""The parts that figures rest on: sums in any order, blocks, curves, the surface behind half a cell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fakes.heat_cases import BOILING, STEEL
from hypothesis import given, settings
from hypothesis import strategies as st

from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.heat.arrays import NumpyArrays
from forgia_hpc.simulate.heat.case import (
    Box,
    Case,
    Convection,
    Flux,
    Radiation,
    Symmetry,
    Table,
    Voxels,
    constant_material,
    solve,
)
from forgia_hpc.simulate.heat.decompose import arrangement, block_of
from forgia_hpc.simulate.heat.laws import wall_of
from forgia_hpc.simulate.heat.masks import cylinder
from forgia_hpc.simulate.heat.matter import Matter
from forgia_hpc.simulate.heat.pieces import curves_of
from forgia_hpc.simulate.heat.sums import exact_sum

HOST = NumpyArrays(np.float64)
STEEP = Table(temperature=(100.0, 200.0, 230.0, 900.0), values=(200.0, 200.0, 4e4, 4e4))


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=60), st.randoms())
@settings(max_examples=100, deadline=None)
def test_sums_do_not_know_their_order(values: list[float], random: object) -> None:
    given_order = np.array(values)
    random.shuffle(values)  # type: ignore[attr-defined]
    total = exact_sum(given_order, HOST, Alone())
    assert total == exact_sum(np.array(values), HOST, Alone())
    assert total == pytest.approx(math.fsum(values), rel=1e-15, abs=1e-18 * max(map(abs, values)))


def test_a_sum_with_a_hole_is_no_number() -> None:
    assert math.isnan(exact_sum(np.array([1.0, np.nan]), HOST, Alone()))
    assert math.isnan(exact_sum(np.array([1.0, np.inf]), HOST, Alone()))


@given(st.tuples(*(st.integers(1, 9),) * 3), st.integers(1, 24), st.sampled_from([1, 2]))
@settings(max_examples=150, deadline=None)
def test_every_cell_has_one_rank(units: tuple[int, ...], ranks: int, cut: int) -> None:
    dims = arrangement(units, ranks)
    if dims is None:
        assert ranks > 1
        return
    shape = tuple(n * cut for n in units)
    seen = np.zeros(shape, int)
    for rank in range(ranks):
        block = block_of(shape, dims, rank, cut)
        seen[block.where] += 1
        assert min(block.shape) >= cut
        for axis, (low, high) in enumerate(block.neighbours):
            assert (low < 0) == (block.start[axis] == 0)
            assert (high < 0) == (block.stop[axis] == shape[axis])
    assert (seen == 1).all()


def test_curves_agree_with_each_other() -> None:
    curves = curves_of(STEEL)
    at = np.array([-50.0, 0.0, 150.0, 299.9, 500.0, 699.999, 700.001, 1000.0, 1200.0])
    heat = curves.enthalpy(at)
    assert np.allclose(curves.temperature(heat), at, rtol=1e-12, atol=1e-9)
    assert np.allclose(curves.theta_of_enthalpy(heat), curves.theta(at), rtol=1e-12)
    near = 1e-4
    slope = (curves.theta(at + near) - curves.theta(at - near)) / (2 * near)
    assert np.allclose(slope, curves.conductivity(at), rtol=1e-5)
    assert curves.diffusivity(np.array([3.4e9])) == 0  # latent heat at one temperature


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_surface_passes_on_what_the_half_cell_gives(dtype: type) -> None:
    matter = Matter(STEEL, NumpyArrays(dtype))
    laws = (
        Convection(h=BOILING, ambient=25.0),
        Radiation(emissivity=0.9, ambient=30.0),
        Flux(into=-1e3),
    )
    cells = np.linspace(20.0, 900.0, 400, dtype=dtype)
    wall = wall_of(laws, 0.004, matter, lambda law: lambda t: float(law))
    assert wall is not None
    flux, slope = wall.flux(wall.values(0.0), cells)
    surface = np.interp(
        curves_of(STEEL).theta(cells.astype(float)) + 0.004 * flux,
        *[curves_of(STEEL).theta(np.linspace(-200, 1000, 200001)), np.linspace(-200, 1000, 200001)],
    )  # fmt: skip
    h = np.interp(surface, BOILING.temperature, BOILING.values)
    right = (
        h * (25 - surface) + 0.9 * 5.670374419e-8 * ((303.15) ** 4 - (surface + 273.15) ** 4) - 1e3
    )
    assert np.allclose(flux, right, rtol=3e-4 if dtype is np.float64 else 5e-3, atol=20)
    assert (slope <= 0).all()


def stairs(cells: int, *, counted: bool) -> float:
    """Return the relative error at the centre of a long round bar of voxels, Bi 1, Fo 0.5 (Biot's series)."""
    body = cylinder(1.0, 3.0 / cells, 1.0 / cells)
    assert body.shares is not None
    disc = Voxels(
        mask=body.mask[0], spacing=body.spacing, shares=body.shares[1:, 0] if counted else None
    )
    case = Case(
        grid=disc,
        material=constant_material(1.0, 1.0),
        boundaries={"surface": Convection(h=1.0, ambient=0.0)},
        initial=1.0,
        end_s=0.5,
        save_times=(0.5,),
    )
    last = solve(case).temperature[-1]
    middle = slice(cells - 1, cells + 1)
    return abs(float(last[middle, middle].mean()) / 0.5485862 - 1)


@pytest.mark.parametrize("h", [0.0, 1e-9])
def test_a_wall_without_transfer_lets_nothing_in(h: float) -> None:
    """An h of 0 was once taken for a flux of 900 W/m2, the bath's °C."""
    steel = constant_material(30.0, 3.9e6)
    walls = {"x-": (Convection(h=h, ambient=900.0), Flux(into=0.0)), "x+": Symmetry()}
    case = Case(
        grid=Box(shape=(4,), lengths=(0.01,)),
        material=steel,
        boundaries=walls,
        initial=20.0,
        end_s=60.0,
        backend="numpy",
    )
    np.testing.assert_allclose(solve(case).temperature, 20.0, atol=1e-9)


@pytest.mark.parametrize("cells", [8, 32])
def test_no_explicit_step_heats_a_wall_that_boils_ever_harder(cells: int) -> None:
    """A rising h(T) once counted by its height alone: steps of 0.9 of the limit threw the wall up by 34 K."""
    words = {
        "grid": Box(shape=(cells,), lengths=(0.04,)),
        "material": constant_material(30.0, 3.9e6),
        "boundaries": {"x-": (Convection(h=STEEP, ambient=20.0),), "x+": Symmetry()},
        "initial": 400.0,
        "backend": "numpy",
    }
    step = 0.999 * solve(Case(end_s=1.0, **words)).facts["explicit_limit_s"]
    times = tuple(step * at for at in range(60))
    found = solve(Case(end_s=times[-1], save_times=times, step_s=step, **words)).temperature
    assert np.diff(found, axis=0).max() <= 1e-9


def test_a_round_body_of_voxels_has_the_surface_of_a_round_body() -> None:
    coarse, fine = stairs(8, counted=True), stairs(16, counted=True)
    assert fine < 0.015
    assert coarse / fine > 1.9  # first order in the cell's width
    assert stairs(16, counted=False) > 0.1  # 27 % too much surface, however fine
