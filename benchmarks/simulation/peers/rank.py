"""One rank of one way, in the environment this runs in; README.md beside this says what a driver is.

    mpirun -n RANKS ENVIRONMENT/bin/python rank.py DRIVER WAY CELLS

Compares the way with the exact solution, says one JSON line of facts, and then answers each line of stdin, a
number of steps, with one JSON line: wall and CPU seconds of that many steps, of the slowest rank. Between passes
no rank waits inside MPI, where it would turn at full speed on a core that another way needs.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from mpi4py import MPI

sys.path.insert(0, str(Path(__file__).parent))
WORLD = MPI.COMM_WORLD
COMPARED = 49  # steps of the pass that is compared: a multiple of 16, and one


def quietly() -> None:
    """Wait for all ranks without turning."""
    request = WORLD.Ibarrier()
    while not request.Test():
        time.sleep(0.004)


def told() -> int:
    """Return the steps that the first rank is asked for; 0: no more."""
    line = sys.stdin.readline() if WORLD.rank == 0 else ""
    quietly()
    return int(WORLD.bcast(int(line) if line.strip() else 0))


def measure(way: Any, steps: int) -> dict[str, float]:
    """Return one pass."""
    WORLD.Barrier()
    cpu = time.process_time()
    found: dict[str, float] = way.run(steps)
    own = {"cpu_s": time.process_time() - cpu, **found}
    every = WORLD.allgather(own)
    return {name: max(one[name] for one in every) for name in own}


def main() -> None:
    """Serve until stdin ends; what a library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    name, word, cells = sys.argv[1:]
    driver = importlib.import_module(name)
    way = driver.Way(word, int(cells), WORLD)
    facts = {"warm": measure(way, COMPARED), **way.compared()}
    versions = {one: importlib.metadata.version(one) for one in driver.PACKAGES}
    facts["versions"] = {**versions, "python": platform.python_version()}
    while True:
        if WORLD.rank == 0:
            answers.write(json.dumps(facts) + "\n")
            answers.flush()
        steps = told()
        if not steps:
            return
        facts = measure(way, steps)


if __name__ == "__main__":
    main()
