"""Groups over another MPI: run by a Python whose mpi4py takes PyPI's MPICH; PATH has the default one."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.campaign.bed import Bed, account, ended, lines, log, told
from fakes.campaign.default import by_default

from forgia_hpc.errors import ExitCode
from forgia_hpc.node.mpirun import family

pytestmark = pytest.mark.mpich

PAIRS = ("resources.ranks_per_node=4", "ensemble.ranks_per_member=2")


def test_two_groups_over_mpich_make_the_dataset_of_the_default_environment(tmp_path: Path) -> None:
    assert family() == "hydra"
    members = ("ensemble.members=12", "ensemble.shard_members=5", "ensemble.refine_share=0.1")
    bed = Bed(tmp_path / "mpich")
    run = bed.seal(*members, *PAIRS)
    assert ended(run, 240) == ExitCode.OK, log(run)
    assert (told(run)["admitted"], told(run)["refined"]) == (12, 1)
    assert {line["sums"]["times"] for line in lines(run, "solved")}
    version, content = by_default(tmp_path / "gather", *members, "resources.ranks_per_node=1")
    assert bed.version() == version
    assert bed.bytes() == content


def test_a_death_over_mpich_is_called_by_its_name(tmp_path: Path) -> None:
    """Hydra's exit code of a segfault is 11, as a program's that has ended with 11."""
    bed = Bed(tmp_path)
    bed.table(6, {1: "segfault", 3: "exit", 4: "raise"})
    run = bed.seal("resources.ranks_per_node=2", "ensemble.ranks_per_member=2", table=True)
    assert ended(run, 240) == ExitCode.OK, log(run)
    assert (told(run)["admitted"], told(run)["poison"]) == (3, 3)
    assert account(run)["failures"] == {"SIGSEGV": 2, "ValueError": 2, "exit 7": 2}
