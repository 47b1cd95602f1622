"""The words of mpirun: Open MPI's, and Hydra's, which MPICH and Intel MPI bring."""

from __future__ import annotations

import functools
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from forgia_hpc import process

_ASK_S = 30
# Two mpirun of one node would each bind their first rank to the first core.
_OPEN_MPI = ("--bind-to", "none", "--oversubscribe")
_HYDRA = ("-bind-to", "none")  # any number of ranks on a core is fine with it
_DIED = re.compile(r"TERMINATED WITH THE EXIT STRING: (?P<how>.+)")


def group_argv(ranks: int, hosts: Mapping[str, int]) -> list[str]:
    """Return how one group of ranks is started, beside others of its kind.

    hosts: node → ranks there; empty: all of them here.
    """
    own = {"open_mpi": _OPEN_MPI, "hydra": _HYDRA}.get(family(), ())
    places = ",".join(f"{node}:{count}" for node, count in hosts.items())
    word = "-hosts" if family() == "hydra" else "--host"
    return ["mpirun", "-np", str(ranks), *own, *([word, places] if places else [])]


def nodes_of_job() -> tuple[str, ...]:
    """Return the nodes of our allocation in Slurm's order; none outside of Slurm."""
    if (told := os.environ.get("SLURM_JOB_NODELIST")) is None:
        return ()
    asked = ["scontrol", "show", "hostnames", told]
    return tuple(process.run(asked, timeout_s=_ASK_S).stdout.split())


@functools.cache
def family() -> str:
    """Return whose mpirun the ranks get: `open_mpi`, `hydra`, or nothing for one that we don't know."""
    # as the ranks' PATH has it: beside the interpreter, where the wheels of an MPI put theirs, comes first
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    program = shutil.which("mpirun", path=path)
    return (
        family_of(process.run([program, "--version"], timeout_s=_ASK_S).stdout) if program else ""
    )


def family_of(version: str) -> str:
    """Return the same by what `mpirun --version` says."""
    if "Open MPI" in version or "OpenRTE" in version:
        return "open_mpi"
    return "hydra" if "HYDRA" in version or "Intel(R) MPI" in version else ""


def hydra_death(said: Sequence[str]) -> str:
    """Return how the first rank died, in Hydra's words; nothing where it did not say so.

    Its exit code tells nothing: SIGSEGV and exit(11) are both 11.
    """
    found = (_DIED.search(line) for line in said)
    return next((one["how"] for one in found if one), "")
