"""A small seeded share of tests/endurance/tamper.py: every kind, on the plain and the encrypted dataset."""

import random

import pytest
from endurance.tamper import KINDS, Tamper

TRIALS = 120


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    with Tamper(tmp_path_factory.mktemp("tamper"), steps=9000) as trials:
        return [trials.trial(random.Random(f"unit/{number}")) for number in range(TRIALS)]


def test_no_forgery_goes_unseen(outcomes):
    assert [one["faults"] for one in outcomes if one["faults"]] == []


def test_every_kind_was_tried_on_both(outcomes):
    tried = {one["what"].partition(";")[0] for one in outcomes}
    assert {f"encrypted: {kind}" for kind in KINDS} <= tried
    assert {f"plain: {kind}" for kind in KINDS if kind != "wraps swapped"} <= tried
