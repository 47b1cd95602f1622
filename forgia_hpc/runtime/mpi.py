"""The wire over mpi4py, for workloads that are MPI programs anyway; only where asked."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.place import Place


class MpiWire:
    """Started under `mpirun` or `srun --mpi=pmix`. Importing this module starts MPI."""

    def __init__(self, place: Place, run: RunDir) -> None:
        """Join MPI's world.

        Raises:
            InputError: MPI sees another number of ranks than the launcher named (srun without --mpi=pmix).
        """
        self.communicator: Any = MPI.COMM_WORLD
        if self.communicator.size != place.size:
            raise InputError(
                Problem(
                    field="launch",
                    got=f"{self.communicator.size} MPI ranks",
                    limit=f"{place.size} were started for {run.name}",
                    where=place.launcher,
                    fix="start them with mpirun, or with srun --mpi=pmix",
                )
            )

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the element-wise sum over all ranks."""
        own = np.ascontiguousarray(values)
        total = np.empty_like(own)
        self.communicator.Allreduce(own, total, op=MPI.SUM)
        return total

    def share(self, text: str) -> str:
        """Return rank 0's text."""
        return str(self.communicator.bcast(text, root=0))

    def collect(self, text: str) -> list[str]:
        """Return every rank's text."""
        return [str(each) for each in self.communicator.allgather(text)]

    def close(self) -> None:
        """Do nothing: MPI is finalised when the process ends (runtime/leave.py)."""
