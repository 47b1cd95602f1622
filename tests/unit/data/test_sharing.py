"""A directory that belongs to a group: what is written there, the group can read, whatever the umask."""

import os
import stat

import pytest
from fakes.telemetry import sealed

from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import load_key, make_key
from forgia_hpc.data.crypto.signatures import sign
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.sharing import unreadable_parts


@pytest.fixture
def closed_umask():
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def shared(tmp_path, closed_umask):
    place = tmp_path / "shared"
    place.mkdir()
    place.chmod(0o2770)
    return place


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_group_reads_all_that_is_sealed_encrypted_and_signed_there(
    shared, tmp_path, monkeypatch
):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    anna = make_key(tmp_path / "anna.json", "anna")
    plain = sealed(shared, policy={"expires": "2030-01-01"})
    encrypt(plain, [anna], shared / "closed")
    sign(load_manifest(plain), load_key())
    for path in [*plain.rglob("*"), *(shared / "closed/mill").rglob("*")]:
        wanted = 0o2050 if path.is_dir() else 0o040
        assert mode(path) & wanted == wanted, path
    assert mode(tmp_path / "anna.json") == 0o600
    assert unreadable_parts(plain) == unreadable_parts(shared / "closed/mill") == []


def test_what_the_group_can_not_read_is_told(shared, forgia, monkeypatch):
    plain = sealed(shared)
    (plain / "card.yaml").chmod(0o600)
    (line,) = unreadable_parts(plain)
    assert line == f"{plain}/card.yaml: mode 600, the group can't read it"
    told = forgia("data", "check", str(plain))
    assert told.returncode == 0
    assert line in told.stderr


def test_a_directory_that_is_nobody_elses_stays_so(tmp_path, closed_umask):
    plain = sealed(tmp_path)
    assert mode(plain) == 0o700
    assert unreadable_parts(plain) == []
