"""The environments of the peers, and how to make them.

    python benchmarks/data/peers/environments.py ROOT [NAME…]

Each gets a virtual environment of its own, ROOT/NAME, with versions of constraints.txt where it can: MosaicML
Streaming wants an older numpy, so of it only torch is held.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from common import environments

CONSTRAINTS = Path(__file__).parents[3] / "constraints.txt"
PACKAGES = {
    "plain_h5py": ("h5py", "torch"),
    "well": ("the_well", "torch"),
    "mosaic": ("mosaicml-streaming", "torch"),
    "tars": ("webdataset",),
    "zarr_v3": ("zarr",),
    "array_records": ("grain", "array-record"),
    "lance_table": ("pylance", "numpy"),
    "hugging_face": ("datasets",),
}
ONLY_TORCH = ("mosaic",)


def held(name: str) -> str:
    """Return the constraints of an environment."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    torch = [line for line in lines if line.startswith("torch==")]
    return "\n".join(torch if name in ONLY_TORCH else lines) + "\n"


if __name__ == "__main__":
    environments.main(PACKAGES, {name: held(name) for name in PACKAGES})
