"""What a model has seen that was withdrawn since."""

from __future__ import annotations

import pytest
from fakes.telemetry import card, sealed

from forgia_hpc.data.access.taken_back import find_taken_back, roots_of
from forgia_hpc.data.access.withdraw import withdraw
from forgia_hpc.data.access.withdraw_plan import plan_withdrawal
from forgia_hpc.data.catalogue.freeze import freeze
from forgia_hpc.data.crypto.key_file import load_key, make_key
from forgia_hpc.data.manifest import load_manifest, manifest_from
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.rundir import write_json

SHARD = "shards/train-000.h5"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    make_key(tmp_path / "anna.json", "anna")
    members = [sealed(tmp_path / "data", name, seed) for seed, name in enumerate(("forge", "mill"))]
    words = card("valley", members=["forge", "mill"])
    seal_consortium("valley", members, words, tmp_path / "data" / "valley")
    return tmp_path / "data"


def use(root, name="mill", dataset="valley", shard=SHARD):
    """A ledger of what is there now: seven windows of a shard."""
    count = {"windows": 7, "series": 7, "tokens": 7.0, "policy": ""}
    version = load_manifest(root / name).version
    entry = {"version": version, "contributor": "acme", "shards": {shard: count}}
    identifier = load_manifest(root / dataset).identifier
    return {"dataset": {"identifier": identifier}, "contributions": {name: entry}}


def told(usage, root):
    return [(one.contribution, one.windows) for one in find_taken_back(usage, {root}).found]


def test_a_model_of_what_was_withdrawn_is_told_with_contributor_and_day(root):
    usage, heir = use(root), {"dataset": {}, "contributions": {}, "before": [use(root)]}
    others = use(root, "forge")
    assert told(usage, root) == []
    withdraw(plan_withdrawal(root / "mill"), load_key())
    (found,) = find_taken_back(usage, {root}).found
    stone = load_manifest(root / "mill").tombstones[0]
    assert (found.contributor, found.day, found.windows) == ("acme", stone["withdrawn"][:10], 7)
    assert told(heir, root) == [("mill", 7)]
    assert told(others, root) == []


def test_the_consortiums_tombstone_is_enough(root):
    usage = use(root)
    withdraw(plan_withdrawal(root / "mill"), load_key())
    (root / "mill").rename(root.parent / "gone")
    assert [one.where for one in find_taken_back(usage, {root}).found] == ["valley"]


def test_only_the_shards_that_went_taint_and_only_versions_before(root):
    before = use(root)
    encrypted, other = use(root, shard=SHARD + "e"), use(root, shard="shards/held_out_time-000.h5")
    withdraw(plan_withdrawal(root / "mill", [SHARD]), load_key())
    assert told(before, root) == told(encrypted, root) == [("mill", 7)]
    assert told(other, root) == []
    assert told(use(root), root) == []  # given again under the same name, in a later version


def test_who_left_one_consortium_taints_only_what_was_trained_on_it(root):
    freeze(root / "valley", "q1", root)
    models = {name: use(root, dataset=name) for name in ("valley", "q1", "mill")}
    withdraw(plan_withdrawal(root / "mill", consortium=root / "valley"), load_key())
    assert {name for name, usage in models.items() if told(usage, root)} == {"valley", "q1"}


def test_what_does_not_lie_here_is_not_said_to_stand(root, tmp_path):
    usage = use(root)
    assert find_taken_back(usage, {tmp_path / "none"}).untold == (
        "no mill that can be read lies here",
    )
    assert find_taken_back(usage, {root}).untold == ()
    (root / "mill" / "manifest.json").write_text("{}")
    assert "broken manifest" in find_taken_back(usage, {root}).untold[0]


def test_the_grant_of_the_run_says_where_its_data_lay(root, tmp_path):
    place = tmp_path / "run" / "checkpoints" / "40"
    place.mkdir(parents=True)
    (tmp_path / "run" / "inputs").mkdir()
    content = {"contributions": [{"directory": str(root / "mill")}]}
    write_json(tmp_path / "run" / "inputs" / "grant.json", content)
    assert roots_of(place, tmp_path / "other") == {tmp_path / "other", root}


def test_frozen_versions_that_a_withdrawal_makes_unreadable_are_listed(root):
    freeze(root / "valley", "q1", root)
    freeze(root / "forge", "forge-1", root)
    assert [one.name for one in plan_withdrawal(root / "mill").frozen] == ["q1"]
    assert [one.name for one in plan_withdrawal(root / "mill", [SHARD]).frozen] == ["q1"]
    assert plan_withdrawal(root / "mill", consortium=root / "valley").frozen == ()
    withdraw(plan_withdrawal(root / "mill", [SHARD]), load_key())
    assert plan_withdrawal(root / "mill").frozen == ()  # it is unreadable by now


@pytest.mark.parametrize(
    "odd", [{"path": "../stone.json"}, {"whole": "no"}, {"withdrawn": None}, {"contribution": 7}]
)
def test_an_odd_tombstone_breaks_the_manifest(root, odd):
    withdraw(plan_withdrawal(root / "mill"), load_key())
    content = load_manifest(root / "mill").content
    (stone,) = content["tombstones"]
    with pytest.raises(SealBrokenError, match="broken manifest"):
        manifest_from({**content, "tombstones": [{**stone, **odd}]}, root / "mill")
