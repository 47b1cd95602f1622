"""A dataset build that is killed at random moments and begun again: what was sealed stays, the end is the same."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import yaml

from forgia_hpc.data.card import card_from
from forgia_hpc.data.ingest.load import recipe_from_text
from forgia_hpc.data.ingest.sealing import seal_contribution

NAME, MACHINES, ROWS, CHANNELS = "mill", 5, 2500, 4
SHARD_BYTES = 20_000
IN_MEMORY, ON_DISK = 1 << 30, 0  # held_bytes: what was read of raw files
SEALED = "*.h5"


class BuildKills:
    """Trials against one set of raw files."""

    def __init__(self, scratch: Path) -> None:
        """Write the raw files and build them undisturbed, which also imports all that a build needs."""
        self._scratch = scratch
        self._recipe = recipe_from_text(_raw_files(scratch / NAME), where="kills")
        facts = dict.fromkeys(("title", "description", "licence", "source"), "x")
        card = {"format": "forgia.card/1", "name": NAME, "contributor": "x", **facts}
        self._card = card_from(card, where="kills")
        self._wanted: dict[int, dict[str, str]] = {}
        self._seconds: dict[int, float] = {}
        self._build(scratch / "first", IN_MEMORY)  # imports are not what is killed
        for held in (IN_MEMORY, ON_DISK):
            began = time.monotonic()
            self._build(scratch / f"whole-{held}", held)
            self._seconds[held] = time.monotonic() - began
            self._wanted[held] = files_of(scratch / f"whole-{held}" / NAME)

    def __enter__(self) -> BuildKills:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the files to whoever gave the directory."""

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Kill one to three builds, let one end, look at everything."""
        held = chance.choice((IN_MEMORY, ON_DISK))
        root = self._scratch / "killed"
        faults: list[str] = []
        kept: dict[str, int] = {}
        kills, ended = chance.randint(1, 3), 0
        for _ in range(kills):
            ended += self._killed(root, held, chance)
            faults += self._look(root, kept, self._wanted[held])
        self._build(root, held)
        faults += self._at_the_end(root, kept, self._wanted[held])
        shutil.rmtree(root)
        where = "on disk" if held == ON_DISK else "in memory"
        stage = "before a shard" if not kept else "with shards sealed"
        stage = "too late" if ended == kills else stage
        return {"what": f"rows {where}, killed {stage}", "kept": len(kept), "faults": faults}

    def _build(self, root: Path, held: int) -> None:
        seal_contribution(
            self._card,
            self._recipe,
            self._scratch,
            root,
            shard_bytes=SHARD_BYTES,
            held_bytes=held,
        )

    def _killed(self, root: Path, held: int, chance: random.Random) -> bool:
        """Build in a child and kill it; return whether it had ended before."""
        child = os.fork()
        if child == 0:
            try:
                self._build(root, held)
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0.0, 1.2) * self._seconds[held])
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        return os.WIFEXITED(status)

    def _look(self, root: Path, kept: dict[str, int], wanted: dict[str, str]) -> list[str]:
        """Return what is wrong with what a killed build has left; note the shards that it has sealed."""
        faults = []
        for shard in sorted(root.glob(f".{NAME}.*.part/shards/{SEALED}")):
            name = f"shards/{shard.name}"
            if _digest(shard) != wanted[name]:
                faults.append(f"{name} is sealed and not whole")
            kept[name] = shard.stat().st_ino
        torn = list(root.glob(f".{NAME}.*.part/shards/*.part"))
        if len(torn) > 1:
            faults.append(f"{len(torn)} unsealed shards")
        return faults

    def _at_the_end(self, root: Path, kept: dict[str, int], wanted: dict[str, str]) -> list[str]:
        faults = []
        if files_of(root / NAME) != wanted:
            faults.append("other files than an undisturbed build's")
        for name, inode in kept.items():
            if (root / NAME / name).stat().st_ino != inode:
                faults.append(f"{name} was sealed and made again")
        left = sorted(path.name for path in root.iterdir() if path.name != NAME)
        return [*faults, *(f"{name} is left" for name in left)]


def files_of(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a dataset."""
    return {
        str(path.relative_to(directory)): _digest(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _raw_files(folder: Path) -> str:
    """Write a CSV a machine and return the recipe."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [f"c{number}" for number in range(CHANNELS)]
    files = []
    for machine in range(MACHINES):
        stamps = np.datetime_as_string(np.datetime64("2025-01-01T00:00:00") + np.arange(ROWS))
        cells = [np.char.mod("%.2f", rng.normal(50, 9, ROWS)) for _ in names]
        rows = [",".join(["time", *names]), *map(",".join, zip(stamps, *cells, strict=True))]
        path = folder / f"m{machine}.csv"
        path.write_text("\n".join(rows) + "\n", encoding="ascii")
        files.append({"path": path.name, "sha256": _digest(path)})
    defaults = {"ucum": "Cel", "quantity": "temperature", "decimals": 2, "min": -90.0, "max": 190.0}
    table = {
        "group": "fast",
        "files": [{"path": one["path"], "asset": one["path"][:2]} for one in files],
        "parser": "csv",
        "clock": {"column": "time", "format": "%Y-%m-%dT%H:%M:%S", "step_s": 1},
        "defaults": {"semantic_base": "https://forgia.example/", **defaults},
        "columns": [{"column": name} for name in names],
    }
    facts = {"format": "forgia.recipe/1", "name": NAME, "contributor": "x", "licence": "x"}
    rest = {"source": "x", "files": files, "tables": [table], "season_steps": {"fast": 60}}
    return yaml.safe_dump({**facts, **rest, "split": {"time_share": 0.25}})
