"""The environments of the peers, and how to make them.

    python benchmarks/simulation/peers/environments.py ROOT [NAME…]

Each gets a virtual environment of its own, ROOT/NAME. executorlib's has what our solver needs too: it solves the
same members with it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "devito_heat": ("devito", "mpi4py"),
    "blocks": ("executorlib", "mpi4py", "h5py", "numpy", "numba"),
}


def install(root: Path, name: str) -> None:
    """Make one, unless it is there.

    Raises:
        subprocess.CalledProcessError: pip said why on stderr.
    """
    place = root / name
    if place.exists():
        return
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    subprocess.run(
        [place / "bin/python", "-m", "pip", "install", "-q", *PACKAGES[name]], check=True
    )


def main() -> None:
    """Read the command line."""
    root, *names = sys.argv[1:]
    for name in names or PACKAGES:
        install(Path(root), name)


if __name__ == "__main__":
    main()
