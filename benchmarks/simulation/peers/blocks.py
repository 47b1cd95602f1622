"""executorlib's block mode: workers that live on, members as futures.

    ENVIRONMENT/bin/python blocks.py MEMBERS WORKERS RANKS FOLDER

Our solver, the same members. A worker opens solver and file once (`init_function`) and keeps them. One JSON line:
what the members took by the clock, once every worker had solved some.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from executorlib import SingleNodeExecutor

PACKAGES = ("executorlib", "mpi4py", "numpy", "h5py", "numba")
WARM = 20  # members a worker
_OPEN: dict[str, Any] = {}


def solve_one(number: int, of: int, ranks: int, folder: str) -> bool:
    """Solve a member on this worker's ranks; runs there."""
    import member as members  # noqa: PLC0415

    if ranks > 1:
        from mpi4py import MPI  # noqa: PLC0415

        world: Any = MPI.COMM_WORLD
    else:
        from forgia_hpc.simulate.communicator import Alone  # noqa: PLC0415

        world = Alone()
    if not _OPEN:
        path = Path(folder, f"{os.getpid()}.h5")
        _OPEN["context"] = members.file_of(path, of, world.rank == 0)
        _OPEN["file"] = _OPEN["context"].__enter__()
        _OPEN["solver"] = members.opened()
    one = members.member(number, of)
    return members.solve(_OPEN["solver"], one, world, _OPEN["file"], number)


def main() -> None:
    """Solve some, then measure the rest."""
    count, workers, ranks = (int(word) for word in sys.argv[1:4])
    folder = sys.argv[4]
    with SingleNodeExecutor(
        max_workers=workers, resource_dict={"cores": ranks}, block_allocation=True
    ) as executor:

        def solved(numbers: range) -> int:
            given = (count, ranks, folder)
            futures = [executor.submit(solve_one, number, *given) for number in numbers]
            return sum(bool(one.result()) for one in futures)

        solved(range(WARM * workers))
        began = time.perf_counter()
        passed = solved(range(count))
        told = {"members": passed, "wall_s": time.perf_counter() - began}
    told["versions"] = {name: importlib.metadata.version(name) for name in PACKAGES}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
