"""forgia data repack, export, ingest --well: as typed."""

import json

import pytest
import yaml
from fakes.simulated import field_card, sealed_fields
from fakes.telemetry import sealed
from fakes.well_file import write_well_file


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data").mkdir()
    sealed(tmp_path / "data")
    sealed_fields(tmp_path / "data")
    return tmp_path


def test_cold_and_hot_again(root, forgia):
    cold = forgia("data", "repack", "mill", "--profile", "cold", "--into", str(root / "c"))
    assert cold.returncode == 0, cold.stderr
    assert "cold" in cold.stdout
    again = str(root / "again")
    hot = forgia("data", "repack", str(root / "c"), "--profile", "hot", "--into", again, "--json")
    found = json.loads(hot.stdout)
    assert (found["format"], found["profile"]) == ("forgia.data/1", "hot")
    sealed_as = (root / "data/mill/manifest.json").read_bytes()
    assert (root / "again/manifest.json").read_bytes() == sealed_as
    checked = forgia("data", "check", str(root / "c"), again, "quench")
    assert checked.stdout.count("sound") == 3


def test_export_and_ingest_of_the_well(root, forgia):
    out = forgia("data", "export", "quench", "--to", "well", "--into", str(root / "w"), "--json")
    assert any(path.endswith("stats.yaml") for path in json.loads(out.stdout)["files"])
    refused = forgia("data", "export", "mill", "--to", "well", "--into", str(root / "x"))
    assert refused.returncode == 2
    assert "writes forgia.fields/1" in refused.stderr
    write_well_file(root / "files/data/train/a.hdf5")
    (root / "card.yaml").write_text(yaml.safe_dump(field_card("dummies")))
    words = ("data", "ingest", str(root / "card.yaml"), "--well", str(root / "files"))
    told = forgia(*words)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("dummies@")
    facts = json.loads(forgia("data", "info", "dummies", "--json").stdout)
    assert "velocity_x" in json.dumps(facts)
