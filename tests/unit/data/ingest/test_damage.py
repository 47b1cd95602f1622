"""The endurance counts of faults and kills, a few trials of each by seed."""

import random

import pytest
from endurance.build_kills import BuildKills
from endurance.ingest_faults import KINDS, IngestFaults


@pytest.fixture(scope="module")
def lookalikes(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.delenv("FORGIA_RAW", raising=False)
    yield IngestFaults(tmp_path_factory.mktemp("faults"))
    patch.undo()


def test_no_fault_that_can_be_told_passes_in_silence(lookalikes):
    seen = set()
    for number in range(30):
        found = lookalikes.trial(random.Random(number))
        seen.add(found["what"].partition(":")[0])
        assert found["faults"] == []
    assert len(seen) > len(KINDS) // 2


def test_a_killed_build_goes_on_where_it_was(tmp_path):
    builds = BuildKills(tmp_path)
    found = [builds.trial(random.Random(number)) for number in range(5)]
    assert [one["faults"] for one in found] == [[]] * 5
    assert any(one["kept"] for one in found)
