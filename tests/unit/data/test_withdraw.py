import base64
import json

import pytest
import yaml
from fakes.telemetry import card, sealed

from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.access.taint import find_tainted, find_wrapped
from forgia_hpc.data.access.withdraw import withdraw
from forgia_hpc.data.access.withdraw_plan import plan_withdrawal
from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import load_key, make_key
from forgia_hpc.data.crypto.signatures import opened
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.rundir import write_json
from forgia_hpc.schema.data import Data

NAMES = ("forge", "mill", "saw")


@pytest.fixture
def anna(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    return make_key(tmp_path / "anna.json", "anna")


@pytest.fixture(params=["plain", "sealed"])
def root(tmp_path, anna, request):
    """Three contributions and their consortium, plain or encrypted."""
    plain = tmp_path / "plain"
    members = [sealed(plain, name, seed) for seed, name in enumerate(NAMES)]
    seal_consortium("valley", members, card("valley", members=list(NAMES)), plain / "valley")
    if request.param == "sealed":
        encrypt(plain / "valley", [anna], tmp_path / "sealed")
    return tmp_path / request.param


def files(directory):
    """Every file's content and identity: nobody has written it again."""
    return {
        path.relative_to(directory): (path.stat().st_ino, path.read_bytes())
        for path in directory.rglob("*")
        if path.is_file()
    }


def order(place, names):
    """The first windows of each contribution's training split, as the sampler keys them."""
    with open_dataset(place) as dataset:
        index = dataset.windows(Split.train, Data(context=32, min_context=32, horizon=8))
        rows = dict(
            zip(index.names, zip(index.content_ids, index.counts, strict=True), strict=True)
        )
        return {name: rows[name] for name in names}


def test_a_broken_neighbour_hinders_no_withdrawal(root):
    """Whoever may write to the root could else keep others' data there."""
    (root / "broken").mkdir()
    (root / "broken" / "manifest.json").write_text("{}")
    planned = plan_withdrawal(root / "mill")
    assert [one.name for one in planned.consortia] == ["valley"]
    assert len(planned.unread) == 1
    assert "broken manifest" in planned.unread[0]
    with pytest.raises(SealBrokenError):
        plan_withdrawal(root / "mill", consortium=root / "broken")
    assert set(withdraw(planned, load_key())) == {"mill", "valley"}


def test_nobody_elses_data_are_touched_and_their_order_stays(root):
    others = {name: files(root / name) for name in ("forge", "saw")}
    before = order(root / "valley", ("forge", "saw"))
    versions = withdraw(plan_withdrawal(root / "mill"), load_key(), "we leave")
    assert set(versions) == {"mill", "valley"}
    assert others == {name: files(root / name) for name in ("forge", "saw")}
    assert order(root / "valley", ("forge", "saw")) == before
    valley = load_manifest(root / "valley")
    assert [one.name for one in valley.members] == ["forge", "saw"]
    assert valley.version == versions["valley"]
    assert check(root / "valley") == []
    assert check(root / "mill") == []


def test_files_and_keys_are_gone_and_readers_are_told(root):
    old = make_grant(load_manifest(root / "valley"), Data(dataset="valley"))
    withdraw(plan_withdrawal(root / "mill"), load_key())
    left = {path.name for path in (root / "mill").rglob("*") if path.is_file()}
    assert not any(name.endswith((".h5", ".h5e")) or name.startswith("index") for name in left)
    assert not list((root / "mill").glob("keys/*"))
    with pytest.raises(SealBrokenError, match="mill"):
        open_dataset(old)
    with pytest.raises(InputError, match="was withdrawn by acme"):
        open_dataset(root / "mill")
    with pytest.raises(InputError, match="an empty one"):
        plan_withdrawal(root / "mill")


def test_the_tombstone_is_signed_and_says_what_went(root, anna):
    manifest = load_manifest(root / "mill")
    withdraw(plan_withdrawal(root / "mill"), load_key(), "we leave")
    for place in (root / "mill", root / "valley"):
        (stone,) = load_manifest(place).tombstones
        assert stone["version"] == manifest.version
        content = json.loads((place / stone["path"]).read_bytes())
        payload, people = opened(content)
        said = json.loads(payload)
        assert people == [anna]
        assert said["predicate"]["reason"] == "we leave"
        assert {one["digest"]["sha256"] for one in said["subject"]} == {
            one.sha256 for one in manifest.shards
        }


def test_some_shards_go_and_the_rest_stays_as_it_was(root):
    manifest = load_manifest(root / "mill")
    gone, *kept = manifest.shards
    stays = {one.path: (root / "mill" / one.path).stat().st_ino for one in kept}
    versions = withdraw(plan_withdrawal(root / "mill", [gone.path]), load_key())
    after = load_manifest(root / "mill")
    assert [one.path for one in after.shards] == [one.path for one in kept]
    assert stays == {path: (root / "mill" / path).stat().st_ino for path in stays}
    assert not (root / "mill" / gone.path).exists()
    assert not gone.key_id or not (root / "mill" / "keys" / f"{gone.key_id}.json").exists()
    member = next(one for one in load_manifest(root / "valley").members if one.name == "mill")
    assert member.version == versions["mill"] == after.version
    assert check(root / "valley") == []
    with open_dataset(root / "valley") as dataset:
        assert {facts.split for facts in dataset.segments("mill")} == {
            Split.held_out_time,
            Split.held_out_machines,
        }


def test_leaving_one_consortium_leaves_the_data(root):
    before = files(root / "mill")
    versions = withdraw(plan_withdrawal(root / "mill", consortium=root / "valley"), load_key())
    assert set(versions) == {"valley"}
    assert files(root / "mill") == before
    assert [one.name for one in load_manifest(root / "valley").members] == ["forge", "saw"]


def test_all_that_is_wrong_is_said_and_nothing_done(root):
    with pytest.raises(InputError, match="has no such shard"):
        plan_withdrawal(root / "mill", ["shards/none.h5"])
    with pytest.raises(InputError, match="not a consortium"):
        plan_withdrawal(root / "valley")
    with pytest.raises(InputError, match="does not name mill"):
        plan_withdrawal(root / "mill", consortium=root / "saw")


def test_only_who_may_sign_for_the_contributor_withdraws(root, tmp_path):
    ben = make_key(tmp_path / "ben.json", "ben")
    words = {"format": "forgia.trust/1", "contributors": {"acme": [ben.text]}}
    (root / "mill" / "trust.yaml").write_text(yaml.safe_dump(words))
    with pytest.raises(InputError, match="lists others to sign for acme"):
        withdraw(plan_withdrawal(root / "mill"), load_key())
    assert load_manifest(root / "mill").shards


def ledger(**windows):
    shards = {
        f"shards/{name.replace('_', '-')}.h5": {
            "windows": n,
            "series": n,
            "tokens": n,
            "policy": "",
        }
        for name, n in windows.items()
    }
    return {"version": "0", "contributor": "acme", "shards": shards}


def usage(directory, contributions, before=()):
    directory.mkdir(parents=True)
    content = {"format": "forgia.usage/1", "contributions": contributions, "before": list(before)}
    write_json(directory / "usage.json", content)


def run_of(root, name, contributions, wrapped=()):
    (root / name / "inputs").mkdir(parents=True)
    entries = [{"contribution": one} for one in contributions]
    grant = {"contributions": entries, "wrapped_keys": dict.fromkeys(wrapped, "AA==")}
    write_json(root / name / "inputs" / "grant.json", grant)
    return root / name


def test_tainted_checkpoints_are_listed_with_the_last_clean_one(tmp_path):
    clean, seen = {"forge": ledger(train_000=9)}, {"mill": ledger(train_000=5, train_001=0)}
    run = run_of(tmp_path, "a", ["forge", "mill"])
    for step, has in ((10, clean), (20, clean), (30, clean | seen), (40, clean | seen)):
        usage(run / "checkpoints" / str(step), has)
    usage(run / "output" / "model", clean | seen)
    usage(run_of(tmp_path, "b", ["forge"]) / "checkpoints" / "10", clean)
    heir = run_of(tmp_path, "c", ["forge"])  # began from a's model
    usage(heir / "checkpoints" / "5", clean, before=[{"contributions": seen}])
    (run_of(tmp_path, "d", ["mill"]) / "checkpoints" / "7").mkdir(parents=True)  # no ledger
    found = {one.run: one for one in find_tainted(tmp_path, "mill")}
    assert set(found) == {"a", "c", "d"}
    assert (found["a"].checkpoints, found["a"].clean, found["a"].model) == ((30, 40), 20, True)
    assert found["a"].windows == 5
    assert (found["c"].checkpoints, found["c"].clean) == ((5,), None)
    assert (found["d"].checkpoints, found["d"].sure) == ((7,), False)
    only = {one.run for one in find_tainted(tmp_path, "mill", {"shards/train-001.h5"})}
    assert only == {"d"}  # the others saw none of it


def test_points_of_a_sweep_are_looked_at_too(tmp_path):
    sweep = run_of(tmp_path, "s", ["mill"])
    usage(sweep / "points" / "0003" / "checkpoints" / "9", {"mill": ledger(train_000=1)})
    (one,) = find_tainted(tmp_path, "mill")
    assert (one.run, one.checkpoints) == ("s/points/0003", (9,))


def test_wraps_that_stay_in_grants_are_named(tmp_path):
    run_of(tmp_path, "a", ["mill"], wrapped=["ab" * 16])
    run_of(tmp_path, "b", ["mill"], wrapped=["cd" * 16])
    found = find_wrapped(tmp_path, ["ab" * 16])
    assert [path.parent.parent.name for path in found] == ["a"]


def test_base64_of_the_tombstone_is_readable_by_anyone(root):
    withdraw(plan_withdrawal(root / "mill"), load_key())
    (stone,) = load_manifest(root / "mill").tombstones
    content = json.loads((root / "mill" / stone["path"]).read_bytes())
    said = json.loads(base64.b64decode(content["payload"]))
    assert said["predicateType"].endswith("/withdrawal/1")
