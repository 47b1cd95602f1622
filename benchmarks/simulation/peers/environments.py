"""The environments of the peers, and how to make them.

    python benchmarks/simulation/peers/environments.py ROOT [NAME…]

Each gets a virtual environment of its own, ROOT/NAME. executorlib's has what our solver needs too: it solves the
same members with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from common import environments

PACKAGES = {
    "devito_heat": ("devito", "mpi4py"),
    "blocks": ("executorlib", "mpi4py", "h5py", "numpy", "numba"),
}

if __name__ == "__main__":
    environments.main(PACKAGES)
