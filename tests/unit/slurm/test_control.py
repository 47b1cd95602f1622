"""What slurmctld is asked about one job, and what its answers mean."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.slurm import control
from forgia_hpc.slurm.control import SlurmRefusedError, clear_hold, job_facts, parse_facts, requeue

# `scontrol --oneliner show job` of Slurm 22.05: requeued, waiting for its old credential
HELD = (
    "JobId=2 JobName=forgia-x QOS=normal JobState=PENDING Reason=BeginTime Dependency=(null) Requeue=1 "
    "Restarts=1 ExitCode=0:0 RunTime=00:00:00 TimeLimit=00:05:00 EligibleTime=2026-11-22T11:28:00 "
    "StartTime=2026-11-22T11:28:00 EndTime=2026-11-22T11:33:00 PreemptTime=None ExcNodeList=n[1-2]\n"
)
BEGIN = datetime(2026, 11, 22, 11, 28, tzinfo=UTC).timestamp()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found.directory}{os.pathsep}{os.environ['PATH']}")
    return found


def test_times_are_utc_whatever_the_machines_zone(fake: FakeSlurm) -> None:
    fake.says("scontrol", HELD)
    facts = job_facts("2", {"TZ": "Europe/Rome"})
    assert facts.end_time == BEGIN + 300
    assert fake.calls("scontrol")[0]["env"]["TZ"] == "UTC"
    assert (facts.state, facts.restarts, facts.excluded) == ("PENDING", 1, "n[1-2]")


def test_a_preempted_job_has_a_time_of_it_and_an_unlimited_one_no_end() -> None:
    assert not parse_facts(HELD).preempted
    assert parse_facts(
        HELD.replace("PreemptTime=None", "PreemptTime=2026-11-22T11:30:57")
    ).preempted
    assert (
        parse_facts(HELD.replace("EndTime=2026-11-22T11:33:00", "EndTime=Unknown")).end_time is None
    )


def test_the_gpus_of_all_nodes_are_told_once_though_their_model_is_named_too() -> None:
    tres = "cpu=64,mem=987968M,node=2,billing=64,gres/gpu=8,gres/gpu:a100=8"
    assert parse_facts(f"JobId=1 JobState=RUNNING TRES={tres} TresPerNode=gres:gpu:4").gpus == 8
    asked = "JobId=1 ReqTRES=cpu=1,gres/gpu=2 AllocTRES=cpu=1,gres/gpu=4"  # as of Slurm 23.11
    assert parse_facts(asked).gpus == 4
    assert parse_facts("JobId=1 TRES=cpu=4,node=1").gpus == 0


def test_silence_and_refusal_differ(fake: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.says("scontrol", "", err="Unable to contact slurm controller (connect failure)", code=1)
    with pytest.raises(SlurmSilentError):
        requeue("2", {})
    fake.says("scontrol", "", err="Access/permission denied for job 2", code=1)
    with pytest.raises(SlurmRefusedError, match="permission denied"):
        requeue("2", {})
    monkeypatch.setattr(control, "TIMEOUT_S", 1)
    fake.says("scontrol", "", sleep_s=20)
    with pytest.raises(SlurmSilentError):
        requeue("2", {})


def updates(fake: FakeSlurm) -> list[list[str]]:
    return [call["argv"] for call in fake.calls("scontrol") if call["argv"][0] == "update"]


def test_the_hold_after_a_requeue_is_cleared(fake: FakeSlurm) -> None:
    fake.says("scontrol", HELD)
    assert clear_hold("2", {}, now=BEGIN - 100)
    assert updates(fake) == [["update", "JobId=2", "StartTime=now+2"]]


def test_a_hold_that_ends_in_a_moment_is_not_put_off(fake: FakeSlurm) -> None:
    """Who asks for a status every second would hold the job for ever."""
    fake.says("scontrol", HELD)
    assert clear_hold("2", {}, now=BEGIN - 2)
    assert updates(fake) == []


@pytest.mark.parametrize(
    ("said", "before_s"),
    [
        (HELD, 3600),  # its owner wishes a later start
        (HELD.replace("Restarts=1", "Restarts=0"), 100),  # --begin
        (HELD.replace("Reason=BeginTime", "Reason=JobHeldAdmin"), 100),
    ],
)
def test_another_wait_is_left_alone(fake: FakeSlurm, said: str, before_s: float) -> None:
    fake.says("scontrol", said)
    assert not clear_hold("2", {}, now=BEGIN - before_s)
    assert updates(fake) == []


def test_who_may_not_update_the_job_still_gets_a_status(fake: FakeSlurm) -> None:
    fake.says("scontrol", "", err="Access/permission denied", code=1)
    assert not clear_hold("2", {}, now=BEGIN)
