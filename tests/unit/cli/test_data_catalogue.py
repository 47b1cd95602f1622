"""forgia data list, diff, freeze, export of descriptions: as typed."""

import json

import pytest
from fakes.telemetry import card, contribution, sealed

from forgia_hpc.data.writer import seal


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data").mkdir()
    sealed(tmp_path / "data", policy={"expires": "2020-01-31"})
    return tmp_path


def test_the_list_tells_what_is_here_and_what_is_not(root, forgia):
    (root / "data/half").mkdir()
    (root / "data/half/manifest.json").write_text("{}")
    told = forgia("data", "list")
    assert told.returncode == 0, told.stderr
    assert "mill@" in told.stdout
    assert "ended" in told.stdout
    assert "not made here: consortium" in told.stdout
    assert told.stderr.startswith("half: ")
    rows = json.loads(forgia("data", "list", "--json").stdout)["datasets"]
    (mill,) = [one for one in rows if one["name"] == "mill"]
    assert mill["expires_days"] < 0
    assert mill["steps"] == {"train": 460, "held_out_time": 100, "held_out_machines": 200}


def test_freeze_and_diff(root, forgia):
    frozen = forgia("data", "freeze", "mill", "--as", "mill-q1", "--json")
    assert json.loads(frozen.stdout)["semver"] == "1.0.0"
    same = forgia("data", "diff", "mill-q1", "mill", "--exit-code")
    assert (same.returncode, "nothing has changed" in same.stdout) == (0, True)
    seal(contribution(seed=3), card(), root / "data/mill", overwrite=True)
    other = forgia("data", "diff", "mill-q1", "mill")
    assert other.returncode == 0
    assert "Until: 2020-01-31, that day included → not said" in other.stdout
    assert "raises the major part" in other.stdout
    assert forgia("data", "diff", "mill-q1", "mill", "--exit-code").returncode == 2
    told = json.loads(forgia("data", "diff", "mill-q1", "mill", "--json").stdout)
    assert told["raises"] == "major"
    assert told["changes"][0]["shards_altered"]
    taken = forgia("data", "freeze", "mill", "--as", "mill-q1")
    assert (taken.returncode, "never changes" in taken.stderr) == (2, True)


def test_descriptions_go_where_they_are_told(root, forgia):
    out = forgia("data", "export", "mill", "--to", "dcat", "--into", str(root / "d"), "--json")
    assert list(json.loads(out.stdout)["files"]) == [str(root / "d/dcat-ap.jsonld")]
    nothing = forgia("data", "export", "--to", "ai-act")
    assert (nothing.returncode, "--run RUN" in nothing.stderr) == (2, True)
