"""Virtual environments for peers, one each: ROOT/NAME."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def main(packages: Mapping[str, Sequence[str]], held: Mapping[str, str] | None = None) -> None:
    """Read ROOT [NAME…] off the command line and make these, all without a name.

    Args:
        packages: what pip gets, by environment.
        held: lines of constraints, by environment.

    Raises:
        subprocess.CalledProcessError: pip said why on stderr.
    """
    root, *names = sys.argv[1:]
    for name in names or packages:
        _make(Path(root), name, packages[name], (held or {}).get(name, ""))


def _make(root: Path, name: str, packages: Sequence[str], held: str) -> None:
    place = root / name
    if place.exists():
        return
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    constraints = root / f"{name}.txt"
    constraints.write_text(held)
    words = [place / "bin/python", "-m", "pip", "install", "-q", "-c", constraints, *packages]
    subprocess.run(words, check=True)
