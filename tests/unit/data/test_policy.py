import datetime
import json

import pytest
from fakes.telemetry import card, sealed

from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.policy import make_grant
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.errors import InputError
from forgia_hpc.schema.data import Data

NOON = datetime.datetime(2030, 6, 30, 12, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def valley(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    members = [
        sealed(root, "mill", 0, policy={"expires": "2030-06-30", "purposes": ["train"]}),
        sealed(root, "forge", 1, policy={"purposes": ["train", "evaluate"]}),
    ]
    seal_consortium("valley", members, card("valley", members=["forge", "mill"]), root / "valley")
    return load_manifest(root / "valley")


def test_a_grant_lists_versions_directories_and_shards(valley):
    grant = make_grant(valley, Data(dataset="valley"), now=NOON, splits=[Split.train])
    assert json.loads(json.dumps(grant)) == grant
    assert grant["expires"] == "2030-07-01T00:00:00+00:00"
    for entry, manifest in zip(grant["contributions"], valley.contributions(), strict=True):
        assert (entry["contribution"], entry["version"]) == (manifest.name, manifest.version)
        assert entry["directory"] == str(manifest.directory.resolve())
        train = manifest.shards[0]
        assert entry["shards"] == [
            {"path": train.path, "bytes": train.bytes, "sha256": train.sha256, "split": "train"}
        ]


def test_only_what_was_asked_for_is_granted(valley):
    data = Data(dataset="valley", contributions=["forge"])
    grant = make_grant(valley, data, now=NOON.replace(year=2040))
    assert [entry["contribution"] for entry in grant["contributions"]] == ["forge"]
    assert grant["expires"] == ""


def test_the_walltime_must_end_before_the_policy(valley):
    data = Data(dataset="valley")
    make_grant(valley, data, now=NOON, walltime_s=12 * 3600)
    with pytest.raises(InputError, match=r"2030-06-30.*policy of mill"):
        make_grant(valley, data, now=NOON, walltime_s=12 * 3600 + 1)


def test_every_refusal_is_named_at_once(valley):
    late = NOON.replace(year=2031)
    with pytest.raises(InputError) as caught:
        make_grant(valley, Data(dataset="valley"), purpose="command", now=late)
    assert [problem.field for problem in caught.value.problems] == [
        "purpose",
        "purpose",
        "resources.walltime",
    ]
    with pytest.raises(InputError, match="quarry"):
        make_grant(valley, Data(dataset="valley", contributions=["quarry"]), now=NOON)
