"""The heat solver's bits do not depend on how many ranks share a case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from fakes.heat_cases import CASES, ball, box, ring
from mpi4py import MPI

from forgia_hpc.errors import InputError, StoppedError
from forgia_hpc.schema.simulation import Solver
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.heat.case import Box, Case, Convection, History, solve
from forgia_hpc.simulate.heat.solver import HeatSolver
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.returns import IGNORED, SAVED, mark_of
from forgia_hpc.simulate.saved import Saves

pytestmark = pytest.mark.mpi
WORLD = MPI.COMM_WORLD
SIDES = ("x-", "x+", "y-", "y+", "z-", "z+")
BATH = dict.fromkeys(SIDES, Convection(h=900.0, ambient=20.0))  # a step of it is one compiled call


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


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_steps_of_one_compiled_call_are_bitwise_the_same(dtype: str) -> None:
    case = box(boundaries=BATH, source=None, dtype=dtype)
    same(replace(case, backend="numba"))
    one, other = (solve(replace(case, backend=name), WORLD) for name in ("numba", "numpy"))
    assert one.temperature.tobytes() == other.temperature.tobytes()


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One directory for all ranks."""
    return Path(WORLD.bcast(str(tmp_path)))


def after(looks: int) -> Callable[[], bool]:
    """Return the last rank's wish to stop, from the so manyth look on."""
    seen = count()
    return lambda: next(seen) >= looks and WORLD.rank == WORLD.size - 1


def stopped(run: Callable[[Callable[[], bool]], object], folder: Path) -> None:
    """Stop what runs at its second look, and see that all ranks have left their state."""
    with pytest.raises(StoppedError, match=r"stopped after \d+ steps$"):
        run(after(1))
    WORLD.barrier()
    assert mark_of(folder / SAVED)
    for rank in range(WORLD.size):
        assert len(list((folder / SAVED).glob(f"step-*.{rank}.npz"))) == 1


def ended(run: Callable[[Callable[[], bool]], History], folder: Path, whole: int) -> History:
    """Let it go on to its end: in fewer looks than the whole takes, from a state that was trusted."""
    looks = count()
    history = run(lambda: bool(next(looks) < 0))
    assert next(looks) < whole
    assert not (folder / IGNORED).exists()
    return history


LONG = {
    "explicit": {name: case(cfl=0.1) for name, case in CASES.items()},
    "implicit": {"ball": ball(scheme="implicit", cfl=0.6)},
    "bath": {"box": box(boundaries=BATH, source=None, cfl=0.05)},
}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("kind", LONG)
def test_a_case_that_was_stopped_ends_with_the_bytes_of_an_undisturbed_one(
    kind: str, backend: str, folder: Path
) -> None:
    for name, given in LONG[kind].items():
        case, own = replace(given, backend=backend), folder / name
        own.mkdir(exist_ok=True)

        def run(stop: Callable[[], bool], case: Case = case, own: Path = own) -> History:
            return solve(case, WORLD, stop, Saves(own, WORLD, lambda: {"member": "a" * 16}))

        looks = count()
        right = solve(case, WORLD, stop=lambda looks=looks: bool(next(looks) < 0))
        stopped(run, own)
        got = ended(run, own, next(looks))
        assert got.temperature.tobytes() == right.temperature.tobytes()
        assert plain(got) == plain(right)


def test_a_member_with_phases_that_was_stopped_ends_with_the_same_fields(folder: Path) -> None:
    words = {
        "shape": [9, 7], "lengths": [0.02, 0.02], "material": "stainless_steel_en1993", "initial": 850,
        "boundaries": {side: {"law": "convection", "h": 3000, "ambient": 20} for side in SIDES[:4]},
        "phases": {"composition": {"C": 0.4, "Mn": 0.7}}, "end_s": 30.0, "frames": 5,
    }  # fmt: skip
    solver = HeatSolver(Solver(options=words))
    member = Member(number=0, id="c" * 16, inputs={})

    def run(stop: Callable[[], bool], own: Path = folder) -> dict[str, bytes]:
        case = solver.prepare(member, WORLD, own)
        solver.run(case, stop)
        return {name: one.tobytes() for name, one in solver.extract(case).fields.items()}

    (folder / "undisturbed").mkdir(exist_ok=True)
    right = run(lambda: False, folder / "undisturbed")
    stopped(run, folder)
    assert run(lambda: False) == right
    assert not (folder / IGNORED).exists()
