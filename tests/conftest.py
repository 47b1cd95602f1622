"""What every test gets: roots of its own, and none of this person's settings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _own_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep runs, data and user settings of a test apart from everybody else's."""
    monkeypatch.setenv("FORGIA_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("FORGIA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")
    for name in (
        "FORGIA_PATH",
        "FORGIA_ATTEMPT",
        "FORGIA_LAUNCH",
        "RANK",
        "WORLD_SIZE",
        "LOCAL_RANK",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def forgia() -> Forgia:
    """Return the command line, run as a user runs it: a process of its own."""
    return Forgia()


class Forgia:
    """`forgia …` in a fresh interpreter."""

    def __call__(self, *words: str, timeout_s: float = 240, **environment: str):
        import os
        import subprocess

        return subprocess.run(
            [sys.executable, "-m", "forgia_hpc.cli.main", *words],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env={**os.environ, **environment},
            check=False,
            stdin=subprocess.DEVNULL,
        )
