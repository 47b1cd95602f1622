"""A group that writes members of a block together, journals each, and is killed while it writes the sixth."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
from fakes.simulated import schema
from mpi4py import MPI

from forgia_hpc.simulate.block_files import Row
from forgia_hpc.simulate.collective import Together
from forgia_hpc.simulate.member import Output

WORLD = MPI.COMM_WORLD
STEPS, MEMBERS, LAST = 6, 8, 5


class Dying(Together):
    """Killed with its cells in the file, and nothing flushed."""

    member = 0

    def _write(self, *given):  # type: ignore[no-untyped-def]
        parts = super()._write(*given)
        if self.member == LAST:
            WORLD.barrier()
            os.kill(os.getpid(), signal.SIGKILL)
        return parts


def main(folder: Path) -> None:
    words = schema(8, 32)
    half = slice(4 * WORLD.rank, 4 * WORLD.rank + 4)
    with Dying(WORLD, folder, words) as together:
        for number in range(MEMBERS):
            together.member = number
            rng = np.random.default_rng([number, WORLD.rank])
            fields = {}
            for one in words.fields:
                shape = list(one.shape(words.grid, STEPS))
                shape[one.time_varying] = 4
                fields[one.name] = rng.uniform(1, 9, shape)
            signals = {"bath": np.full(STEPS, number + 0.5)}
            own = Output(
                fields=fields,
                where=(half, slice(None)),
                times=np.arange(STEPS) * 1.0,
                signals=signals,
            )
            row = Row("a", "a.h5", MEMBERS, number) if WORLD.rank == 0 else None
            kept = together.put(row, own, passed=True)
            assert kept is not None
            if WORLD.rank == 0:
                with (folder / "journal").open("a") as journal:
                    journal.write(json.dumps({"member": number, **kept.line}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
