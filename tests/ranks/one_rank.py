"""One rank of a training, as node.entry starts it, without the seal around it: `one_rank.py RUN`."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from forgia_hpc.errors import ForgiaError
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.leave import leave
from forgia_hpc.runtime.rendezvous import attempt
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import open_world
from forgia_hpc.schema.load import load_job
from forgia_hpc.train.run import train


def main() -> int:
    run = RunDir(Path(sys.argv[1]))
    job = load_job(run.config)
    try:
        with StopFlag(run, attempt(), poll_s=0.0) as stop, open_world(run) as world:
            train(job, run, world, stop)  # type: ignore[arg-type]
    except ForgiaError as error:
        sys.stderr.write(f"forgia: {error}\n")
        return error.exit_code
    except Exception:  # noqa: BLE001 - as node.entry does
        traceback.print_exc()
        return 3
    return 0


if __name__ == "__main__":
    leave(main())
