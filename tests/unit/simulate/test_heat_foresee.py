"""What the heat solver says of members before they are solved."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from forgia_hpc.config.compose import compose_job
from forgia_hpc.errors import InputError
from forgia_hpc.schema.job import Kind, SimulateJob
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.heat.solver import HeatSolver
from forgia_hpc.simulate.members import numbered

PROCESS = 200 << 20


def opened(*words: str) -> tuple[HeatSolver, dict[str, float]]:
    job = compose_job(Kind.simulate, ["solver=heat_box", "ensemble=box_sobol", *words])
    assert isinstance(job, SimulateJob)
    solver = HeatSolver(job.solver)
    return solver, {one.name: float(one.default or 0.0) for one in solver.inputs()}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("cfl=0.9", ""),
        ("step_s=1e-3", ""),
        ("step_s=1000", "longer than the explicit scheme is stable"),
        ("shape=[2,2]", "at most one a cell: the mesh has 4"),
    ],
)
def test_it_refuses_before_it_is_run(word: str, said: str) -> None:
    solver, inputs = opened(f"solver.options.{word}")
    found = solver.refuses(inputs, ranks=5)
    assert said in found
    assert bool(said) == bool(found)


def refused(*words: str) -> list[tuple[str, object, str, str]]:
    with pytest.raises(InputError) as caught:
        opened(*words)
    return [(one.field, one.got, one.limit, one.fix) for one in caught.value.problems]


@pytest.mark.parametrize(
    ("word", "field", "got", "limit", "fix"),
    [
        ("cfl=2", "cfl", 2.0, "above 0, at most 1", "scheme=implicit"),
        ("backend=fortran", "backend", "fortran", "no such word", "auto, numpy, numba, torch"),
        ("scheme=leapfrog", "scheme", "leapfrog", "no such word", "explicit, implicit"),
        ("end_s=30 kg", "end_s", "30 kg", "a unit like s is needed", ""),
        ("end_s=soon", "end_s", "soon", "a number is needed", ""),
        ("frames=many", "frames", "many", "a whole number is needed", ""),
        ("shape=32", "shape", 32, "a list is needed", "[32, 32]"),
        ("lengths=0.1", "lengths", 0.1, "a list is needed", "[0.1, 0.1]"),
        ("boundaries=cold", "boundaries", "cold", "a mapping is needed", ""),
    ],
)
def test_an_option_is_refused_by_its_name(
    word: str, field: str, got: object, limit: str, fix: str
) -> None:
    found = refused(f"solver.options.{word}")
    assert [one[:2] for one in found] == [(f"solver.options.{field}", got)]
    assert limit in found[0][2]
    assert fix in found[0][3]


@pytest.mark.parametrize(
    ("written", "seconds"), [("40 min", 2400.0), ("40min", 2400.0), ("0.5 h", 1800.0), ("7", 7.0)]
)
def test_a_number_of_the_options_may_have_a_unit(written: str, seconds: float) -> None:
    assert opened(f"solver.options.end_s='{written}'")[0].problems.options.end_s == seconds


@pytest.mark.parametrize(("scheme", "share"), [("explicit", 0.25), ("implicit", 1.0)])
def test_a_finer_mesh_takes_a_shorter_explicit_step(scheme: str, share: float) -> None:
    solver, inputs = opened("solver.options.step_s=0.04", f"solver.options.scheme={scheme}")
    coarse, fine = (solver.problems.case(inputs, level).step_s for level in (0, 1))
    assert (coarse, fine) == (0.04, 0.04 * share)


@pytest.mark.parametrize("level", [0, 1])
def test_a_member_keeps_to_the_memory_that_was_told(level: int, tmp_path: Path) -> None:
    solver, inputs = opened("solver.options.end_s=1", "solver.options.frames=40")
    member = numbered(0, inputs, "", "train", level)
    # once unseen: what numba compiles or loads is the interpreter's, and no member's
    solver.run(solver.prepare(member, Alone(), tmp_path), lambda: False)
    tracemalloc.start()
    case = solver.prepare(member, Alone(), tmp_path)
    solver.run(case, lambda: False)
    solver.extract(case)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    told = solver.memory_bytes(1, level) - PROCESS
    assert told / 2 < peak < told
