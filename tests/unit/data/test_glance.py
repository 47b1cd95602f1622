"""Ten thousand shards are opened by their index; the manifest's entries wait until they are asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.telemetry import card, contribution, segment

from forgia_hpc.data import glance as glance_
from forgia_hpc.data.glance import Entries, glance
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.schema.data import Data

DATA = Data(context=24, min_context=8, horizon=8, channels=3)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirty shards, and a reader that calls as many a large dataset."""
    rng = np.random.default_rng(0)
    parts = tuple(segment(rng, f"press-{n}", Split.train, 40) for n in range(30))
    seal(
        replace(contribution(), segments=parts, marks=()),
        card(),
        tmp_path / "mill",
        shard_bytes=100,
    )
    monkeypatch.setattr(glance_, "SMALL_BYTES", 1000)
    return tmp_path / "mill"


def test_a_glance_knows_all_but_the_shards(directory: Path) -> None:
    seen, whole = glance(directory), load_manifest(directory)
    assert isinstance(seen.shards, Entries)
    assert (seen.version, seen.name, seen.files) == (whole.version, whole.name, whole.files)
    assert seen.content_id(Split.train) == whole.content_id(Split.train)
    assert len(seen.shards) == 30
    assert seen.shards[3] == whole.shards[3]
    assert tuple(seen.shards[3:5]) == tuple(whole.shards[3:5])


def test_many_shards_are_read_as_few_are(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_dataset(directory) as dataset:
        large = dataset.windows(Split.train, DATA)
        assert isinstance(dataset.sources[0].manifest.shards, Entries)
        found = large.read(0, np.arange(len(large))).values
        ids = large.content_ids
    monkeypatch.setattr(glance_, "SMALL_BYTES", 1 << 20)
    with open_dataset(directory) as dataset:
        small = dataset.windows(Split.train, DATA)
        assert not isinstance(dataset.sources[0].manifest.shards, Entries)
        np.testing.assert_array_equal(small.read(0, np.arange(len(small))).values, found)
        assert small.content_ids == ids
    assert check(directory) == []


def test_a_shard_of_many_is_compared_when_it_is_touched(directory: Path) -> None:
    with (directory / "shards/train-007.h5").open("ab") as file:
        file.write(b"more")
    with open_dataset(directory) as dataset:
        index = dataset.windows(Split.train, DATA)
        index.read(0, [0])
        with pytest.raises(SealBrokenError, match=r"train-007\.h5: has \d+ bytes, sealed with"):
            index.read(0, np.arange(len(index)))


def test_an_altered_manifest_of_many_is_refused_when_its_entries_are_asked_for(
    directory: Path,
) -> None:
    path = directory / "manifest.json"
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps(content, sort_keys=True, separators=(",", ":"))[:-1] + " }")
    seen = glance(directory)
    assert seen.version != load_version(content)
    with pytest.raises(SealBrokenError, match="not canonical JSON"):
        seen.content_id(Split.train)


def load_version(content: object) -> str:
    from forgia_hpc.data.manifest import version_of

    assert isinstance(content, dict)
    return version_of(content)


def test_half_a_manifest_is_refused(directory: Path) -> None:
    path = directory / "manifest.json"
    path.write_bytes(path.read_bytes()[:1200])
    with pytest.raises(SealBrokenError, match=r"manifest\.json: broken JSON"):
        tuple(glance(directory).shards)


def test_what_a_reader_must_know_first_is_parsed_whole(directory: Path) -> None:
    path = directory / "manifest.json"
    content = json.loads(path.read_bytes())
    content["shards"][4]["profile"] = "cold"
    path.write_text(json.dumps(content, sort_keys=True, separators=(",", ":")))
    assert not isinstance(glance(directory).shards, Entries)
