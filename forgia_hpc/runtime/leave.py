"""How a rank ends its process."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

from forgia_hpc.errors import ExitCode

_TOGETHER = (ExitCode.OK, ExitCode.STOPPED)  # endings that all ranks reach together


def leave(code: int) -> NoReturn:
    """End this process with `code`, at once, after everything said is in the logs.

    Python would first tear itself down while threads of gloo and torch still run, and one of them in some ten
    trainings then calls std::terminate: a rank that had finished well ended with SIGABRT.
    """
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is not None and code in _TOGETHER and mpi.Is_initialized() and not mpi.Is_finalized():
        mpi.Finalize()  # mpirun calls a rank that leaves without it a failed one, which after an error is right
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
