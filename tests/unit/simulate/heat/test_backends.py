"""NumPy, numba and torch give the same bits; on four ranks too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.heat_cases import BOILING, CASES, STEEL, box, voxels

from forgia_hpc.errors import InputError
from forgia_hpc.simulate.heat.case import (
    Box,
    Case,
    Convection,
    Fixed,
    Flux,
    OfPlace,
    Radiation,
    Symmetry,
    constant_material,
    solve,
)
from forgia_hpc.simulate.heat.compiled import ROOT, _folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep torch's threads from waiting for each other where others use the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


COLD = Convection(h=500.0, ambient=20.0)
SIDES = ("x-", "x+", "y-", "y+", "z-", "z+")
ALIKE = dict.fromkeys(SIDES, COLD)
BOX = box(boundaries=ALIKE, source=None)
MIXED = {
    **ALIKE,
    "x-": Flux(into=1e4),
    "x+": (Flux(into=-3e4), Radiation(emissivity=0.3, ambient=OfPlace(function=lambda t, at: 20 + t + 9 * at[0]))),
    "y-": Fixed(temperature=OfPlace(function=lambda t, at: 500 + 100 * at[0] + 0 * at[2])),
    "z+": Convection(h=BOILING, ambient=lambda t: 25.0 + t),
}  # fmt: skip
WALLS = {  # where compiled walls take another way than CASES: all sides linear, held, or of all kinds
    "numbers": BOX,
    "held": replace(BOX, boundaries=dict.fromkeys(SIDES, Fixed(temperature=20.0))),
    "held, tables": replace(BOX, material=STEEL, boundaries={**ALIKE, "x-": Fixed(temperature=20.0)}),
    "insulated and fed": replace(
        BOX, boundaries={**ALIKE, "x-": Convection(h=0.0, ambient=20.0), "z-": (Flux(into=3.0), Flux(into=4.0))}
    ),
    "of time": replace(BOX, boundaries={**ALIKE, "x-": Convection(h=90.0, ambient=lambda t: 20.0 + t)}),
    "of place": replace(BOX, material=STEEL, boundaries=MIXED),
    "a bar": Case(
        grid=Box(shape=(19,), lengths=(0.1,)),
        material=constant_material(30.0, 3.9e6),
        boundaries={"x-": Symmetry(), "x+": (COLD, Flux(into=-50.0))},
        initial=700.0,
        end_s=30.0,
        save_times=(10.0, 20.0),
    ),
    "stairs": voxels(material=constant_material(30.0, 3.9e6), boundaries={"surface": (COLD, Flux(into=-100.0))}),
}  # fmt: skip


@pytest.mark.parametrize("scheme", ["explicit", "implicit"])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", WALLS)
def test_walls_in_one_call_give_numpys_bits_and_books(name: str, dtype: str, scheme: str) -> None:
    words = {} if scheme == "explicit" else {"scheme": scheme, "cfl": 4.0}
    case = replace(WALLS[name], dtype=dtype, **words)
    right, got = (solve(replace(case, backend=one)) for one in ("numpy", "numba"))
    assert got.temperature.tobytes() == right.temperature.tobytes()
    assert {**got.facts, "seconds": 0} == {**right.facts, "seconds": 0}


def test_what_members_share_is_not_mixed_up() -> None:
    """Meshes, materials and precisions take turns; each gives what it gave at first."""
    cases = [
        replace(WALLS[name], dtype=dtype, backend=backend)
        for name in ("numbers", "held, tables", "a bar", "stairs")
        for dtype, backend in (("f64", "numba"), ("f32", "numba"), ("f64", "numpy"))
    ]
    first, again = ([solve(case).temperature.tobytes() for case in cases] for _ in range(2))
    assert first == again


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", CASES)
def test_explicit_bits_are_numpys(name: str, dtype: str, backend: str) -> None:
    right = solve(CASES[name](dtype=dtype))
    got = solve(CASES[name](dtype=dtype, backend=backend))
    assert (
        got.temperature.dtype
        == right.temperature.dtype
        == {"f64": np.float64, "f32": np.float32}[dtype]
    )
    assert got.temperature.tobytes() == right.temperature.tobytes()
    assert {**got.facts, "seconds": 0} == {**right.facts, "seconds": 0}


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("name", ["box", "voxels"])
def test_implicit_bits_are_numpys(name: str, backend: str) -> None:
    words = {"scheme": "implicit", "cfl": 5.0}
    right, got = (solve(CASES[name](backend=one, **words)) for one in ("numpy", backend))
    assert got.temperature.tobytes() == right.temperature.tobytes()


def test_float32_stays_near_float64() -> None:
    for name, case in CASES.items():
        wide, narrow = (solve(case(dtype=one, backend="numba")) for one in ("f64", "f32"))
        off = np.abs(wide.temperature - narrow.temperature).max()
        assert 0 < off < 0.05, name  # of 850 °C


def test_no_gpu_is_said_in_one_line() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(InputError, match="device: got 'cuda', no GPU that torch can use is here"):
        solve(box(backend="torch", device="cuda"))


def test_four_ranks_give_the_bits_of_one(tmp_path: Path) -> None:
    script = tmp_path / "ranks.py"
    script.write_text(_RANKS)
    mpi = ("OMPI_", "PMIX_", "PMI_", "ORTE_", "OPAL_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(mpi)}
    env |= {
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_mpi_yield_when_idle": "1",
        "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
        "OMP_NUM_THREADS": "1",
    }
    command = ["mpirun", "--oversubscribe", "-n", "4", sys.executable, str(script)]
    ended = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.count("the same") == 4


_RANKS = """
import numpy as np
from mpi4py import MPI
from fakes.heat_cases import CASES
from forgia_hpc.simulate.heat.case import (
    Box,
    Case,
    Convection,
    Fixed,
    Flux,
    OfPlace,
    Radiation,
    Symmetry,
    constant_material,
    solve,
)
for case in CASES.values():
    shared, alone = solve(case(), MPI.COMM_WORLD), solve(case())
    own = np.ascontiguousarray(alone.temperature[(slice(None), *shared.where)])
    assert shared.temperature.tobytes() == own.tobytes()
    assert shared.temperature[0].size < alone.temperature[0].size
print("the same", flush=True)
"""


def test_compiled_kernels_lie_where_nobody_else_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT, str(tmp_path / "own"))
    folder = _folder()
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert _folder() == folder
    folder.chmod(0o770)
    assert _folder() is None  # another could have put machine code there
    monkeypatch.setenv(ROOT, "/proc/nothing")
    assert _folder() is None  # none can be made: each process compiles for itself
