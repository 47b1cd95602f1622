"""Saves checkpoints one after another and says each on stdout once it is committed: `saving.py RUN MB`."""

from __future__ import annotations

import sys
from pathlib import Path

from forgia_hpc.errors import JobFailedError
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.checkpoint import Checkpoints
from forgia_hpc.runtime.place import Place
from forgia_hpc.runtime.world import World
from forgia_hpc.runtime.writer import Writer


def alone() -> World:
    def no_wire() -> None:
        raise AssertionError("one rank needs no wire")

    return World(Place(), no_wire)  # type: ignore[arg-type]


def write_files(step: int, size: int) -> object:
    def write(writer: Writer) -> None:
        for number in range(4):
            folder = writer.directory / "state"
            writer.make_directory(folder)
            with writer.file(folder / f"{number}.bin") as opened:
                for _ in range(8):
                    opened.write(bytes([step % 256]) * (size // 32))

    return write


def main() -> int:
    run, size = RunDir(Path(sys.argv[1])), int(float(sys.argv[2]) * 1e6)
    checkpoints = Checkpoints(run, alone(), keep=2)
    newest = checkpoints.newest()
    step = newest.step if newest else 0
    while True:
        step += 1
        try:
            checkpoints.save(step, {"loss": 0.5}, write_files(step, size))  # type: ignore[arg-type]
        except JobFailedError as error:
            sys.stderr.write(f"{error}\n")
            return int(error.exit_code)
        sys.stdout.write(f"{step}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
