"""The whole verification suite, ranks included, as a user runs it; and a case solved by two ranks together."""

from __future__ import annotations

import json
import os
import sys

import pytest

from forgia_hpc import process
from forgia_hpc.simulate.verification.suite import CASES

pytestmark = pytest.mark.ranks

_ON_RANKS = """
from mpi4py import MPI
from forgia_hpc.simulate.verification.figures import How
from forgia_hpc.simulate.verification.suite import chosen, verify
for one in verify(chosen(["V7", "V11"]), How(ranks=MPI.COMM_WORLD)):
    assert one.figures and one.passed, one
print("met", MPI.COMM_WORLD.size)
"""


def test_every_figure_meets_its_target(forgia) -> None:
    done = forgia("verify", "--json", timeout_s=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert [case["name"] for case in found["cases"]] == [case.name for case in CASES]
    assert [case["name"] for case in found["cases"] if case["skipped"]] == []


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_other_backends_meet_the_same_targets(forgia, backend) -> None:
    pytest.importorskip(backend)
    done = forgia("verify", "--quick", "--json", "--backend", backend, timeout_s=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_two_ranks_meet_the_targets_together() -> None:
    argv = ["mpirun", "--oversubscribe", "-n", "2", sys.executable, "-c", _ON_RANKS]
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    path = {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    answer = process.run(
        argv, timeout_s=300, env={**root, **path, "OMPI_MCA_mpi_yield_when_idle": "1"}
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert sorted(answer.stdout.split()) == ["2", "2", "met", "met"]
