"""Encrypted and plain again: every form of a dataset comes back to the byte, with its version."""

import pytest
from fakes.simulated import sealed_fields, simulated
from fakes.telemetry import card, sealed

from forgia_hpc.data.access.withdraw import withdraw
from forgia_hpc.data.access.withdraw_plan import plan_withdrawal
from forgia_hpc.data.catalogue.freeze import freeze
from forgia_hpc.data.crypto.decrypting import decrypt
from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import load_key, make_key
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.windows import Cutting
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.repack import to_cold, to_hot
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.errors import InputError, SealBrokenError

POLICY = {"policy": {"purposes": ["train"]}}


def quiet(*_):
    """Nobody looks."""


@pytest.fixture
def anna(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    return make_key(tmp_path / "anna.json", "anna")


@pytest.fixture(params=["telemetry", "telemetry, cold", "fields", "fields, cold"])
def plain(tmp_path, anna, request):
    """A sealed contribution of each layout and profile."""
    telemetry = request.param.startswith("telemetry")
    made = (
        sealed(tmp_path / "hot", **POLICY)
        if telemetry
        else sealed_fields(tmp_path / "hot", simulated(20, 30, storage="i16"), per_shard=2)
    )
    if not request.param.endswith("cold"):
        return made
    to_cold(made, tmp_path / "cold" / made.name, "gzip", quiet)
    return tmp_path / "cold" / made.name


@pytest.fixture
def secret(plain, anna, tmp_path):
    encrypt(plain, [anna], tmp_path / "sealed")
    return tmp_path / "sealed" / plain.name


def files(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def values(directory):
    """All values of a dataset of either layout."""
    if "fields" in load_manifest(directory).layout:
        with open_fields(directory) as dataset:
            windows = dataset.windows(Split.train, Cutting(steps=3))
            found = windows.gather([(0, number) for number in range(len(windows))])
            return [found.values.tobytes(), found.static.tobytes(), found.times.tobytes()]
    with open_dataset(directory) as dataset:
        facts = dataset.segments("mill")
        return [dataset.segment("mill", one.number).values.tobytes() for one in facts]


def test_the_owner_gets_back_every_byte_and_the_version(plain, secret, tmp_path):
    before = load_manifest(plain)
    (found,) = decrypt(secret, tmp_path / "again").values()
    assert (found.version, found.same) == (before.version, True)
    assert files(tmp_path / "again" / plain.name) == files(plain)


def test_encrypted_it_gives_the_same_values_and_is_sound(plain, secret):
    assert values(secret) == values(plain)
    assert check(secret) == []
    ids = [[one.content_id for one in load_manifest(one).shards] for one in (plain, secret)]
    assert ids[0] == ids[1]
    assert {one.profile for one in load_manifest(secret).shards} == {
        one.profile for one in load_manifest(plain).shards
    }


def test_without_a_key_nothing_is_told_and_nothing_is_left(secret, tmp_path, monkeypatch):
    make_key(tmp_path / "ben.json", "ben")
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "ben.json"))
    for attempt in (check, values, lambda one: decrypt(one, tmp_path / "again")):
        with pytest.raises(InputError, match="is sealed to anna"):
            attempt(secret)
    assert not list((tmp_path / "again").glob("*"))


def test_an_altered_block_is_named_and_nothing_appears(secret, tmp_path):
    path = secret / load_manifest(secret).shards[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(SealBrokenError, match=path.name):
        values(secret)
    assert any(path.name in line for line in check(secret))
    with pytest.raises(SealBrokenError, match=path.name):
        decrypt(secret, tmp_path / "again")
    assert not list((tmp_path / "again").glob("*"))


def test_encrypted_is_not_repacked_and_says_the_way(secret, tmp_path):
    for repack in (lambda: to_cold(secret, tmp_path / "x", "gzip", quiet),
                   lambda: to_hot(secret, tmp_path / "x", quiet)):  # fmt: skip
        with pytest.raises(InputError, match="forgia data decrypt it"):
            repack()


def test_a_consortium_comes_back_with_its_members_and_its_withdrawals(anna, tmp_path):
    root = tmp_path / "plain"
    members = [sealed(root, name, seed) for seed, name in enumerate(("forge", "mill", "saw"))]
    words = card("valley", members=["forge", "mill", "saw"])
    seal_consortium("valley", members, words, root / "valley")
    withdraw(plan_withdrawal(root / "saw"), load_key(), "we leave")
    before = load_manifest(root / "valley")
    encrypt(root / "valley", [anna], tmp_path / "sealed")
    assert load_manifest(tmp_path / "sealed" / "valley").tombstones == before.tombstones
    assert check(tmp_path / "sealed" / "valley") == []
    found = decrypt(tmp_path / "sealed" / "valley", tmp_path / "again")
    assert {name: one.version for name, one in found.items()} == {
        **{one.name: one.version for one in before.members},
        "valley": before.version,
    }
    assert all(one.same for one in found.values())


def test_what_was_withdrawn_does_not_come_back_and_the_version_is_another(anna, tmp_path):
    plain = sealed(tmp_path / "plain")
    encrypt(plain, [anna], tmp_path / "sealed")
    gone = load_manifest(tmp_path / "sealed" / "mill").shards[0].path
    withdraw(plan_withdrawal(tmp_path / "sealed" / "mill", [gone]), load_key())
    (found,) = decrypt(tmp_path / "sealed" / "mill", tmp_path / "again").values()
    assert not found.same
    again = load_manifest(tmp_path / "again" / "mill")
    assert len(again.tombstones) == 1
    assert gone.removesuffix("e") not in {one.path for one in again.shards}
    assert check(again.directory) == []


def test_what_is_not_encrypted_or_frozen_is_refused(anna, tmp_path):
    plain = sealed(tmp_path / "plain")
    with pytest.raises(InputError, match="nothing in it is encrypted"):
        decrypt(plain, tmp_path / "x")
    freeze(plain, "mill-1", tmp_path / "plain")
    with pytest.raises(InputError, match="it never changes"):
        encrypt(tmp_path / "plain" / "mill-1", [anna], tmp_path / "x")
    assert not (tmp_path / "x").exists()
