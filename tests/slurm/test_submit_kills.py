"""A few of the kills that tests/endurance counts by the hundred."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from endurance.submit_kills import SubmitKills

pytestmark = pytest.mark.slurm


def test_a_submitter_killed_at_any_moment_leaves_one_job_or_none_and_a_run_that_tells(
    dev_slurm, tmp_path: Path
) -> None:
    with SubmitKills(tmp_path, bed=dev_slurm.directory) as trials:
        found = [trials.trial(random.Random(f"tests/{number}")) for number in range(8)]
    assert [fault for trial in found for fault in trial["faults"]] == []
    assert any(trial["runs"] for trial in found)
