"""Jobs found by name, user and time of submission."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.slurm.named import credential_life_s, jobs_named

NAMES = ["forgia-x", "forgia-x.2"]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found.directory}{os.pathsep}{os.environ['PATH']}")
    return found


def found(since: str = "2026-01-01T00:00:00") -> list[tuple[str, bool]]:
    since_s = time.mktime(time.strptime(since, "%Y-%m-%dT%H:%M:%S"))
    return [(job.job_id, job.live) for job in jobs_named(NAMES, {}, uid=7, since_s=since_s)]


def test_both_commands_are_asked_once_for_name_user_and_time(fake: FakeSlurm) -> None:
    fake.says("squeue", "12|PENDING|2026-11-22T12:00:05|forgia-x.2\n")
    fake.says("sacct", "9|2026-11-22T12:00:00|forgia-x\n")
    assert found() == [("9", False), ("12", True)]
    ((asked,), (booked,)) = ([c["argv"] for c in fake.calls(n)] for n in ("squeue", "sacct"))
    for argv in (asked, booked):
        assert {"--user=7", "--name=forgia-x,forgia-x.2"} < set(argv)
    assert "--starttime=2026-01-01T00:00:00" in booked


def test_an_array_is_one_job_and_lives_while_one_of_its_tasks_does(fake: FakeSlurm) -> None:
    line = "12|{}|2026-11-22T12:00:05|forgia-x\n"
    fake.says("squeue", "".join(line.format(s) for s in ("COMPLETED", "RUNNING", "FAILED")))
    fake.says("sacct", "12_0|2026-11-22T12:00:05|forgia-x\n12_1|2026-11-22T12:00:05|forgia-x\n")
    assert found() == [("12", True)]


def test_what_was_submitted_earlier_or_is_called_otherwise_is_another_job(fake: FakeSlurm) -> None:
    fake.says(
        "squeue",
        "3|RUNNING|2025-11-22T12:00:00|forgia-x\n4|RUNNING|2026-11-22T12:00:00|forgia-xy\n"
        "5|RUNNING|N/A|forgia-x\n",
    )
    assert found() == []


def test_a_pending_job_of_sacct_that_squeue_does_not_know_does_not_live(fake: FakeSlurm) -> None:
    """Seen after a slurmctld was killed: the job is lost, and slurmdbd keeps it as pending."""
    fake.says("sacct", "9|2026-11-22T12:00:00|forgia-x\n")
    assert found() == [("9", False)]


def test_no_accounting_is_an_answer_and_no_slurmdbd_is_none(fake: FakeSlurm) -> None:
    fake.says("sacct", "", err="Slurm accounting storage is disabled\n", code=1)
    assert found() == []
    fake.says("sacct", "", err="sacct: error: Problem talking to the database\n", code=1)
    with pytest.raises(SlurmSilentError, match="Problem talking"):
        found()


@pytest.mark.parametrize(
    ("line", "seconds"),
    [("AuthInfo                = socket=/m,ttl=30", 30), ("AuthInfo = (null)", 300), ("", 300)],
)
def test_the_life_of_a_credential_is_the_clusters(fake: FakeSlurm, line: str, seconds: int) -> None:
    fake.says("scontrol", f"Configuration data\n{line}\n")
    assert credential_life_s({}) == seconds
