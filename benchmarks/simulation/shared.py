"""What the benchmarks of this folder share: facts of the machine, medians, results, and how they are told."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
PACKAGES = ("numpy", "numba", "h5py", "mpi4py")


def machine() -> dict[str, Any]:
    """Return what the figures hang on."""
    words = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--abbrev=7"]
    commit = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    cpu = next(
        (
            line.partition(": ")[2]
            for line in _lines("/proc/cpuinfo")
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    mpi = subprocess.run(
        ["mpirun", "--version"], capture_output=True, text=True, check=False
    ).stdout
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "mpi": mpi.partition("\n")[0],
        "commit": commit,
        "load_at_start": os.getloadavg()[0],
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def command() -> list[str]:
    """Return the command line, less the folders of whoever ran it."""
    own = Path(sys.argv[0]).resolve().relative_to(CHECKOUT)
    return [
        "python",
        str(own),
        *(Path(word).name if "/" in word else word for word in sys.argv[1:]),
    ]


def median(values: Sequence[float]) -> float:
    """Return the median, four digits of it."""
    return float(f"{statistics.median(values):.4g}")


def scrubbed(**own: str) -> dict[str, str]:
    """Return an environment for mpirun: nobody else's MPI or run in it, a thread a rank."""
    foreign = ("OMPI_", "PMIX_", "PMI_", "SLURM_", "FORGIA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return {**kept, **threads, **(root if os.geteuid() == 0 else {}), **own}


def keep(path: Path | None, results: dict[str, Any]) -> None:
    """Write what there is so far, with the load as it is now."""
    if path:
        told = {**results, "machine": {**results["machine"], "load_at_end": os.getloadavg()[0]}}
        path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def say(line: str) -> None:
    """Print: a benchmark is its own CLI."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
