import io
import json
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console

from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import load_key, make_key
from forgia_hpc.data.crypto.signatures import sign
from forgia_hpc.data.layout import Channel, Contribution, Mark, Segment, Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.report.dataset import dataset_facts, write_dataset_page
from forgia_hpc.report.dataset_facts import read_dataset
from forgia_hpc.report.dataset_terminal import show_dataset

EVIL = "press <script>"


def channel(name, **words):
    return Channel(
        name=name,
        ucum="Cel",
        quantity="temperature",
        semantic_id="https://forgia.example/t",
        **words,
    )


def segment(asset, split, steps=400):
    values = np.round(np.stack([20 + np.sin(np.arange(steps) / 7), np.arange(steps) % 2]), 2)
    values[0, 10:30] = np.nan
    return Segment(
        asset=asset,
        group="press",
        split=split,
        channels=(channel("oil", scale=0.01), channel("fault", scale=1.0, role="label")),
        values=values,
        t0_ns=1_700_000_000_000_000_000,
        rate_num=1,
        rate_den=300,
    )


def card(name, **words):
    facts = {
        "contributor": "works",
        "description": "Presses.",
        "licence": "CC-BY-4.0",
        "source": "made up",
    }
    return {"format": "forgia.card/1", "name": name, "title": f"Title of {name}", **facts, **words}


@pytest.fixture
def press(tmp_path):
    contribution = Contribution(
        name="press",
        contributor="works",
        segments=(segment(EVIL, Split.train), segment("b", Split.held_out_machines, 100)),
        marks=(Mark(asset=EVIL, code="stuck", first=3, last=9),),
        season_steps={"press": 44},
    )
    seal(contribution, card("press", title=EVIL), tmp_path / "press")
    return tmp_path / "press"


def test_the_facts_are_those_of_the_values(press):
    (one,) = read_dataset(press).contributions
    oil, fault = one.channels

    assert [(s.split, s.machines, s.steps) for s in one.splits] == [
        (Split.train, 1, 400),
        (Split.held_out_machines, 1, 100),
    ]
    assert oil.valid == pytest.approx(460 / 500)
    assert fault.valid == 1
    assert oil.step_seconds == (300.0,)
    assert (fault.low, fault.high) == (0, 1)
    assert oil.excerpt == pytest.approx(segment("a", Split.train).values[0, 80:320], abs=1e-4)
    assert one.marks == {"stuck": 1}


def test_gaps_of_the_excerpt_stay_gaps(tmp_path):
    short = Contribution(
        name="press", contributor="works", segments=(segment("a", Split.train, 60),)
    )
    seal(short, card("press"), tmp_path / "press")

    assert (
        read_dataset(tmp_path / "press").contributions[0].channels[0].excerpt[10:30] == [None] * 20
    )


def test_a_consortium_page_has_every_contribution(press, tmp_path):
    both = tmp_path / "both"
    seal_consortium("both", [press], card("both", members=["press"]), both)

    text = write_dataset_page(both, tmp_path / "both.html").read_text(encoding="utf-8")

    assert 'id="press"' in text
    assert "<script" not in text
    assert "press &lt;script&gt;" in text
    assert "CC-BY-4.0" in text
    assert "92\u00a0%" in text


def test_the_terminal_shows_terms_splits_and_channels(press):
    console = Console(file=io.StringIO(), width=140)

    show_dataset(press, console)

    text = console.file.getvalue()
    for part in ("CC-BY-4.0", "held-out machines", "oil", "°C", "5 min", "label"):
        assert part in text


def test_the_facts_are_plain_json(press):
    assert json.loads(json.dumps(dataset_facts(press)))["identifier"].startswith("press@")


def test_a_broken_dataset_is_refused(press):
    shard = next((press / "shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1])

    with pytest.raises(SealBrokenError, match=shard.name):
        read_dataset(press)


def test_nothing_heavy_is_imported():
    code = (
        "import sys, forgia_hpc.report.dataset, forgia_hpc.report.page;"
        "print(sorted({'torch', 'h5py', 'mpi4py', 'deepspeed', 'matplotlib', 'hydra'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout == "[]\n"


def test_without_the_key_it_tells_what_the_manifest_does(press, tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    encrypt(press, [make_key(tmp_path / "anna.json", "anna")], tmp_path / "closed")
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "bert.json"))
    make_key(tmp_path / "bert.json", "bert")
    facts = dataset_facts(tmp_path / "closed/press")
    (one,) = facts["contributions"]
    told = dict(one["standing"])
    assert told["Encrypted"].endswith("sealed to anna")
    assert "sealed to anna" in one["closed"]
    assert (one["channels"], [split["steps"] for split in one["splits"]]) == ([], [400, 100])
    page = write_dataset_page(tmp_path / "closed/press", tmp_path / "p.html").read_text()
    assert "1 closed here" in page


def test_a_signature_and_the_terms_are_told_in_words(press, tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    make_key(tmp_path / "anna.json", "anna")
    sign(load_manifest(press), load_key())
    (one,) = dataset_facts(press)["contributions"]
    assert "by anna" in dict(one["standing"])["Signed"]
    assert dict(one["terms"])["Models go to"] == "consortium"


def test_a_consortium_is_short_on_the_terminal_and_a_contribution_deep(press, tmp_path):
    seal_consortium("both", [press], card("both", members=["press"]), tmp_path / "both")
    short, deep = io.StringIO(), io.StringIO()
    show_dataset(tmp_path / "both", Console(file=short, width=160))
    show_dataset(press, Console(file=deep, width=160))
    assert "models go to: consortium" in short.getvalue()
    assert "forgia data info press" in short.getvalue()
    assert "oil" not in short.getvalue()
    assert "oil" in deep.getvalue()
