"""A small seeded share of tests/endurance/tamper.py: every kind, layout and profile, plain and encrypted."""

import random

import pytest
from endurance.tamper import Tamper, kinds_of

TRIALS = 3  # of each kind on each dataset


@pytest.fixture(scope="module")
def tamper(tmp_path_factory):
    with Tamper(tmp_path_factory.mktemp("tamper"), steps=9000) as trials:
        yield trials


@pytest.fixture(scope="module")
def outcomes(tamper):
    return [
        tamper.broken(target, kind, random.Random(f"unit/{target.word}/{kind}/{number}"))
        for target in tamper.targets
        for kind in kinds_of(target)
        for number in range(TRIALS)
    ]


def test_no_forgery_goes_unseen(outcomes):
    assert [one["faults"] for one in outcomes if one["faults"]] == []


def test_telemetry_and_fields_hot_and_cold_plain_and_encrypted_were_tried(tamper):
    forms = [f"{profile}{key}" for profile in ("", "cold, ") for key in ("plain", "encrypted")]
    wanted = {f"{layout}{form}" for layout in ("", "fields, ") for form in forms}
    assert {one.word for one in tamper.targets} == wanted
