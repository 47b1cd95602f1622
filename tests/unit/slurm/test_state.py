"""What is concluded from Slurm's answers, and from their absence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.errors import InputError, SlurmSilentError
from forgia_hpc.slurm import state
from forgia_hpc.slurm.state import states


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found.directory}{os.pathsep}{os.environ['PATH']}")
    return found


def test_many_jobs_are_one_question(fake: FakeSlurm) -> None:
    fake.says("squeue", "1|RUNNING|None|n1|2026-11-22T12:00:00|a\n2|PENDING|Priority||N/A|b\n")
    fake.says("sacct", "3|CANCELLED by 0|0:15|n2|61|30|c\n")
    found = states(["1", "2", "3"], {})
    assert {job: (s.state, s.source) for job, s in found.items()} == {
        "1": ("RUNNING", "squeue"),
        "2": ("PENDING", "squeue"),
        "3": ("CANCELLED", "sacct"),
    }
    assert found["3"].signal == 15
    assert len(fake.calls("squeue")) == len(fake.calls("sacct")) == 1


def test_silence_is_never_a_state(fake: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.says("squeue", "", err="slurm_load_jobs error: Unable to contact slurm controller", code=1)
    with pytest.raises(SlurmSilentError):
        states(["1"], {})
    monkeypatch.setattr(state, "TIMEOUT_S", 1)
    fake.says("squeue", "", sleep_s=20)
    with pytest.raises(SlurmSilentError, match="no answer in 1 s"):
        states(["1"], {})


def test_a_purged_job_is_absent_and_not_an_error(fake: FakeSlurm) -> None:
    fake.says("squeue", "", err="slurm_load_jobs error: Invalid job id specified", code=1)
    fake.says("sacct", "", err="Slurm accounting storage is disabled", code=1)
    fake.says("scontrol", "", err="slurm_load_jobs error: Invalid job id specified", code=1)
    assert states(["1"], {}) == {}


def test_without_accounting_slurmctld_itself_is_asked(fake: FakeSlurm) -> None:
    fake.says("squeue", "", err="slurm_load_jobs error: Invalid job id specified", code=1)
    fake.says("sacct", "", err="Slurm accounting storage is disabled", code=1)
    fake.says("scontrol", "JobId=1 JobState=CANCELLED Reason=None ExitCode=0:15 NodeList=n1\n")
    assert states(["1"], {})["1"].state == "CANCELLED"


def test_an_inherited_format_does_not_reach_squeue(
    fake: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    states(["1"], {})
    assert "SQUEUE_FORMAT" not in fake.calls("squeue")[0]["env"]


def test_an_answer_carries_the_name_of_its_job(fake: FakeSlurm) -> None:
    fake.says("squeue", "1|RUNNING|None|n1|2026-11-22T12:00:00|a|b\n")
    fake.says("sacct", "3|COMPLETED|0:0|n2|61|UNLIMITED|forgia-x\n")
    found = states(["1", "3"], {})
    assert {job: s.name for job, s in found.items()} == {"1": "a|b", "3": "forgia-x"}


def test_the_name_that_slurmdbd_never_got_is_squeues(fake: FakeSlurm) -> None:
    """A job that is cancelled in its first second is called "allocation" in sacct for ever."""
    fake.says("squeue", "1|CANCELLED|None||N/A|forgia-x\n")
    fake.says("sacct", "".join(f"{n}|CANCELLED by 0|0:0|None|0||allocation\n" for n in "12"))
    found = states(["1", "2"], {})
    assert {job: s.name for job, s in found.items()} == {"1": "forgia-x", "2": ""}


def test_no_slurm_on_the_machine_is_the_users_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="no squeue on this machine"):
        states(["1"], {})
