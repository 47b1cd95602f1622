"""A disk really full under an ingest: one clear line, nothing half-sealed, and it ends when there is room."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

ROWS = 120_000
CARD = {
    "format": "forgia.card/1",
    "name": "mill",
    "title": "Mill",
    "contributor": "mill_works",
    "description": "Noise.",
    "licence": "CC0-1.0",
    "source": "made up",
}
# Arguments: where it is mounted, twice; then the ingest. Root may mount, others in a namespace of their own.
FULL = """
mount -t tmpfs -o size=1m tmpfs "$1" || exit 99
shift; at=$1; shift
"$@"; echo "first $?"; ls -A "$at"; "$@" --overwrite; echo "again $?"
mount -o remount,size=64m "$at"
"$@"; echo "third $?"; ls -A "$at"
"""


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """Raw files, recipe and card of a dataset of about two megabytes."""
    values = np.random.default_rng(0).normal(50, 9, (ROWS, 4)).astype(np.float32)
    (tmp_path / "raw" / "mill").mkdir(parents=True)
    raw = tmp_path / "raw" / "mill" / "a.npy"
    np.save(raw, values)
    folder = tmp_path / "mine" / "datasets" / "mill"
    folder.mkdir(parents=True)
    recipe = {
        "format": "forgia.recipe/1",
        **{key: CARD[key] for key in ("name", "contributor", "licence", "source")},
        "files": [{"path": raw.name, "sha256": hashlib.sha256(raw.read_bytes()).hexdigest()}],
        "tables": [
            {
                "group": "mill",
                "files": [{"path": raw.name, "asset": "mill_1"}],
                "parser": "npy",
                "clock": {},
                "defaults": {"semantic_base": "https://example.com/", "ucum": "kW"},
                "columns": [
                    {"column": str(n), "name": f"c{n}", "quantity": "power", "min": -99, "max": 199}
                    for n in range(4)
                ],
            }
        ],
        "split": {"time_share": 0.2},
        "season_steps": {"mill": 60},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (folder / "card.yaml").write_text(yaml.safe_dump(CARD))
    return tmp_path


def environment(plant: Path, data: Path) -> dict[str, str]:
    return {**os.environ, "FORGIA_PATH": str(plant / "mine"), "FORGIA_DATA": str(data)}


def command(plant: Path) -> list[str]:
    program = [sys.executable, "-m", "forgia_hpc.cli.main", "data", "ingest", "mill"]
    return [*program, "--raw", str(plant / "raw")]


def test_a_full_file_system_is_told_and_the_ingest_goes_on_after_room_was_made(plant: Path) -> None:
    disk = plant / "disk"
    disk.mkdir()
    namespace = ["--mount"] if os.geteuid() == 0 else ["--map-root-user", "--mount"]
    script = ["unshare", *namespace, "sh", "-c", FULL, "sh", disk, disk]
    done = subprocess.run(
        [*script, *command(plant)],
        env=environment(plant, disk),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 99 or "unshare" in done.stderr:  # this machine lets nobody mount
        told = under_a_limit(plant)
        assert "File too large" in told
        return
    lines = done.stdout.splitlines()
    first, again, third = (lines.index(line) for line in ("first 2", "again 2", "third 0"))
    assert done.stderr.count("No space left on device") == 2
    assert "make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert all(name.startswith(".mill.") for name in lines[first + 1 : again] if "mill" in name)
    assert lines[third + 1 :] == ["mill"]


def under_a_limit(plant: Path) -> str:
    """Ingest where no file may grow beyond 200 kB, check what is left, ingest again; return what was said."""
    data = plant / "data"
    code = (
        "import resource, runpy, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, -1))\n"
        "sys.argv[0] = 'forgia'\n"
        "runpy.run_module('forgia_hpc.cli.main', run_name='__main__')\n"
    )
    words = command(plant)
    limited = [words[0], "-c", code, *words[3:]]
    done = subprocess.run(
        limited, env=environment(plant, data), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not (data / "mill").exists()
    after = subprocess.run(
        [*words, "--json"],
        env=environment(plant, data),
        capture_output=True,
        text=True,
        check=False,
    )
    assert after.returncode == 0, after.stderr
    assert json.loads(after.stdout)
    assert [path.name for path in data.iterdir()] == ["mill"]
    return done.stderr


def test_a_file_that_may_not_grow_is_told_too(plant: Path) -> None:
    assert "File too large" in under_a_limit(plant)
