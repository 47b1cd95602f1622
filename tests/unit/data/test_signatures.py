import base64
import hashlib
import json
from dataclasses import replace

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fakes.telemetry import card, contribution, sealed

from forgia_hpc.data.access.grant import grant_digest, read_grant
from forgia_hpc.data.access.granting import Asked, granted_inputs, make_grant
from forgia_hpc.data.crypto.demands import require_signatures
from forgia_hpc.data.crypto.key_file import load_key, make_key
from forgia_hpc.data.crypto.signatures import (
    PAYLOAD_TYPE,
    envelope,
    pae,
    sign,
    statement,
    verify,
)
from forgia_hpc.data.crypto.trust import load_trust, own_trust
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.schema.data import Data


@pytest.fixture
def anna(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    return make_key(tmp_path / "anna.json", "anna")


@pytest.fixture
def mill(tmp_path, anna):
    return load_manifest(sealed(tmp_path / "data"))


def trust(directory, **lists):
    content = {"format": "forgia.trust/1", "contributors": lists}
    if "consortium" in lists:
        content["consortium"] = lists.pop("consortium")
    (directory / "trust.yaml").write_text(yaml.safe_dump(content))


def own_settings():
    """The directory of this person's own trust.yaml."""
    own_trust().parent.mkdir(parents=True, exist_ok=True)
    return own_trust().parent


def test_pae_is_that_of_the_protocol():
    """The example of the DSSE protocol, version 1."""
    wanted = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == wanted


def test_another_tool_can_verify_an_envelope(mill, anna):
    """DSSE protocol and in-toto Statement v1, recomputed without our code."""
    content = json.loads(sign(mill, load_key()).read_bytes())
    body = base64.b64decode(content["payload"])
    kind = content["payloadType"].encode()
    signed = b" ".join([b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(body), body])
    (one,) = content["signatures"]
    key = Ed25519PublicKey.from_public_bytes(anna.signing)
    key.verify(base64.b64decode(one["sig"]), signed)
    said = json.loads(body)
    assert content["payloadType"] == "application/vnd.in-toto+json"
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    shards = [one for one in said["subject"] if one["name"].startswith("shards/")]
    assert shards == [{"name": s.path, "digest": {"sha256": s.sha256}} for s in mill.shards]


def test_a_signature_does_not_change_the_version_and_passes_check(mill):
    sign(mill, load_key())
    assert load_manifest(mill.directory).version == mill.version
    assert check(mill.directory) == []


def test_trust_says_whose_signature_counts(mill, anna):
    sign(mill, load_key())
    assert [one.trusted for one in verify(mill)] == [False]
    trust(mill.directory, acme=[anna.text])
    assert [one.trusted for one in verify(mill)] == [True]
    trust(mill.directory, other=[anna.text])
    assert [one.trusted for one in verify(mill)] == [False]


def test_ones_own_trust_goes_before_that_of_the_directory(mill, anna, tmp_path, monkeypatch):
    trust(mill.directory, acme=[anna.text])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (tmp_path / "settings" / "forgia").mkdir(parents=True)
    trust(tmp_path / "settings" / "forgia", acme=[])
    sign(mill, load_key())
    assert [one.trusted for one in verify(mill)] == [False]
    (tmp_path / "settings" / "forgia" / "trust.yaml").write_text("format: forgia.trust/9")
    with pytest.raises(InputError, match=r"trust\.yaml"):
        load_trust(mill.directory)


def test_two_people_sign_the_same_and_an_old_signature_goes(mill, anna, tmp_path, monkeypatch):
    sign(mill, load_key())
    ben = make_key(tmp_path / "ben.json", "ben")
    sign(mill, load_key(tmp_path / "ben.json"))
    assert {one.by for one in verify(mill)} == {anna, ben}
    (tmp_path / "again").mkdir()
    other = load_manifest(sealed(tmp_path / "again", seed=5))
    (other.directory / "signatures").mkdir()
    for path in (mill.directory / "signatures").iterdir():
        (other.directory / "signatures" / path.name).write_bytes(path.read_bytes())
    (one,) = verify(other)
    assert "another version" in one.fault
    assert check(other.directory)
    sign(other, load_key())
    assert [(one.by, one.fault) for one in verify(other)] == [(anna, "")]


def test_every_flipped_bit_of_an_envelope_is_seen(mill):
    path = sign(mill, load_key())
    whole = path.read_bytes()
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        assert any(one.fault for one in verify(mill)), at


def test_signatures_can_be_demanded_before_a_job_is_sealed(mill, anna):
    asked = Asked(purpose="train", walltime_s=60, place=None)
    words = Data(dataset="mill", require_signatures=True)
    with pytest.raises(InputError, match="signed by: nobody"):
        granted_inputs(mill.directory, words, asked)
    path = sign(mill, load_key())
    with pytest.raises(InputError, match=f"signed by: anna {anna.fingerprint}"):
        granted_inputs(mill.directory, words, asked)
    trust(mill.directory, acme=[anna.text])  # whoever alters the data can write this beside them
    with pytest.raises(InputError, match=f"signed by: anna {anna.fingerprint}"):
        granted_inputs(mill.directory, words, asked)
    trust(own_settings(), acme=[anna.text])
    assert granted_inputs(mill.directory, words, asked)["grant"]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SealBrokenError):
        granted_inputs(mill.directory, words, asked)


def test_the_consortiums_signature_covers_its_members(mill, anna, tmp_path):
    place = tmp_path / "data" / "valley"
    seal_consortium("valley", [mill.directory], card("valley", members=["mill"]), place)
    valley = load_manifest(place)
    with pytest.raises(InputError, match="no trusted signature for acme"):
        require_signatures(valley)
    trust(own_settings(), consortium=[anna.text])
    assert sign(valley, load_key()).name == "consortium.dsse.json"
    require_signatures(valley)
    assert check(place) == []


def test_a_contributor_does_not_speak_for_the_members_of_a_consortium(mill, anna, tmp_path):
    """A consortium's manifest names itself a contributor: that one's key once let all members in."""
    owned = replace(contribution("forge", 1), contributor="forge_works")
    seal(owned, card("forge", contributor="forge_works"), tmp_path / "data" / "forge")
    other = load_manifest(tmp_path / "data" / "forge")
    place = tmp_path / "data" / "valley"
    members = [mill.directory, other.directory]
    seal_consortium("valley", members, card("valley", members=["forge", "mill"]), place)
    valley = load_manifest(place)
    trust(own_settings(), acme=[anna.text])
    path = sign(mill, load_key())
    sign(valley, load_key()).rename(place / "signatures" / "acme.dsse.json")
    payload = canonical_json(statement(valley, "acme"))
    forged = canonical_json(envelope(payload, [load_key()], PAYLOAD_TYPE))
    (place / "signatures" / path.name).write_bytes(forged)
    with pytest.raises(SealBrokenError, match="acme has no part in valley"):
        require_signatures(valley)


def test_a_contributors_signature_holds_card_and_index(mill, anna):
    """The card alone says who may have a model where no policy has a document of its own."""
    trust(own_settings(), acme=[anna.text])
    sign(mill, load_key())
    require_signatures(mill)
    open_ = mill.directory / "card.yaml"
    data = open_.read_bytes().replace(b"release: consortium", b"release: open")
    open_.write_bytes(data)
    digest, files = hashlib.sha256(data).hexdigest(), []
    for one in mill.content["files"]:
        card_ = one["path"] == "card.yaml"
        files.append({**one, "bytes": len(data), "sha256": digest} if card_ else one)
    (mill.directory / "manifest.json").write_bytes(canonical_json({**mill.content, "files": files}))
    with pytest.raises(SealBrokenError, match="another version"):
        require_signatures(load_manifest(mill.directory))


def test_a_grant_is_signed_with_the_users_key_and_an_altered_signature_refused(mill):
    grant = make_grant(mill, Data(dataset="mill"))
    assert grant["signature"]["by"].startswith("forgia-key-1 anna ")
    assert list(read_grant(grant))
    wrong = {**grant["signature"], "sig": base64.b64encode(bytes(64)).decode()}
    with pytest.raises(SealBrokenError, match="signature is wrong"):
        list(read_grant({**grant, "signature": wrong}))


@pytest.fixture
def demanding(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "none.json"))
    return load_manifest(sealed(tmp_path / "data", policy={"signed_grant": "required"}))


def test_a_policy_may_demand_that_the_grant_is_signed(demanding, tmp_path, monkeypatch):
    with pytest.raises(InputError) as told:
        make_grant(demanding, Data(dataset="mill"))
    assert "that their user has signed" in str(told.value)
    assert "forgia data keygen" in str(told.value)
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    make_key(tmp_path / "anna.json", "anna")
    grant = make_grant(demanding, Data(dataset="mill"))
    assert list(read_grant(grant))
    stripped = {key: value for key, value in grant.items() if key != "signature"}
    with pytest.raises(SealBrokenError, match=r"its policy denies.*it is not signed"):
        read_grant(stripped)
    freed = json.loads(
        json.dumps(stripped)
    )  # the demand taken out of the grant's copy of the policy
    for document in freed["policies"].values():
        for rule in document["permission"]:
            rule["constraint"] = [
                one for one in rule["constraint"] if one["leftOperand"] != "forgia:signedGrant"
            ]
    freed["digest"] = grant_digest(freed)
    with pytest.raises(SealBrokenError, match="of the grant was altered"):
        read_grant(freed)


def test_without_the_demand_a_grant_without_a_key_is_read_as_before(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "none.json"))
    grant = make_grant(load_manifest(sealed(tmp_path)), Data(dataset="mill"))
    assert "signature" not in grant
    assert "key_file" not in grant
    assert list(read_grant(grant))
