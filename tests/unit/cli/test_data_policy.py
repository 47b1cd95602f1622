"""What may be read, what was read, where a model may go: from the command line."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.telemetry import card, contribution

from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.access.usage import FILE, Use
from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import make_key
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import ExitCode
from forgia_hpc.rundir import write_json
from forgia_hpc.schema.data import Data

JOB = ["cluster=leonardo_booster", "resources.walltime=01:00:00", "data.context=32"]
JOB += ["data.min_context=16", "data.horizon=8", "data.dataset=valley"]


@pytest.fixture
def valley() -> Path:
    """Mill may be trained on in Italy, forge nowhere, and only mill's models may go to the consortium."""
    root = Path(os.environ["FORGIA_DATA"])
    policies = {"mill": {"places": ["IT"]}, "forge": {"purposes": ["evaluate"], "release": "none"}}
    for seed, (name, policy) in enumerate(policies.items()):
        owned = replace(contribution(name, seed), contributor=f"{name}_works")
        seal(owned, card(name, contributor=f"{name}_works", policy=policy), root / name)
    facts = card("valley", members=["forge", "mill"])
    seal_consortium("valley", [root / name for name in policies], facts, root / "valley")
    return root / "valley"


def test_plan_lists_every_shard_with_its_verdict(forgia, valley) -> None:
    done = forgia("data", "plan", "valley", "--json", *JOB)
    assert done.returncode == ExitCode.INPUT, done.stderr
    told = json.loads(done.stdout)
    assert (told["place"], told["purposes"]) == ("IT", ["train"])
    shards = told["outlook"]["shards"]
    assert {(one["contribution"], one["allowed"]) for one in shards} == {
        ("mill", True),
        ("forge", False),
    }
    assert {one["why"] for one in shards if not one["allowed"]} == {
        "only for evaluate (asked: train)"
    }
    assert all(one["windows"] > 0 for one in shards)
    assert told["outlook"]["shares"] == {"forge": 0.0, "mill": 1.0}
    assert told["problems"][0]["field"] == "purpose"


def test_plan_for_people(forgia, valley) -> None:
    done = forgia("data", "plan", "valley", "--contributions", "mill", *JOB[1:5])
    assert done.returncode == ExitCode.INPUT
    assert "only in IT (the country of this cluster is not known)" in done.stdout
    assert "a job would be refused" in done.stdout
    words = ["--cluster", "leonardo_booster", "--contributions", "mill", "--shards"]
    done = forgia("data", "plan", "valley", *words, *JOB[1:5])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "shards/train-000.h5" in done.stdout
    assert "mill: 100\u00a0% of the training mix" in done.stdout


def test_a_job_is_refused_before_it_queues_or_goes_on_with_the_rest(forgia, valley) -> None:
    words = ["submit", "train", *JOB, "resources.account=a", "--dry-run"]
    done = forgia(*words)
    assert done.returncode == ExitCode.INPUT
    assert "only for evaluate" in done.stderr
    assert "policy of forge" in done.stderr
    done = forgia(*words, "data.partial=allow")
    assert done.returncode == 0, done.stderr
    assert "3 shards left out: only for evaluate" in done.stderr
    done = forgia(*[word.replace("leonardo_booster", "frontier") for word in words])
    assert "only in IT" in done.stderr
    assert "only for evaluate" in done.stderr


def test_plan_says_no_to_what_submit_refuses_beside_policies(
    forgia, valley, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    encrypt(valley.parent / "mill", [make_key(tmp_path / "anna.json", "anna")], tmp_path / "locked")
    words = ["data", "plan", str(tmp_path / "locked" / "mill"), *JOB[:5]]
    assert forgia(*words).returncode == ExitCode.OK
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "none.json"))
    done = forgia(*words)
    assert done.returncode == ExitCode.INPUT
    assert "no key file can be read there" in " ".join(done.stdout.split())
    unsigned = forgia("data", "plan", "mill", *JOB[:5], "data.require_signatures=true")
    assert unsigned.returncode == ExitCode.INPUT
    assert "no trusted signature for mill_works" in " ".join(unsigned.stdout.split())


def model(valley: Path, directory: Path, *names: str) -> Path:
    """A checkpoint that has seen one window of each of these."""
    data = Data(context=32, min_context=16, horizon=8, dataset="valley", contributions=list(names))
    manifest, splits = load_manifest(valley), (Split.train,)
    purpose = "evaluate" if "forge" in names else "train"
    grant = make_grant(manifest, data, purpose=purpose, place="IT", splits=splits)
    with open_dataset(grant) as dataset:
        index = dataset.windows(Split.train, data)
        paths = [[one.path for one in dataset.source(name).manifest.shards] for name in index.names]
        use = Use(index, paths, 2.5, grant)
        use.note([(index.names.index(name), 0) for name in names])

        class Alone:
            def sum(self, values):
                return values

        directory.mkdir()
        write_json(directory / FILE, use.document(1, Alone()))
    digest = sha256_file(directory / FILE)
    write_json(directory / "manifest.json", {"files": {FILE: {"sha256": digest}}})
    return directory


def test_publish_check_and_usage(forgia, valley, tmp_path) -> None:
    data = Data(dataset="valley", contributions=["mill"])
    assert make_grant(load_manifest(valley), data, place="IT")["denied"] == []
    both = model(valley, tmp_path / "both", "mill", "forge")
    done = forgia("data", "publish-check", str(both))
    assert done.returncode == ExitCode.INPUT
    assert "may NOT go to consortium; by the policies at most: none" in done.stdout
    assert "forge (forge_works) forbids it" in done.stdout
    assert "ledger of use: unsigned" in done.stdout
    assert "MIT" in done.stdout
    done = forgia("data", "usage", str(both), "--shards")
    assert done.returncode == 0, done.stderr
    assert "forge@" in done.stdout
    assert "shards/train-000.h5" in done.stdout


def test_an_edited_ledger_is_refused(forgia, valley, tmp_path) -> None:
    both = model(valley, tmp_path / "both", "mill", "forge")
    content = json.loads((both / FILE).read_text())
    del content["contributions"]["forge"]
    write_json(both / FILE, content)
    for verb in ("usage", "publish-check"):
        done = forgia("data", verb, str(both))
        assert done.returncode == ExitCode.SEAL_BROKEN
        assert "differs from what was written" in done.stderr


def test_a_model_of_what_was_withdrawn_since_is_refused(
    forgia, valley, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    make_key(tmp_path / "anna.json", "anna")
    place = model(valley, tmp_path / "one", "mill")
    done = forgia("data", "publish-check", str(place))
    assert done.returncode == ExitCode.OK
    assert "ledger of use: signed by anna " in done.stdout
    told = json.loads(forgia("data", "withdraw", "mill", "--yes", "--json").stdout)
    assert told["frozen_unreadable"] == []
    done = forgia("data", "publish-check", str(place))
    assert done.returncode == ExitCode.INPUT
    day = load_manifest(valley).tombstones[0]["withdrawn"][:10]
    assert f"mill was withdrawn by mill_works on {day}" in done.stdout
    done = forgia("data", "publish-check", str(place), "--allow-withdrawn", "--json")
    assert done.returncode == ExitCode.OK
    told = json.loads(done.stdout)
    assert told["withdrawn"][0]["contribution"] == "mill"
    assert told["signed_by"].startswith("forgia-key-1 anna ")
