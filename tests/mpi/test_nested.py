"""Programs that start MPI themselves, from inside a process of MPI's: one member of a group of any size."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.pages import examples
from fakes.programs import MEMBER, below, solved, solver
from mpi4py import MPI

from forgia_hpc import process
from forgia_hpc.errors import InputError
from forgia_hpc.schema.program import ProgramField
from forgia_hpc.schema.simulation import Solver, SolverKind
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.member import MemberError
from forgia_hpc.simulate.nested import probe, scrubbed
from forgia_hpc.simulate.solvers import open_solver

pytestmark = pytest.mark.mpi

WORLD = MPI.COMM_WORLD
ANY = {"temperature": ProgramField(ucum="K")}


@pytest.fixture
def directory() -> Path:
    """One directory for all ranks."""
    own = tempfile.mkdtemp(prefix="forgia-nested-") if WORLD.rank == 0 else ""
    return Path(WORLD.bcast(own)) / "member"


def test_mpirun_starts_nothing_with_our_own_variables_and_starts_without_them():
    answer = process.run(["mpirun", "-n", "1", "true"], timeout_s=30)
    launched = "OMPI_COMM_WORLD_RANK" in os.environ
    assert (answer.returncode != 0) == launched, answer.stderr
    found = probe("mpirun")
    assert found.works, found.said
    assert probe("mpirun") is found  # asked once


def test_what_a_site_set_for_open_mpi_stays(monkeypatch):
    monkeypatch.setenv("OMPI_MCA_btl", "self,vader")
    kept = scrubbed(os.environ)
    assert kept["OMPI_MCA_btl"] == "self,vader"
    assert not [
        name for name in kept if name.startswith(("OMPI_COMM_WORLD", "PMIX", "OMPI_MCA_orte"))
    ]


def test_a_program_of_as_many_ranks_as_its_group(directory: Path):
    commands = [["mpirun", "--oversubscribe", "-n", "@ranks@", sys.executable, "ranks.py"]]
    one = solver(commands=commands, launcher="mpirun", fields=ANY)
    one.check_machine(WORLD)
    output, findings = solved(one, directory, ranks=WORLD)
    assert (directory / "case/ranks").read_text() == str(list(range(WORLD.size)))
    assert output.fields["temperature"].shape == (1, 4 if WORLD.rank == 0 else 0)
    assert sum(WORLD.allgather(output.fields["temperature"].size)) == 4
    assert all(one.passed for one in findings.values())


def test_all_ranks_hear_of_a_failure_and_of_its_reason(directory: Path):
    with pytest.raises(MemberError, match="killed by SIGSEGV"):
        solved(solver("segfault.sh"), directory, ranks=WORLD)
    coarse = solver(templates="fakes.program:coarse", commands=[["sh", "fixed.sh"]])
    with pytest.raises(InputError, match="can't be made finer"):
        solved(coarse, directory, ranks=WORLD, level=1)
    assert WORLD.allreduce(1) == WORLD.size  # and none waits for another


def test_an_mpi_program_that_hangs_is_ended_with_all_its_ranks(directory: Path):
    commands = [["mpirun", "--oversubscribe", "-n", "2", "sh", "hang.sh"]]
    began = time.monotonic()
    with pytest.raises(MemberError) as caught:
        solved(solver(commands=commands, wall_s=1.5), directory, ranks=WORLD)
    assert caught.value.kind == "timeout"
    assert time.monotonic() - began < 15
    assert not below(directory)


def test_ranks_that_wait_for_a_program_leave_it_the_cores(directory: Path):
    before = time.process_time()
    with pytest.raises(MemberError):
        solved(solver("hang.sh", wall_s=2.0), directory, ranks=WORLD)
    assert time.process_time() - before < 1.0


def test_the_class_of_the_documentation_gives_the_same_bytes_on_every_number_of_ranks(
    directory: Path, monkeypatch: pytest.MonkeyPatch
):
    if WORLD.rank == 0:
        examples("solvers.md", directory)
    WORLD.barrier()
    monkeypatch.syspath_prepend(str(directory))
    words = Solver(
        name="slab", kind=SolverKind.python, family="my_slab:Slab", options={"number": 0.4}
    )
    member = replace(MEMBER, inputs={"left": 300.0, "right": 500.0})
    found = []
    for ranks in (Alone(), WORLD):
        one = open_solver(words)
        case = one.prepare(member, ranks, directory)
        one.run(case, lambda: False)
        output = one.extract(case)
        assert all(finding.passed for finding in one.check(case, output))
        found.append(output)
    alone, together = found
    assert np.array_equal(
        alone.fields["temperature"][:, together.where[0]], together.fields["temperature"]
    )
    cells = together.where[0].stop - together.where[0].start
    assert WORLD.allreduce(cells) == 48
