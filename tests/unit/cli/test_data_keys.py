import json

import pytest
from click.testing import CliRunner
from fakes.telemetry import card, sealed

from forgia_hpc.cli.main import forgia
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.errors import InputError


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "key.json"))
    members = [sealed(tmp_path / "data", name, seed) for seed, name in enumerate(("mill", "forge"))]
    words = card("valley", members=["forge", "mill"])
    seal_consortium("valley", members, words, tmp_path / "data" / "valley")
    assert said("keygen", "--name", "anna").startswith("forgia-key-1 anna ")
    return tmp_path / "data"


def said(*words, code=0):
    done = CliRunner().invoke(forgia, ["data", *map(str, words)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout


def test_the_whole_trip_of_a_contributor(root, tmp_path):
    public = said("keygen", "--public")
    (tmp_path / "anna.pub").write_text(public)
    facts = json.loads(said("keygen", "--public", "--json"))
    assert facts["public"] == public.strip()
    versions = json.loads(
        said("encrypt", "valley", "--to", tmp_path / "anna.pub", "--into", tmp_path / "s", "--json")
    )["versions"]
    assert set(versions) == {"forge", "mill", "valley"}
    place = tmp_path / "s" / "valley"
    assert "sound" in said("check", place)
    assert "signed by anna" in said("sign", place)
    (signed,) = json.loads(said("verify", place, "--json"))["signed"]
    assert (signed["for"], signed["trusted"], signed["fault"]) == ("consortium", False, "")
    assert "8 keys wrapped again" in said("encrypt", place, "--wrap")
    told = json.loads(said("withdraw", tmp_path / "s" / "mill", "--dry-run", "--json"))
    assert (len(told["shards"]), len(told["keys_destroyed"]), told["versions"]) == (3, 4, {})
    told = json.loads(said("withdraw", tmp_path / "s" / "mill", "--yes", "--json"))
    assert load_manifest(place).version == told["versions"]["valley"]
    assert "not signed" in said("verify", place)
    assert "sound" in said("check", place)


def test_encrypting_in_place_replaces_the_plain_version(root):
    said("encrypt", "mill", "--replace")
    assert not list((root / "mill").rglob("*.h5"))
    assert len(list((root / "mill").rglob("*.h5e"))) == 3


def test_a_place_must_be_chosen_and_a_name_typed(root):
    for words in (["encrypt", "mill"], ["encrypt", "mill", "--into", "x", "--replace"]):
        done = CliRunner().invoke(forgia, ["data", *words])
        assert isinstance(done.exception, InputError)
    done = CliRunner().invoke(forgia, ["data", "withdraw", "mill"])
    assert isinstance(done.exception, InputError)
    assert "nobody can be asked" in str(done.exception)
    assert load_manifest(root / "mill").shards


def test_a_wrong_signature_ends_with_5(root):
    said("sign", "mill")
    (path,) = (root / "mill" / "signatures").iterdir()
    path.write_bytes(path.read_bytes().replace(b"A", b"B", 1))
    assert "WRONG" in said("verify", "mill", code=5)
    assert "fault" in said("check", "mill", code=5)
