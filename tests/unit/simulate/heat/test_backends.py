"""NumPy, numba and torch give the same bits; on four ranks too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.heat_cases import CASES, box

from forgia_hpc.errors import InputError
from forgia_hpc.simulate.heat.case import solve
from forgia_hpc.simulate.heat.compiled import ROOT, _folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep torch's threads from waiting for each other where others use the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
from forgia_hpc.simulate.heat.case import solve
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
