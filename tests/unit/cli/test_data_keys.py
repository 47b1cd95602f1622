import json

import pytest
from click.testing import CliRunner
from fakes.telemetry import card, sealed

from forgia_hpc.cli.main import forgia
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.errors import InputError
from forgia_hpc.rundir import write_json


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
    told = said("verify", place)
    assert "not signed" in told
    assert "withdrawal of mill" in told
    assert json.loads(said("verify", place, "--json"))["signed"][0]["about"][:10] == "withdrawal"
    assert "sound" in said("check", place)


def test_encrypting_in_place_replaces_the_plain_version(root):
    said("encrypt", "mill", "--replace")
    assert not list((root / "mill").rglob("*.h5"))
    assert len(list((root / "mill").rglob("*.h5e"))) == 3


def test_decrypting_in_place_gives_the_plain_version_back(root):
    before = load_manifest(root / "mill").version
    said("encrypt", "mill", "--replace")
    assert "the version that was encrypted" in said("decrypt", "mill", "--replace")
    assert load_manifest(root / "mill").version == before
    assert not (root / "mill" / "keys").exists()
    told = json.loads(said("encrypt", "mill", "--replace", "--json"))
    assert set(json.loads(said("decrypt", "mill", "--replace", "--json"))["versions"]) == set(
        told["versions"]
    )


def test_who_is_removed_is_named_and_what_stays_is_told(root, tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_RUNS", str(tmp_path / "runs"))
    public = json.loads(said("keygen", "--name", "ben", "--to", tmp_path / "ben.json", "--json"))
    said("encrypt", "mill", "--to", public["public"], "--replace")
    (key, *_) = (one.key_id for one in load_manifest(root / "mill").shards)
    for name, by in (("bens", public["public"]), ("annas", "forgia-key-1 anna x")):
        (tmp_path / "runs" / name / "inputs").mkdir(parents=True)
        grant = {"wrapped_keys": {key: "AA=="}, "signature": {"by": by}}
        write_json(tmp_path / "runs" / name / "inputs" / "grant.json", grant)
    told = json.loads(said("encrypt", "mill", "--remove", "ben", "--json"))
    assert told["removed"] == [public["public"]]
    assert len(told["wrapped"]) == 4
    assert [one.split("/")[-3] for one in told["wraps_left"]] == ["bens"]
    assert "ben" not in said("info", "mill")


def test_a_list_tells_the_state_of_signatures(root):
    said("sign", "mill")
    rows = {one["name"]: one for one in json.loads(said("list", "--json"))["datasets"]}
    (one,) = rows["mill"]["signatures"]
    assert (one["who"], one["by"], one["state"], one["about"]) == (
        "acme",
        "anna",
        "right",
        "dataset",
    )
    (path,) = (root / "mill" / "signatures").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert "acme (wrong)" in " ".join(said("list").split())


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
