"""The environments of the peers, and how to make them.

    python benchmarks/data/peers/environments.py ROOT [NAME…]

Each gets a virtual environment of its own, ROOT/NAME, with versions of constraints.txt where it can: MosaicML
Streaming wants an older numpy, so of it only torch is held.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
    held = root / f"{name}.txt"
    lines = CONSTRAINTS.read_text().splitlines()
    torch = [line for line in lines if line.startswith("torch==")]
    held.write_text("\n".join(torch if name in ONLY_TORCH else lines) + "\n")
    pip = [place / "bin/python", "-m", "pip", "install", "-q", "-c", held, *PACKAGES[name]]
    subprocess.run(pip, check=True)


def main() -> None:
    """Read the command line."""
    root, *names = sys.argv[1:]
    for name in names or PACKAGES:
        install(Path(root), name)


if __name__ == "__main__":
    main()
