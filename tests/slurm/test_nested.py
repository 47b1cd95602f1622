"""Programs that start ranks from inside a step of Slurm's: by srun, and by mpirun, which would ask Slurm."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slurm

ROOT = Path(__file__).resolve().parents[2]
STEP = ("srun", "--partition=boost_usr_prod", "--ntasks=1", "--cpus-per-task=2")
SRUN = '["srun", "--overlap", "--mpi=pmix", "--ntasks=2", "--nodes=1", "--nodelist=@node@"]'
MPIRUN = '["mpirun", "--oversubscribe", "-n", "2"]'

BEGIN = """
import os, pathlib, sys
from fakes.programs import ProgramField, below, gone, program, solved, solver
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.member import MemberError
member = pathlib.Path(sys.argv[1])
words = {"launcher": sys.argv[2], "fields": {"temperature": ProgramField(ucum="K")}}
"""
RANKS = """
one = solver(commands=[[*LAUNCH, sys.executable, "ranks.py"]], **words)
one.check_machine(Alone())
solved(one, member)
print((member / "case/ranks").read_text())
"""
HANG = """
one = solver(commands=[[*LAUNCH, "sh", "deaf.sh"]], wall_s=2.0, **words)
try:
    solved(one, member)
except MemberError as error:
    gone(member)  # srun's ranks are slurmstepd's, which ends them some moments after srun
    print(error.kind, len(below(member)))
"""


def inside_a_step(dev_slurm, directory: Path, launcher: str, code: str) -> str:
    launch = SRUN if launcher == "srun" else MPIRUN
    script = directory / "member.py"
    script.write_text(BEGIN + code.replace("*LAUNCH", f"*{launch}"))
    path = f"{ROOT}:{ROOT / 'tests'}"
    env = {**dev_slurm.env, "PYTHONPATH": path, "OMPI_ALLOW_RUN_AS_ROOT": "1"}
    env |= {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "PATH": os.environ["PATH"]}
    words = [*STEP, sys.executable, script, directory / "member", launcher]
    return dev_slurm.run(words, env=env).stdout.strip()


@pytest.mark.parametrize("launcher", ["mpirun", "srun"])
def test_a_member_of_two_ranks_inside_a_step(dev_slurm, tmp_path, launcher):
    assert inside_a_step(dev_slurm, tmp_path, launcher, RANKS) == "[0, 1]"


@pytest.mark.parametrize("launcher", ["mpirun", "srun"])
def test_a_member_deaf_to_sigterm_inside_a_step_leaves_nobody(dev_slurm, tmp_path, launcher):
    assert inside_a_step(dev_slurm, tmp_path, launcher, HANG) == "timeout 0"
