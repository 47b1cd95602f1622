"""Ranks of one srun read one large raw file together; what they seal is what one process seals."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from slurm.trip import Trip

from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.prepare.run import LARGE_BYTES
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm

ROWS = 4_400_000  # 70 MB: more than LARGE_BYTES, so that the ranks share it
CARD = {
    "format": "forgia.card/1",
    "name": "mill",
    "title": "Mill",
    "contributor": "mill_works",
    "description": "Noise.",
    "licence": "CC0-1.0",
    "source": "made up",
}


def plant(root: Path) -> Path:
    """Write one large raw file, its recipe and its card; return where the recipe lies."""
    raw = root / "raw" / "mill" / "a.npy"
    raw.parent.mkdir(parents=True)
    np.save(raw, np.random.default_rng(0).normal(50, 9, (ROWS, 4)).astype(np.float32))
    assert raw.stat().st_size > LARGE_BYTES
    columns = [
        {"column": str(n), "name": f"c{n}", "quantity": "power", "min": -99, "max": 199}
        for n in range(4)
    ]
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
                "mends": {},
                "defaults": {"semantic_base": "https://example.com/", "ucum": "kW"},
                "columns": columns,
            }
        ],
        "split": {"time_share": 0.2},
        "season_steps": {"mill": 60},
    }
    folder = root / "mine" / "datasets" / "mill"
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (folder / "card.yaml").write_text(yaml.safe_dump(CARD))
    return root / "mine"


def test_ranks_of_srun_share_a_large_file_and_seal_what_one_rank_seals(
    dev_slurm, tmp_path: Path
) -> None:
    trip = Trip(dev_slurm, tmp_path)
    trip.environment["FORGIA_PATH"] = str(plant(tmp_path))
    data = {"one": tmp_path / "one", "three": tmp_path / "three"}
    trip("data", "ingest", "mill", "--raw", str(tmp_path / "raw"), FORGIA_DATA=str(data["one"]))
    run, job = trip.submit(
        "prepare",
        "prepare.contributions=[mill]",
        f"prepare.raw={tmp_path / 'raw'}",
        "resources.ranks_per_node=3",
        "resources.cpus_per_rank=1",
        "resources.mem_gb=6",
        FORGIA_DATA=str(data["three"]),
    )
    trip("wait", run.name)
    version = load_manifest(data["one"] / "mill").version
    assert load_manifest(data["three"] / "mill").version == version
    made = json.loads(RunDir(run.path).result.read_text())["prepare"]["contributions"]["mill"]
    assert (made["version"], made["rows_in"]) == (version, ROWS)
    assert len(list(run.logs.glob("rank-*.log"))) == 3
    assert trip.shown(job)["NumTasks"] == "3"
    assert [path.name for path in data["three"].iterdir()] == ["mill"]
