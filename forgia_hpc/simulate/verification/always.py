"""What must hold whatever is solved: the same on any number of ranks, and no heat lost. V21, V22."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from forgia_hpc import process
from forgia_hpc.errors import JobFailedError
from forgia_hpc.simulate.heat.case import History
from forgia_hpc.simulate.verification.figures import Figure, How
from forgia_hpc.simulate.verification.mixed import mixed_cases
from forgia_hpc.simulate.verification.sampling import solved

Answers = dict[str, dict[str, dict[str, Any]]]  # scheme → case → digest, temperature
RANKS = (1, 2, 3, 4)
_LIMIT_S = 240.0


def balance(how: How) -> Sequence[Figure]:
    """V22: heat content against what walls, sources and phases gave, per step and relative to the content."""
    return [
        Figure(
            name=f"{name}, {scheme}",
            got=solved(case, how).facts["energy_residual"],
            target=1e-12,
            kind="most",
        )
        for scheme in ("explicit", "implicit")
        for name, case in mixed_cases(scheme)
    ]


def invariance(how: How) -> Sequence[Figure]:
    """V21: three cases under MPI on 1 to 4 ranks. Explicit: equal bits. Implicit: equal to 1e-12."""
    with tempfile.TemporaryDirectory(prefix="forgia-verify-") as folder:
        found = {ranks: _on_ranks(ranks, how, Path(folder)) for ranks in RANKS}
    figures = []
    for name in found[1]["explicit"]:
        digests = {found[ranks]["explicit"][name]["digest"] for ranks in RANKS}
        figures.append(
            Figure(name=f"{name}, explicit: different answers", got=len(digests) - 1.0, target=0.0)
        )
    for name in found[1]["implicit"]:
        one = found[1]["implicit"][name]["temperature"]
        worst = max(
            _difference(one, found[ranks]["implicit"][name]["temperature"]) for ranks in RANKS
        )
        figures.append(Figure(name=f"{name}, implicit", got=worst, target=1e-12, kind="most"))
    return figures


def _difference(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the largest difference, relative to the largest value."""
    a, b = np.array(one), np.array(other)
    return float(np.max(np.abs(a - b)) / np.max(np.abs(a)))


def why_not(how: How) -> str:
    """Return why ranks can't be started here, or nothing."""
    if how.ranks.size > 1:
        return "starts its own ranks: run it from one process"
    return "" if shutil.which("mpirun") else "no mpirun on PATH"


def _on_ranks(ranks: int, how: How, folder: Path) -> Answers:
    """Solve the cases on so many ranks; return digest or temperatures by scheme and case.

    Raises:
        JobFailedError: the ranks died; with the last they said.
    """
    into = folder / f"{ranks}.json"
    program = [sys.executable, "-m", __name__, str(into), how.backend, how.device]
    argv = ["mpirun", "--oversubscribe", "-n", str(ranks), *program]
    foreign = [key for key in os.environ if key.startswith(("PMI", "OMPI_COMM", "SLURM_CPU_BIND"))]
    environment = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_mpi_yield_when_idle": "1",  # ranks that share a core starve each other without it
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
    }
    answer = process.run(argv, timeout_s=_LIMIT_S, env=environment, without=foreign)
    if answer.returncode or not into.exists():
        words = answer.stderr.strip().splitlines()[-3:]
        raise JobFailedError(f"V21 on {ranks} ranks ended with {answer.returncode}: {words}")
    found: Answers = json.loads(into.read_text(encoding="utf-8"))
    return found


def _answer(how: How) -> Answers:
    """Solve the cases on the ranks that there are."""
    found: Answers = {}
    for scheme in ("explicit", "implicit"):
        found[scheme] = {}
        for name, case in mixed_cases(scheme):
            history = solved(case, how)
            inside = history.temperature[-1][np.isfinite(history.temperature[-1])]
            values = inside.ravel().tolist() if scheme == "implicit" else []
            found[scheme][name] = {"digest": _digest(history), "temperature": values}
    return found


def _digest(history: History) -> str:
    """Return the SHA-256 over temperatures and fractions, bit for bit."""
    sha = hashlib.sha256(history.temperature.tobytes())
    for name in sorted(history.fractions):
        sha.update(history.fractions[name].tobytes())
    return sha.hexdigest()


def main(into: Path, backend: str, device: str) -> None:
    """Be one rank: solve, and write the answers if it is the first."""
    from mpi4py import MPI  # noqa: PLC0415  (importing it starts MPI)

    world = MPI.COMM_WORLD
    found = _answer(How(backend=backend, device=device, ranks=world))
    if world.rank == 0:
        into.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
