import json
import os
import stat

import pytest
from fakes.telemetry import sealed

from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import key_path, load_key, make_key
from forgia_hpc.data.crypto.keys import (
    Keyring,
    key_id_of,
    keyring,
    locks_of,
    open_record,
    wrap_for_grant,
)
from forgia_hpc.data.crypto.people import people_of, person_of, wrap_again
from forgia_hpc.data.crypto.public_key import from_base64, public_from, seal_to, to_base64
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.schema.data import Data


@pytest.fixture
def anna(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    return make_key(tmp_path / "anna.json", "anna")


@pytest.fixture
def mill(tmp_path, anna):
    encrypt(sealed(tmp_path / "plain"), [anna], tmp_path / "sealed")
    return load_manifest(tmp_path / "sealed" / "mill")


def test_a_key_file_is_its_owners_alone_and_never_made_twice(tmp_path, anna):
    path = tmp_path / "anna.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(InputError, match="is there already"):
        make_key(path, "anna")
    path.chmod(0o640)
    with pytest.raises(InputError, match=r"others can read it \(mode 0640"):
        load_key()


def test_nothing_shows_a_private_half(anna, mill):
    user = load_key()
    content = json.loads(key_path().read_bytes())
    ring = keyring(mill)
    keys = [ring.key_of(lock.key_id) for lock in locks_of(mill)]
    shown = repr(user) + str(user) + repr(ring) + str(user.public)
    assert content["signing"] not in shown
    for key in (from_base64(content["signing"]), from_base64(content["sealing"]), *keys):
        assert repr(key) not in shown
        assert key.hex() not in shown


def test_a_broken_key_file_is_refused_without_its_content(tmp_path, anna):
    text = (tmp_path / "anna.json").read_text()
    (tmp_path / "anna.json").write_text(text.replace("signing", "signet"))
    with pytest.raises(InputError, match="is no key file") as error:
        load_key()
    assert json.loads(text)["signing"] not in str(error.value)


def test_the_public_line_survives_the_mail(tmp_path, anna):
    assert public_from(f"  {anna.text}\n") == anna
    (tmp_path / "anna.pub").write_text(anna.text + "\n")
    assert public_from(str(tmp_path / "anna.pub")).fingerprint == anna.fingerprint
    for wrong in (anna.text[:-1], anna.text.replace("-1", "-2"), anna.text + " x", "anna"):
        with pytest.raises(InputError, match="public key"):
            public_from(wrong)


def test_base64_has_one_spelling():
    assert from_base64("AA==") == b"\0"
    for other in ("AB==", "AA=", "AA==\n", 7, "A A=="):
        with pytest.raises(ValueError, match=r"base64|padding|Only"):
            from_base64(other)


def test_the_settings_name_the_key(tmp_path, monkeypatch):
    monkeypatch.delenv("FORGIA_KEY", raising=False)
    settings = tmp_path / "settings" / "forgia"
    settings.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    assert key_path() == settings / "keys" / "key.json"
    (settings / "config.yaml").write_text("keys: $MY_KEYS/me.json\n")
    monkeypatch.setenv("MY_KEYS", "/safe")
    assert str(key_path()) == "/safe/me.json"


def test_hpke_is_that_of_rfc_9180(anna):
    """Recomputed from RFC 9180, sections 4.1 and 5.1, with HMAC and AES-GCM alone."""
    import hmac

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    def extract(salt, label, ikm, suite):
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")

    def expand(prk, label, info, size, suite):
        labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
        return hmac.digest(prk, labelled + b"\x01", "sha256")[:size]

    sealed_key = seal_to(anna, b"k" * 32, b"info")
    own = from_base64(json.loads(key_path().read_bytes())["sealing"])
    enc, ciphertext = sealed_key[:32], sealed_key[32:]
    dh = X25519PrivateKey.from_private_bytes(own).exchange(X25519PublicKey.from_public_bytes(enc))
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    prk = extract(b"", b"eae_prk", dh, kem)
    shared = expand(prk, b"shared_secret", enc + anna.sealing, 32, kem)
    context = (
        b"\0"
        + extract(b"", b"psk_id_hash", b"", suite)
        + extract(b"", b"info_hash", b"info", suite)
    )
    secret = extract(shared, b"secret", b"", suite)
    key = expand(secret, b"key", context, 32, suite)
    nonce = expand(secret, b"base_nonce", context, 12, suite)
    assert AESGCM(key).decrypt(nonce, ciphertext, b"") == b"k" * 32


def test_each_file_has_a_key_of_its_own_that_its_id_commits_to(mill):
    locks = locks_of(mill)
    ring = keyring(mill)
    keys = [ring.key_of(lock.key_id) for lock in locks]
    assert len(set(keys)) == len(locks) == 4  # three shards and the index
    assert [key_id_of(key) for key in keys] == [lock.key_id for lock in locks]


def test_a_grant_carries_this_persons_wraps_and_opens_with_them_alone(mill):
    grant = make_grant(mill, Data(dataset="mill"))
    assert set(grant["wrapped_keys"]) == {lock.key_id for lock in locks_of(mill)}
    for lock in locks_of(mill):
        lock.record.unlink()
    with open_dataset(grant) as dataset:
        assert dataset.segment("mill", 0).values.shape[0] == 5


def test_who_is_not_among_them_is_told_whom_to_ask(mill, tmp_path, monkeypatch):
    make_key(tmp_path / "ben.json", "ben")
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "ben.json"))
    for attempt in (
        lambda: wrap_for_grant(mill, mill.shards),
        lambda: open_dataset(mill.directory),
    ):
        with pytest.raises(InputError, match="is sealed to anna") as error:
            attempt()
        assert "ben" in str(error.value)
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "nobody.json"))
    with pytest.raises(InputError, match="no key file can be read"):
        open_dataset(mill.directory)


def test_more_people_are_added_without_touching_data_or_version(mill, tmp_path, monkeypatch):
    files = {one.path: (mill.directory / one.path).stat().st_mtime_ns for one in mill.shards}
    ben = make_key(tmp_path / "ben.json", "ben")
    assert len(wrap_again(mill.directory, [ben])) == 4
    assert load_manifest(mill.directory).version == mill.version
    assert files == {p: (mill.directory / p).stat().st_mtime_ns for p in files}
    for name in ("anna", "ben"):
        monkeypatch.setenv("FORGIA_KEY", str(tmp_path / f"{name}.json"))
        with open_dataset(mill.directory) as dataset:
            assert dataset.segments("mill")


def test_a_wrap_is_bound_to_shard_policy_and_key(mill):
    user = load_key()
    one, two = locks_of(mill)[:2]
    first, second = one.record.read_bytes(), two.record.read_bytes()
    one.record.write_bytes(second)
    with pytest.raises(SealBrokenError, match="is that of"):
        open_record(one, user)
    swapped = {**json.loads(first), "wraps": json.loads(second)["wraps"]}
    one.record.write_bytes(canonical_json(swapped))
    with pytest.raises(SealBrokenError, match="does not open"):
        open_record(one, user)
    one.record.write_bytes(canonical_json({**json.loads(first), "policy": "ab" * 32}))
    with pytest.raises(SealBrokenError, match=r"bound to policy abab.*manifest says none"):
        open_record(one, user)
    forged = to_base64(seal_to(user.public, os.urandom(32), one.info(user.public.fingerprint)))
    wraps = [{**json.loads(first)["wraps"][0], "wrapped": forged}]
    one.record.write_bytes(canonical_json({**json.loads(first), "wraps": wraps}))
    with pytest.raises(SealBrokenError, match="holds another key"):
        open_record(one, user)


def test_who_opens_one_wrap_sees_that_anothers_was_altered(mill, tmp_path):
    ben = make_key(tmp_path / "ben.json", "ben")
    wrap_again(mill.directory, [ben])
    lock = locks_of(mill)[0]
    content = json.loads(lock.record.read_bytes())
    for wrap in content["wraps"]:
        if wrap["to"] == ben.text:
            wrap["wrapped"] = to_base64(bytes(80))
    lock.record.write_bytes(canonical_json(content))
    with pytest.raises(SealBrokenError, match="MAC"):
        Keyring(lambda: [lock]).key_of(lock.key_id)


@pytest.mark.parametrize(
    "change", [{"mac": "é"}, {"mac": 5}, {"wraps": [{"to": 5, "wrapped": ""}]}, {"wraps": 5}]
)
def test_a_record_of_odd_values_is_altered_and_nothing_worse(mill, change):
    lock = locks_of(mill)[0]
    record = json.loads(lock.record.read_bytes())
    lock.record.write_bytes(canonical_json({**record, **change}))
    with pytest.raises(SealBrokenError, match="altered"):
        open_record(lock, load_key())


def test_a_renewed_policy_is_wrapped_again_and_rewrites_no_data(mill):
    path = mill.directory / "manifest.json"
    content = json.loads(path.read_bytes())
    for entry in content["shards"]:
        entry["policy"] = "cd" * 32
    path.write_bytes(canonical_json(content))
    renewed = load_manifest(mill.directory)
    lock = locks_of(renewed, renewed.shards)[0]
    with pytest.raises(SealBrokenError, match="who holds the key wraps it again"):
        open_record(lock, load_key())
    before = (mill.directory / lock.path).stat().st_mtime_ns
    wrap_again(mill.directory)
    assert key_id_of(open_record(lock, load_key())) == lock.key_id
    assert (mill.directory / lock.path).stat().st_mtime_ns == before


def test_who_is_taken_off_opens_nothing_more_here_and_the_rest_stays(mill, tmp_path, monkeypatch):
    ben, other = (make_key(tmp_path / name, "ben") for name in ("ben.json", "other.json"))
    wrap_again(mill.directory, [ben, other])
    there = people_of(mill)
    with pytest.raises(InputError, match=f"several are called so.*{ben.fingerprint}"):
        person_of("ben", there)
    with pytest.raises(InputError, match="nothing is sealed to them"):
        person_of("carla", there)
    assert len(wrap_again(mill.directory, remove=[person_of(ben.fingerprint, there)])) == 4
    assert load_manifest(mill.directory).version == mill.version
    assert set(people_of(mill)) == {load_key().public.fingerprint, other.fingerprint}
    for name in ("other", "ben"):
        monkeypatch.setenv("FORGIA_KEY", str(tmp_path / f"{name}.json"))
        if name == "ben":
            with pytest.raises(InputError, match="is sealed to"):
                open_dataset(mill.directory)
        else:
            open_dataset(mill.directory).__exit__(None, None, None)


def test_what_was_granted_before_still_opens_for_who_was_taken_off(mill, tmp_path, monkeypatch):
    """Said in the threat model: a wrap in a grant, as a key that was kept, is out of reach."""
    ben = make_key(tmp_path / "ben.json", "ben")
    wrap_again(mill.directory, [ben])
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "ben.json"))
    grant = make_grant(mill, Data(dataset="mill"))
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    wrap_again(mill.directory, remove=[ben])
    with open_dataset(grant) as dataset:
        assert dataset.segments("mill")


def test_nobody_takes_off_oneself_and_locks_everybody_out(mill, anna):
    with pytest.raises(InputError, match="another who holds the keys"):
        wrap_again(mill.directory, remove=[anna])
    with pytest.raises(InputError, match="nothing in it is encrypted"):
        people_of(load_manifest(mill.directory.parents[1] / "plain" / "mill"))
