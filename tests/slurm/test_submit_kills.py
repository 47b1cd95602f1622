"""A few of the kills and lies that tests/endurance counts by the thousand."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from endurance.resume_kills import ResumeKills, SubmitLies
from endurance.submit_kills import SubmitKills

pytestmark = pytest.mark.slurm


def faults(trials, kind: str, count: int) -> list[str]:
    found = [trials.trial(random.Random(f"{kind}/{number}")) for number in range(count)]
    return [f"{trial['what']}: {fault}" for trial in found for fault in trial["faults"]]


def test_a_submitter_killed_at_any_moment_leaves_one_job_or_none_and_a_run_that_tells(
    dev_slurm, tmp_path: Path
) -> None:
    with SubmitKills(tmp_path, bed=dev_slurm.directory) as trials:
        assert faults(trials, "submit", 2) == []


def test_whatever_is_killed_the_next_resume_ends_with_one_job(dev_slurm, tmp_path: Path) -> None:
    with ResumeKills(tmp_path, bed=dev_slurm.directory) as trials:
        assert faults(trials, "resume", 8) == []


def test_whatever_sbatch_says_there_is_one_job(dev_slurm, tmp_path: Path) -> None:
    with SubmitLies(tmp_path, bed=dev_slurm.directory) as trials:
        assert faults(trials, "lies", 5) == []
