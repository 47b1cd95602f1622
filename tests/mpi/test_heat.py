"""The heat solver's bits do not depend on how many ranks share a case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fakes.heat_cases import CASES, box, ring
from mpi4py import MPI

from forgia_hpc.errors import InputError, StoppedError
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.heat.case import Box, Case, History, solve

pytestmark = pytest.mark.mpi
WORLD = MPI.COMM_WORLD


def same(case: Case) -> None:
    """Demand that a case on all ranks is, bit for bit, the case on one."""
    shared, alone = solve(case, WORLD), solve(replace(case, blocks=None), Alone())
    own = alone.temperature[(slice(None), *shared.where)]
    assert shared.temperature.tobytes() == np.ascontiguousarray(own).tobytes()
    assert plain(shared) == plain(alone)
    assert sum(WORLD.allgather(shared.temperature[0].size)) == alone.temperature[0].size


def plain(history: History) -> dict[str, float]:
    return {name: value for name, value in history.facts.items() if name != "seconds"}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", CASES)
def test_explicit_cases_are_bitwise_the_same(name: str, dtype: str, backend: str) -> None:
    same(CASES[name](dtype=dtype, backend=backend))


@pytest.mark.parametrize("name", CASES)
def test_implicit_cases_are_bitwise_the_same(name: str) -> None:
    same(CASES[name](scheme="implicit", cfl=6.0))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_arrangement_of_blocks_gives_the_same(axis: int) -> None:
    blocks = tuple(WORLD.size if one == axis else 1 for one in range(3))
    same(box(blocks=blocks))


def test_a_mesh_of_half_the_width_is_cut_where_the_coarse_one_is() -> None:
    fine = ring(grid=replace(ring().grid, shape=(18, 14)), cut=2, end_s=1.0)
    assert all(one.start % 2 == one.stop % 2 == 0 for one in solve(fine, WORLD).where)
    same(fine)


def test_more_ranks_than_cells_are_refused_by_all() -> None:
    if WORLD.size == 1:
        return  # a mesh has at least one cell
    case = box(grid=Box(shape=(1, 1, WORLD.size - 1), lengths=(1.0, 1.0, 1.0)))
    with pytest.raises(InputError, match=f"ranks: got {WORLD.size}, at most one a cell"):
        solve(case, WORLD)


def test_one_rank_that_is_told_to_stop_stops_all() -> None:
    with pytest.raises(StoppedError):
        solve(box(), WORLD, stop=lambda: WORLD.rank == WORLD.size - 1)
