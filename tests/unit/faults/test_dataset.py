"""A dataset that was half-copied or edited before a job is sealed over it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fakes import telemetry

from forgia_hpc.data.card import load_card
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.errors import InputError
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.schema.job import Kind

ASK = ("data.dataset=yard", "data.context=64", "data.horizon=16", "data.min_context=16")


@pytest.fixture
def yard() -> Path:
    """A consortium of two members under $FORGIA_DATA."""
    root = Path(os.environ["FORGIA_DATA"])
    members = [telemetry.sealed(root, name, seed) for seed, name in enumerate(("mill", "forge"))]
    card = {**telemetry.card("yard"), "contributor": "consortium", "members": ["forge", "mill"]}
    seal_consortium("yard", members, card, root / "yard")
    return root


def problems(*more: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        make_plan(Wish(kind=Kind.train, overrides=(*ASK, *more)))
    return str(caught.value).splitlines()


def test_a_whole_consortium_is_accepted(yard: Path) -> None:
    plan = make_plan(Wish(kind=Kind.train, overrides=ASK))
    assert len(plan.data["grant"]["contributions"]) == 2


def test_a_missing_member_is_told_with_the_other_problems(yard: Path) -> None:
    (yard / "mill" / "manifest.json").unlink()
    found = problems("train.global_batch=17", "resources.ranks_per_node=2")
    assert len(found) == 2
    assert any("mill" in line and "missing or half-copied" in line for line in found)


def test_a_cut_manifest_is_told_in_one_line(yard: Path) -> None:
    os.truncate(yard / "forge" / "manifest.json", 50)
    (line,) = problems()
    assert str(Path("forge", "manifest.json")) in line


@pytest.mark.parametrize("name", ["mill/card.yaml", "mill/index.pack", "yard/card.yaml"])
def test_no_job_is_sealed_over_an_edited_card_or_index(yard: Path, name: str) -> None:
    data = bytearray((yard / name).read_bytes())
    data[-2] ^= 1
    (yard / name).write_bytes(data)
    assert any(name in line and "altered" in line for line in problems())


def test_the_card_that_was_edited_is_whole_yaml(yard: Path) -> None:
    """An edited policy of the same length is YAML as good as before: only the digest tells."""
    path = yard / "mill" / "card.yaml"
    path.write_text(path.read_text().replace("licence: MIT", "licence: BSD"))
    assert load_card(path).licence == "BSD"
    assert any("altered" in line for line in problems())
