"""A withdrawal is the contributor's where its signature is right: forged, foreign, stripped ones are told."""

import base64
import hashlib
import json
import re

import pytest
import yaml
from fakes.telemetry import card, sealed

from forgia_hpc.data.access.taken_back import find_taken_back
from forgia_hpc.data.access.withdraw import withdraw
from forgia_hpc.data.access.withdraw_plan import plan_withdrawal
from forgia_hpc.data.catalogue.listing import list_datasets
from forgia_hpc.data.crypto.demands import require_signatures
from forgia_hpc.data.crypto.key_file import load_key, make_key
from forgia_hpc.data.crypto.signatures import PAYLOAD_TYPE, envelope, sign
from forgia_hpc.data.crypto.stones import verify_stones
from forgia_hpc.data.crypto.trust import own_trust
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, SealBrokenError

SHARD = "shards/train-000.h5"


@pytest.fixture
def keys(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    return {name: make_key(tmp_path / f"{name}.json", name) for name in ("anna", "eve")}


@pytest.fixture
def root(tmp_path, keys):
    members = [sealed(tmp_path / "data", name, seed) for seed, name in enumerate(("forge", "mill"))]
    words = card("valley", members=["forge", "mill"])
    seal_consortium("valley", members, words, tmp_path / "data" / "valley")
    withdraw(plan_withdrawal(tmp_path / "data" / "mill", [SHARD]), load_key())
    return tmp_path / "data"


def trust(**contributors):
    own_trust().parent.mkdir(parents=True, exist_ok=True)
    own_trust().write_text(
        yaml.safe_dump({"format": "forgia.trust/1", "contributors": contributors})
    )


def again(place, change):
    """Put another tombstone in and seal the manifest over it, as who can write to the directory can."""
    manifest = load_manifest(place)
    (stone,) = manifest.tombstones
    path = place / stone["path"]
    data = change(path.read_bytes(), json.loads(path.read_bytes()))
    path.write_bytes(data)
    facts = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    files = [
        {**one, **facts} if one["path"] == stone["path"] else one
        for one in manifest.content["files"]
    ]
    (place / "manifest.json").write_bytes(canonical_json({**manifest.content, "files": files}))
    return load_manifest(place)


def payload_of(content):
    return base64.b64decode(content["payload"])


def test_a_right_one_passes_and_says_whose_it_is(root, keys):
    for name in ("mill", "valley"):
        (found,) = verify_stones(load_manifest(root / name))
        assert (found.who, found.by, found.fault, found.trusted) == (
            "acme",
            keys["anna"],
            "",
            False,
        )
        assert found.about.startswith("withdrawal of mill (20")
        assert check(root / name) == []
    trust(acme=[keys["anna"].text])
    assert [one.trusted for one in verify_stones(load_manifest(root / "mill"))] == [True]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda _, said: canonical_json({**said, "signatures": []}), "nobody has signed it"),
        (lambda _, said: canonical_json({**said, "payload": said["payload"][:-8] + "AAAAAA=="}),
         "a signature is wrong|base64"),
        (lambda data, _: data + b" ", "not canonical JSON"),
        (lambda _, said: canonical_json({"payload": said["payload"]}), "no DSSE envelope"),
        (lambda _, said: canonical_json(envelope(
            payload_of(said).replace(b'"whole":false', b'"whole":true'), [load_key()], PAYLOAD_TYPE)),
         "another withdrawal"),
        (lambda _, said: canonical_json(envelope(
            payload_of(said).replace(b"withdrawal/1", b"dataset-signature/1"), [load_key()], PAYLOAD_TYPE)),
         "something else than a withdrawal"),
    ],
    ids=["unsigned", "altered", "spelled otherwise", "no envelope", "another", "another kind"],
)  # fmt: skip
def test_what_the_contributor_has_not_signed_so_is_a_fault(root, change, why):
    manifest = again(root / "mill", change)
    (found,) = verify_stones(manifest)
    assert found.by is None
    assert "tombstones/" in found.fault
    assert re.search(why, found.fault)
    assert found.fault in check(root / "mill")
    with pytest.raises(SealBrokenError, match="tombstones/"):
        require_signatures(manifest)


def test_a_foreign_signature_is_refused_where_trust_names_the_contributors_own(
    root, keys, tmp_path
):
    eve = load_key(tmp_path / "eve.json")
    manifest = again(
        root / "mill",
        lambda _, said: canonical_json(envelope(payload_of(said), [eve], PAYLOAD_TYPE)),
    )
    assert check(root / "mill") == []  # nobody has said who may sign for acme
    trust(acme=[keys["anna"].text])
    (fault,) = check(root / "mill")
    assert f"signed by eve {keys['eve'].fingerprint}" in fault
    assert "does not name for acme" in fault
    sign(manifest, load_key())
    with pytest.raises(SealBrokenError, match="does not name for acme"):
        require_signatures(manifest)


def test_a_job_that_demands_signatures_demands_them_of_withdrawals(root, keys):
    manifest = load_manifest(root / "mill")
    trust(other=[keys["eve"].text])
    with pytest.raises(InputError) as told:
        require_signatures(manifest)
    assert "withdrawal of mill" in str(told.value)
    trust(acme=[keys["anna"].text])
    sign(manifest, load_key())
    require_signatures(manifest)


def test_what_was_withdrawn_and_is_listed_again_is_a_fault(tmp_path, keys):
    place = sealed(tmp_path)
    whole = load_manifest(place).content
    (tmp_path / "kept").write_bytes((place / SHARD).read_bytes())
    withdraw(plan_withdrawal(place, [SHARD]), load_key())
    content = load_manifest(place).content
    content = {**content, "shards": whole["shards"]}
    (place / SHARD).write_bytes((tmp_path / "kept").read_bytes())
    (place / "manifest.json").write_bytes(canonical_json(content))
    (found,) = verify_stones(load_manifest(place))
    assert f"withdrawn, and still there: {SHARD}" in found.fault


def test_a_list_says_what_is_right_trusted_and_wrong(root, keys):
    sign(load_manifest(root / "forge"), load_key())
    rows = {one.name: one for one in list_datasets(root)}
    assert [(one.who, one.by, one.state) for one in rows["forge"].signatures] == [
        ("acme", "anna", "right")
    ]
    assert [one.about[:18] for one in rows["mill"].signatures] == ["withdrawal of mill"]
    assert rows["forge"].tombstones == 0
    trust(acme=[keys["anna"].text])
    again(root / "mill", lambda _, said: canonical_json({**said, "signatures": []}))
    path = root / "forge" / "signatures" / "acme.dsse.json"
    path.write_bytes(path.read_bytes()[:-1])
    rows = {one.name: one for one in list_datasets(root)}
    assert [one.state for one in rows["forge"].signatures] == ["wrong"]
    assert [one.state for one in rows["mill"].signatures] == ["wrong"]
    assert [one.state for one in rows["valley"].signatures] == ["trusted"]


def test_a_publish_check_tells_of_a_withdrawal_whose_signature_is_wrong(root):
    count = {"windows": 7, "series": 7, "tokens": 7.0, "policy": ""}
    version = load_manifest(root / "mill").tombstones[0]["version"]
    entry = {"version": version, "contributor": "acme", "shards": {SHARD: count}}
    usage = {"dataset": {"identifier": "mill@0"}, "contributions": {"mill": entry}}
    (found,) = find_taken_back(usage, {root}).found
    assert found.fault == ""
    for name in ("mill", "valley"):
        again(root / name, lambda _, said: canonical_json({**said, "signatures": []}))
    (found,) = find_taken_back(usage, {root}).found
    assert "nobody has signed it" in found.fault
