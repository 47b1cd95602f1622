"""A small member: our solver's words for it, and how somebody without a campaign solves one and keeps it.

    mpirun -n RANKS python member.py NUMBER FILE

16^3 cells, 24 explicit steps, a constant material, convection on six sides; start and end are kept, float32. What
`solve` does is what a campaign asks of the solver (prepare, run, extract, check); then the first rank writes the
numbers into an HDF5 file made before, and flushes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from forgia_hpc.schema.simulation import Solver as Words
from forgia_hpc.simulate.heat.solver import HeatSolver
from forgia_hpc.simulate.member import Member

CELLS, END_S = 16, 18.0  # 24 steps of 0.9 of the longest, whatever the transfer
LOWS, HIGHS = (800.0, 100.0), (950.0, 1000.0)  # °C at the start, W/(m2 K)


def options(cells: int = CELLS, end_s: float = END_S, frames: int = 2) -> dict[str, Any]:
    """Return solver.options."""
    side = {"law": "convection", "h": "transfer", "ambient": 20}
    return {
        "geometry": "box",
        "shape": [cells] * 3,
        "lengths": [0.1] * 3,
        "material": {"density": 7850, "conductivity": 30, "specific_heat": 500},
        "initial": "initial",
        "boundaries": {f"{axis}{end}": side for axis in "xyz" for end in "-+"},
        "end_s": end_s,
        "frames": frames,
    }


def member(number: int, of: int) -> Member:
    """Return one of an even row of members."""
    share = number / max(1, of - 1)
    start, transfer = (low + share * (high - low) for low, high in zip(LOWS, HIGHS, strict=True))
    inputs = {"initial": start, "transfer": transfer}
    return Member(number=number, id=f"{number:016x}", inputs=inputs)


def opened(words: dict[str, Any] | None = None) -> HeatSolver:
    """Return the solver."""
    return HeatSolver(Words(options=words or options()))


@contextmanager
def file_of(path: Path, rows: int, root: bool) -> Iterator[Any]:
    """Give a file with room for so many members; nothing where not the first rank asks."""
    if not root:
        yield None
        return
    with h5py.File(path, "w") as file:
        file.create_dataset("temperature", (rows, 2, *(CELLS,) * 3), "<f4", fillvalue=np.nan)
        file.create_dataset("times", (rows, 2), "<f8", fillvalue=np.nan)
        yield file


def solve(solver: HeatSolver, one: Member, ranks: Any, file: Any, row: int) -> bool:
    """Solve a member and keep it; return whether its checks passed."""
    case = solver.prepare(one, ranks, Path())
    solver.run(case, lambda: False)
    output = solver.extract(case)
    findings = solver.check(case, output)
    pieces = ranks.gather((output.where, output.fields["temperature"]))
    if pieces is not None:
        whole = np.full((2, *(CELLS,) * 3), np.nan, "<f4")
        for where, values in pieces:
            whole[(slice(None), *where)] = values
        file["temperature"][row], file["times"][row] = whole, output.times
        file.flush()
    return all(finding.passed for finding in findings)


def main() -> None:
    """Solve one member on all ranks of this MPI world."""
    from mpi4py import MPI  # noqa: PLC0415 - importing it starts MPI

    number, path = sys.argv[1:]
    ranks = MPI.COMM_WORLD
    with file_of(Path(path), 1, ranks.rank == 0) as file:
        assert solve(opened(), member(int(number), 1000), ranks, file, 0)


if __name__ == "__main__":
    main()
