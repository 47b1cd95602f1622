"""Which rank this process is: from Slurm, torchrun, Open MPI/PMIx or local variables."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from forgia_hpc.errors import InputError, Problem

# A launcher's words for rank, size, rank on the node, ranks on the node. The first whose rank and size are
# both set wins. Plain variables come first: a process that the batch step starts by itself inherits
# SLURM_PROCID=0 from it, and mpirun's daemons inherit the Slurm step's numbers.
_LAUNCHERS = {
    "local": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    "openmpi": (
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    "slurm": ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", ""),
}

# Something that all ranks of one start share and that the next start does not. FORGIA_LAUNCH is the batch step's
# own, and stands alone: mpirun's daemons on other nodes are steps with numbers of their own. Without it, these.
_LAUNCH = (
    "SLURM_JOB_ID",
    "SLURM_RESTART_COUNT",
    "SLURM_STEP_ID",
    "PMIX_NAMESPACE",
    "TORCHELASTIC_RUN_ID",
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """One rank's place among all."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1  # ranks on this node
    node: str = ""
    launcher: str = "none"
    launch: str = ""  # the same in all ranks of one start, another in the next


def find_place(environ: Mapping[str, str]) -> Place:
    """Return the place that the launcher's variables name; rank 0 of 1 where there are none.

    Raises:
        InputError: a variable is no number, or the rank is not below the size.
    """
    node = environ.get("SLURMD_NODENAME") or socket.gethostname()
    launch = environ.get("FORGIA_LAUNCH") or "/".join(environ.get(name, "") for name in _LAUNCH)
    for launcher, names in _LAUNCHERS.items():
        if all(environ.get(name) for name in names[:2]):
            rank, size = (_number(environ, name, None) for name in names[:2])
            local_size = _ranks_here(environ, names[3], size)
            place = Place(
                rank=rank,
                size=size,
                local_rank=_number(environ, names[2], rank % local_size),
                local_size=local_size,
                node=node,
                launcher=launcher,
                launch=launch,
            )
            return _checked(place, names)
    return Place(node=node, launch=launch)


def _checked(place: Place, names: tuple[str, ...]) -> Place:
    if not 0 <= place.rank < place.size:
        raise InputError(
            Problem(
                field=names[0],
                got=place.rank,
                limit=f"0 to {place.size - 1}",
                where=f"{names[1]}={place.size}",
                fix="start all ranks with one launcher",
            )
        )
    return place


def _ranks_here(environ: Mapping[str, str], name: str, size: int) -> int:
    if name:
        return _number(environ, name, size)
    # Slurm writes "2(x3),1": two ranks on each of three nodes, then one. Ranks of a step are even with us.
    nodes = _number(environ, "SLURM_STEP_NUM_NODES", 1)
    return max(1, -(-size // nodes))


def _number(environ: Mapping[str, str], name: str, missing: int | None) -> int:
    text = environ.get(name, "")
    if not text and missing is not None:
        return missing
    try:
        return int(text)
    except ValueError:
        raise InputError(
            Problem(field=name, got=text, limit="a whole number", where="the environment")
        ) from None
