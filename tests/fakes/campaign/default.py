"""A campaign in the default environment, asked for by a test that runs in another one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from fakes.campaign.bed import HERE, Bed


def by_default(root: Path, *words: str) -> tuple[str, dict[str, bytes]]:
    """Run a campaign of ripples with PATH's Python; return its version and every byte of its dataset."""
    python = shutil.which("python")
    assert python is not None
    probe = "import h5py, mpi4py, torch; print(h5py.get_config().mpi)"
    asked = subprocess.run([python, "-c", probe], capture_output=True, check=False)
    assert asked.stdout == b"False\n", (
        f"{python} is not the default environment's: {asked.stderr!r}"
    )
    own = {"FORGIA_PATH": HERE, "FORGIA_RUNS": root / "runs", "FORGIA_DATA": root / "data"}
    root.mkdir(exist_ok=True)
    done = subprocess.run(
        [python, "-m", "forgia_hpc.cli.main", "run", "simulate", "solver=ripples",
         "ensemble=ripples", "cluster=local", *words],
        env={**os.environ, **{name: str(path) for name, path in own.items()}},
        capture_output=True, text=True, timeout=240, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    bed = Bed(root)
    return bed.version(), bed.bytes()
