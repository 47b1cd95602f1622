"""Where the four outer folders are: one rule for configs, slurm, datasets and benchmarks.

Login wing only. A run directory holds copies of what the node needs.
"""

from __future__ import annotations

import os
from pathlib import Path

from forgia_hpc.errors import InputError, Problem

FOLDERS = ("configs", "slurm", "datasets", "benchmarks")
_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """Return our own copy of an outer folder: from the wheel, else from the checkout."""
    in_wheel = _PACKAGE / "_shipped" / folder
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / folder


def roots(folder: str) -> list[Path]:
    """Return our folder and the same folder of every root in $FORGIA_PATH."""
    extra = [
        Path(root) / folder for root in os.environ.get("FORGIA_PATH", "").split(os.pathsep) if root
    ]
    return [shipped(folder), *(path for path in extra if path.is_dir())]


def named(folder: str, pattern: str) -> dict[str, Path]:
    """Return every entry of an outer folder by name.

    The name is the file's stem, or the directory's name where the pattern begins with one (`*/card.yaml`).

    Raises:
        InputError: the same name stands in two roots.
    """
    found: dict[str, Path] = {}
    problems = []
    for root in roots(folder):
        for path in sorted(root.glob(pattern)):
            name = path.parent.name if pattern.startswith("*/") else path.stem
            if name in found:
                problems.append(
                    Problem(
                        field=f"{folder}/{name}",
                        got=str(path),
                        limit=f"stands already in {found[name]}",
                        where="$FORGIA_PATH",
                        fix="rename one",
                    )
                )
            found.setdefault(name, path)
    if problems:
        raise InputError(problems)
    return found


def runs_root(of_profile: str | None = None) -> Path:
    """Return the directory of the runs: $FORGIA_RUNS, else the profile's, else ./runs."""
    return Path(os.environ.get("FORGIA_RUNS") or of_profile or "runs").expanduser().resolve()


def data_root(of_profile: str | None = None) -> Path:
    """Return the directory of the datasets: $FORGIA_DATA, else the profile's, else ./data."""
    return Path(os.environ.get("FORGIA_DATA") or of_profile or "data").expanduser().resolve()


def settings() -> Path:
    """Return the directory of this person's settings: $XDG_CONFIG_HOME/forgia, else ~/.config/forgia."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - Path's raises without a home
    return Path(home) / "forgia"
