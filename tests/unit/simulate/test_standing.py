"""What stands where a campaign is to be sealed, looked at while another job puts its own in place."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from forgia_hpc.simulate import standing

IDS = np.zeros(0, [("member", "S16")])


def _dataset(folder: Path, version: str, size: int) -> Any:
    (folder / "shards").mkdir(parents=True)
    (folder / standing.MANIFEST).write_text("{}")
    (folder / "shards" / "0.h5").write_bytes(b"x" * size)
    shard = SimpleNamespace(path="shards/0.h5", bytes=size)
    return SimpleNamespace(
        layout=standing.FORMAT, version=version, provenance={}, files=(), shards=(shard,)
    )


@pytest.fixture
def looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset whose place a larger one takes between the look at its manifest and the one at its shards."""
    there, coming = tmp_path / "balls", tmp_path / "coming"
    manifests = [_dataset(there, "old", 100), _dataset(coming, "new", 200)]

    def index(_manifest: Any) -> Any:
        if coming.exists():
            there.rename(tmp_path / "away")
            coming.rename(there)
        return SimpleNamespace(trajectories=IDS, schema=None)

    monkeypatch.setattr(standing, "load_manifest", lambda _: manifests[not coming.exists()])
    monkeypatch.setattr(standing, "load_field_index", index)
    return there


def test_a_dataset_that_appears_meanwhile_is_not_called_damaged(looked_at: Path) -> None:
    found = standing.standing(looked_at)
    assert found is not None
    assert (found.version, found.faults) == ("new", ())


def test_one_that_is_damaged_stays_so(looked_at: Path) -> None:
    standing.standing(looked_at)
    (looked_at / "shards" / "0.h5").write_bytes(b"x")
    found = standing.standing(looked_at)
    assert found is not None
    assert "has 1 bytes, sealed with 200" in found.faults[0]
