"""Many questions on jobs are one squeue and one sacct, each answered with its own jobs only."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.slurm.arrays import task_states
from forgia_hpc.slurm.rows import asked_once, key_of
from forgia_hpc.slurm.state import states

QUEUE = "7|RUNNING|None|n1|N/A|forgia-a\n8_[2-3]|PENDING|Priority||N/A|forgia-s\n"
ENDED = "8_0|COMPLETED|0:0|n1|5|10|forgia-s\n8_1|FAILED|3:0|n1|5|10|forgia-s\n9|TIMEOUT|0:0|n1|600|10|forgia-b\n"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    found.says("squeue", QUEUE)
    found.says("sacct", ENDED)
    return found


def test_all_are_answered_from_one_squeue_and_one_sacct(fake: FakeSlurm) -> None:
    with asked_once({key_of({}): ["7", "8", "9"]}):
        runs = states(["7", "9"], {})
        tasks = task_states(["8"], {})
        assert states(["7"], {})["7"].state == "RUNNING"
    assert {job: one.state for job, one in runs.items()} == {"7": "RUNNING", "9": "TIMEOUT"}
    assert {index: one.state for (_, index), one in tasks.items()} == {
        0: "COMPLETED",
        1: "FAILED",
        2: "PENDING",
        3: "PENDING",
    }
    for program in ("squeue", "sacct"):
        (call,) = fake.calls(program)
        assert "--jobs=7,8,9" in call["argv"]


def test_a_job_that_was_not_foreseen_is_asked_for_by_itself(fake: FakeSlurm) -> None:
    with asked_once({key_of({}): ["8"]}):
        task_states(["8"], {})
        task_states(["8", "10"], {})
    assert len(fake.calls("squeue")) == 2
