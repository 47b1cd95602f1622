"""An attempt that left no last word: fenced off, and its nodes looked at."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.errors import SupersededError
from forgia_hpc.node import watch
from forgia_hpc.node.lost import given_up, take_over
from forgia_hpc.node.progress import Start
from forgia_hpc.node.watch import Ear, Watch
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.stop import is_superseded, stop_file

# `scontrol --oneliner show node` of Slurm 22.05, of a node whose slurmd was killed
DOWN = (
    "NodeName=n3 Arch=x86_64 OS=Linux 6.18 #1 SMP  State=DOWN+NOT_RESPONDING ThreadsPerCore=1 "
    "AllocTRES= Reason=Not responding [slurm@2026-11-22T15:09:05]\nNodeName=n4 State=IDLE \n"
)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found.directory}{os.pathsep}{os.environ['PATH']}")
    return found


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    path = tmp_path / "run"
    path.mkdir()
    return RunDir(path)


def test_every_earlier_attempt_without_a_last_word_is_told_to_leave(
    run: RunDir, fake: FakeSlurm
) -> None:
    fake.says("scontrol", DOWN)
    for attempt in range(3):
        run.event("batch_started", attempt=attempt, node="n3", nodes="n[3-4]", job_id="7")
    run.event("batch_ended", attempt=0, exit_code=6)
    take_over(run, 2)
    assert [is_superseded(run, attempt) for attempt in range(3)] == [False, True, False]
    (lost,) = run.events("attempt_lost")
    assert lost.facts["attempt"] == 1
    assert lost.facts["node_states"] == {"n3": "DOWN+NOT_RESPONDING Not responding", "n4": "IDLE"}


def test_a_silent_slurm_does_not_keep_the_next_attempt(run: RunDir, fake: FakeSlurm) -> None:
    fake.says("scontrol", "", err="Unable to contact slurm controller", code=1)
    run.event("batch_started", attempt=0, node="n3", nodes="n3", job_id="7")
    take_over(run, 1)
    assert run.events("attempt_lost")[0].facts == {"attempt": 0, "nodes": "n3"}


def test_an_attempt_that_ended_is_left_in_peace(run: RunDir, fake: FakeSlurm) -> None:
    run.event("batch_started", attempt=0, node="n3", job_id="7")
    run.event("batch_ended", attempt=0, exit_code=6)
    take_over(run, 1)
    assert not run.events("attempt_lost")
    assert not is_superseded(run, 0)
    assert fake.calls("scontrol") == []


class Gone:
    """Ranks that have left."""

    def __init__(self, code: int) -> None:
        self.code = code

    def poll(self) -> int:
        return self.code


def test_the_batch_step_of_a_superseded_attempt_says_no_last_word(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch.signal, "signal", lambda *_: None)
    run.event("batch_started", attempt=0, node="n3")
    assert Watch(run, 0).wait(Gone(3)) == 3
    take_over(run, 1)
    with pytest.raises(SupersededError):
        Watch(run, 0).wait(Gone(3))
    assert Watch(run, 0).wait(Gone(0)) == 0  # it was done before it looked


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("JobState=RUNNING Restarts=0", False),
        ("JobState=PENDING Restarts=1", True),
        ("JobState=RUNNING Restarts=1", True),  # the next attempt has begun already
        ("JobState=NODE_FAIL Restarts=0", True),
    ],
)
def test_ranks_that_failed_with_their_node_are_told_to_leave(
    run: RunDir, fake: FakeSlurm, said: str, lost: bool
) -> None:
    fake.says("scontrol", f"{said}\n")
    start = Start(run=run, attempt=0, restarts=0, step=0, job="7")
    assert given_up(start) is lost
    assert is_superseded(run, 0) is lost


def test_a_silent_slurm_has_given_nothing_up(run: RunDir, fake: FakeSlurm) -> None:
    fake.says("scontrol", "", err="Unable to contact slurm controller", code=1)
    assert not given_up(Start(run=run, attempt=0, restarts=0, step=0, job="7"))
    assert not given_up(Start(run=run, attempt=0, restarts=0, step=0, job=None))


def test_a_wish_to_stop_that_came_before_the_ranks_is_passed_on(run: RunDir) -> None:
    ear = Ear()
    os.kill(os.getpid(), signal.SIGUSR1)
    Watch(run, 0, ear=ear).look(0.0)
    assert stop_file(run, 0).read_text() == "SIGUSR1\n"
