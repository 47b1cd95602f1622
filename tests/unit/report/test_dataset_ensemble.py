"""A simulated dataset names its solver, members, parameters and those left out, wherever it is shown."""

from __future__ import annotations

import html
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.simulated import sealed_fields, simulated
from rich.console import Console

from forgia_hpc.report.dataset import dataset_facts, write_dataset_page
from forgia_hpc.report.dataset_terminal import show_dataset

LEFT_OUT = {
    "aa": {"ending": "rejected", "checks": ["energy_balance"]},
    "bb": {"ending": "rejected", "checks": ["energy_balance"]},
    "cc": {"ending": "poison", "failure": "SIGSEGV"},
}
MADE_BY = {
    "solver": {"name": "my_bar", "kind": "python", "digest": "0123456789abcdef" * 4},
    "members": {"planned": 6, "digest": "00"},
    "left_out": LEFT_OUT,
    "refinement": {"members": {"dd": {}}, "errors": {}},
}


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    given = replace(simulated(), provenance=MADE_BY)
    return sealed_fields(tmp_path, given)


def on_terminal(directory: Path) -> str:
    console = Console(file=io.StringIO(), width=140)
    show_dataset(directory, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def on_page(directory: Path, to: Path) -> str:
    text = write_dataset_page(directory, to).read_text(encoding="utf-8")
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def test_terminal_and_page_tell_of_the_ensemble(bars: Path, tmp_path: Path) -> None:
    for said in (on_terminal(bars), on_page(bars, tmp_path / "page.html")):
        words = " ".join(said.split())
        assert "4 members" in words
        assert "Solver my_bar (python), digest 0123456789abcdef" in words
        assert "Design sobol, seed 7" in words
        assert "Members 4 of 6 planned" in words
        assert "Left out 3 (2 rejected: energy balance; 1 poison: SIGSEGV)" in words
        assert "Refined 1 for the error bars" in words
        assert re.search(r"ambient K 293 296 4\b", words)
        assert "test (held-out machines)" in words
        assert "achines," not in words
        assert "calendar" not in words


def test_json_has_all_of_it(bars: Path) -> None:
    [one] = json.loads(json.dumps(dataset_facts(bars)))["contributions"]
    assert one["ensemble"] == {
        "solver": "my_bar",
        "kind": "python",
        "digest": "0123456789abcdef" * 4,
        "planned": 6,
        "left_out": LEFT_OUT,
        "refined": 1,
    }
    ambient, transfer = one["parameters"]
    assert ambient == {"name": "ambient", "ucum": "K", "low": 293.0, "high": 296.0, "distinct": 4}
    assert 10 <= transfer["low"] < transfer["high"] <= 99
    assert one["design"] == {"method": "sobol", "seed": 7}


def test_fields_that_no_campaign_made_are_trajectories(tmp_path: Path) -> None:
    directory = sealed_fields(tmp_path)
    said = on_terminal(directory)
    assert "4 simulations" in said
    assert "Solver" not in said
    [one] = dataset_facts(directory)["contributions"]
    assert one["ensemble"] is None
    assert [entry["name"] for entry in one["parameters"]] == ["ambient", "transfer"]


@pytest.mark.parametrize(
    "odd",
    [
        {"members": [1]},
        {"left_out": ["a"], "refinement": "none"},
        {"left_out": {"a": "lost", "b": {"ending": "rejected", "checks": None}}},
        {"left_out": {"a": {"ending": "rejected", "checks": 5}}},
    ],
)
def test_somebody_elses_odd_words_hide_nothing_else(tmp_path: Path, odd: dict[str, object]) -> None:
    given = replace(simulated(), provenance={**MADE_BY, **odd})
    directory = sealed_fields(tmp_path, given)
    assert MADE_BY["solver"]["name"] in on_terminal(directory)
    assert MADE_BY["solver"]["name"] in on_page(directory, tmp_path / "page.html")
