"""Start a launcher that ends with the process that started it: `python -m forgia_hpc.node.followed PARENT ARGV…`.

mpirun outlives a batch step that is killed, and its ranks go on: for nobody. SIGTERM makes it end them, on other
nodes too. The kernel's promise is kept over exec, so no process of ours stays between.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

from forgia_hpc.errors import ExitCode

PR_SET_PDEATHSIG = 1


def followed_argv(argv: Sequence[str]) -> list[str]:
    """Return the words that start `argv` as a child that ends with this process."""
    return [sys.executable, "-m", "forgia_hpc.node.followed", str(os.getpid()), *argv]


def follow(parent: int, number: signal.Signals) -> None:
    """Ask the kernel for a signal at the parent's death; end at once where it is dead already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before the kernel knew our wish
        sys.exit(ExitCode.JOB_FAILED)


if __name__ == "__main__":
    follow(int(sys.argv[1]), signal.SIGTERM)
    os.execvp(sys.argv[2], sys.argv[2:])
