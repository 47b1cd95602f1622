"""What follows an attempt that stopped with everything saved."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.errors import ExitCode, InputError
from forgia_hpc.node import resubmit
from forgia_hpc.node.progress import Start, check_progress, mark_of, progress
from forgia_hpc.node.resubmit import act
from forgia_hpc.node.sequel import (
    Cause,
    Sequel,
    Way,
    cause_of,
    conclude,
    follow,
    resubmit_word,
    sentence,
)
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.slurm.control import JobFacts

RUNNING = JobFacts(state="RUNNING")
PREEMPTED = JobFacts(state="RUNNING", preempted=True)
REQUEUED = JobFacts(state="COMPLETING", restarts=1)
ENDING = JobFacts(state="COMPLETING")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlurm]:
    found = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found.directory}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(resubmit, "PAUSES_S", (0, 0, 0))
    before = signal.getsignal(signal.SIGTERM)  # the last act stops listening; this process goes on
    yield found
    signal.signal(signal.SIGTERM, before)


def begun(tmp_path: Path, kind: str = "train", **changes) -> Start:
    run = RunDir(tmp_path / "run")
    (run.checkpoints / "10").mkdir(parents=True)
    write_json(run.job, {"kind": kind})
    run.event("batch_started", attempt=0)
    facts = {"attempt": 0, "restarts": 0, "step": 10, "job": "7"}
    return Start(run=run, **{**facts, **changes})


def shown(fake: FakeSlurm, state: str = "RUNNING", **words: str) -> None:
    said = " ".join(f"{key}={value}" for key, value in {"JobState": state, **words}.items())
    fake.says("scontrol", said + "\n")


@pytest.mark.parametrize(
    ("told", "facts", "cancelled", "cause"),
    [
        (Cause.walltime, RUNNING, False, Cause.walltime),
        (Cause.walltime, None, False, Cause.walltime),
        (Cause.asked, RUNNING, False, Cause.asked),
        (Cause.asked, None, False, Cause.asked),
        (Cause.asked, REQUEUED, False, Cause.preemption),
        (None, PREEMPTED, False, Cause.preemption),
        (None, RUNNING, False, Cause.asked),
        (Cause.asked, ENDING, False, Cause.asked),
        (Cause.walltime, RUNNING, True, Cause.asked),
        (None, PREEMPTED, True, Cause.asked),
    ],
)
def test_what_made_it_stop(
    told: Cause | None, facts: JobFacts | None, cancelled: bool, cause: Cause
) -> None:
    assert cause_of(told, facts, cancelled=cancelled, restarts=0) is cause


@pytest.mark.parametrize(
    ("cause", "facts", "word", "way"),
    [
        (Cause.walltime, RUNNING, "requeue", Way.requeue),
        (Cause.walltime, None, "requeue", Way.requeue),
        (Cause.walltime, RUNNING, "singleton", Way.link),
        (Cause.walltime, RUNNING, "none", Way.nothing),
        (Cause.walltime, RUNNING, None, Way.nothing),
        (Cause.walltime, ENDING, "requeue", Way.nothing),
        (Cause.preemption, PREEMPTED, "requeue", Way.requeue),
        (Cause.preemption, REQUEUED, "requeue", Way.slurm),
        (Cause.asked, RUNNING, "requeue", Way.nothing),
        (Cause.asked, REQUEUED, "requeue", Way.nothing),
    ],
)
def test_how_it_goes_on(cause: Cause, facts: JobFacts | None, word: str | None, way: Way) -> None:
    found = follow(cause, facts, progress=True, word=word, restarts=0)
    assert (found.way, found.code) == (way, ExitCode.STOPPED)


def test_without_progress_nothing_is_requeued() -> None:
    walltime = follow(Cause.walltime, RUNNING, progress=False, word="requeue", restarts=3)
    assert (walltime.way, walltime.code) == (Way.nothing, ExitCode.JOB_FAILED)
    preempted = follow(Cause.preemption, PREEMPTED, progress=False, word="requeue", restarts=3)
    assert (preempted.way, preempted.code) == (Way.nothing, ExitCode.STOPPED)


def test_both_profiles_are_understood() -> None:
    assert resubmit_word({"resubmit": "singleton", "requeue_allowed": True}) == "singleton"
    assert resubmit_word({"resubmit": None}) is None
    assert resubmit_word({"requeue_allowed": True}) == "requeue"
    assert resubmit_word({"requeue_allowed": None}) is None


def test_a_new_checkpoint_is_progress_and_is_requeued(tmp_path: Path, fake: FakeSlurm) -> None:
    start = begun(tmp_path)
    shown(fake)
    assert conclude(start, "requeue", Cause.walltime)[1].code == ExitCode.JOB_FAILED
    (start.run.checkpoints / "11").mkdir()
    cause, found = conclude(start, "requeue", Cause.walltime)
    assert (cause, found.way) == (Cause.walltime, Way.requeue)
    act(start, found.way)
    assert fake.calls("scontrol")[-1]["argv"] == ["requeue", "7"]
    assert start.run.events("resubmitted")[0].facts["way"] == "requeue"


def test_a_cancel_of_this_attempt_forbids_it_and_one_of_an_earlier_does_not(
    tmp_path: Path, fake: FakeSlurm
) -> None:
    start = begun(tmp_path)
    (start.run.checkpoints / "11").mkdir()
    shown(fake)
    start.run.event("cancel_asked")
    assert conclude(start, "requeue", Cause.walltime)[0] is Cause.asked
    start.run.event("batch_started", attempt=1)
    assert conclude(start, "requeue", Cause.walltime)[0] is Cause.walltime


def test_a_program_whose_progress_nobody_knows_says_resume(tmp_path: Path, fake: FakeSlurm) -> None:
    start = begun(tmp_path, kind="command")
    start.run.config.write_text("kind: command\ncommand: {argv: [x]}\n")
    shown(fake)
    cause, found = conclude(start, "requeue", Cause.walltime)
    assert (found.way, found.code) == (Way.nothing, ExitCode.STOPPED)
    assert "forgia resume run" in sentence(start.run, cause, found)


RESUMABLE = "kind: command\ncommand: {argv: [x], resumable: true, progress: states}\n"


def test_a_resumable_program_is_requeued_while_what_it_saves_changes(
    tmp_path: Path, fake: FakeSlurm
) -> None:
    run = begun(tmp_path, kind="command").run
    run.config.write_text(RESUMABLE)
    states = run.output / "states"
    states.mkdir(parents=True)
    (states / "a").write_text("1")
    start = begun_again(run)
    shown(fake)
    _, found = conclude(start, "requeue", Cause.walltime)
    assert (found.way, found.code) == (Way.nothing, ExitCode.JOB_FAILED)
    (states / "a").write_text("12")
    _, found = conclude(start, "requeue", Cause.walltime)
    assert found.way is Way.requeue
    assert conclude(begun_again(run), "requeue", Cause.walltime)[1].way is Way.nothing
    assert "it can go on: forgia resume run" in sentence(
        run, Cause.asked, conclude(start, "requeue", Cause.asked)[1]
    )


def begun_again(run: RunDir) -> Start:
    return Start(run=run, attempt=0, restarts=0, step=0, job="7", mark=mark_of(run))


def test_a_file_that_is_not_there_yet_is_no_progress_and_one_that_came_is(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.config.write_text(RESUMABLE)
    before = mark_of(run)
    assert mark_of(run) == before
    (run.output / "states").mkdir(parents=True)
    assert mark_of(run) == before  # an empty directory holds nothing
    (run.output / "states" / "a").write_text("")
    assert mark_of(run) != before


def test_what_changes_outside_of_the_run_is_no_progress(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    (tmp_path / "shared").mkdir()
    run.output.mkdir(parents=True)
    write_json(run.job, {"kind": "command"})
    for place in ("../../shared", str(tmp_path / "shared")):  # sealed before it was refused
        run.config.write_text(RESUMABLE.replace("states", place))
        with pytest.raises(InputError, match="leads out of"):
            check_progress(run)
    run.config.write_text(RESUMABLE)
    check_progress(run)
    start = begun_again(run)
    (run.output / "states").symlink_to(tmp_path / "shared")
    (tmp_path / "shared" / "a").write_text("12")
    assert progress(start) is None  # only the program knows
    with pytest.raises(InputError, match=r"command\.progress"):
        check_progress(run)


def test_a_point_without_requeue_says_how_its_sweep_goes_on(
    tmp_path: Path, fake: FakeSlurm
) -> None:
    start = begun(tmp_path)
    write_json(start.run.job, {"kind": "train", "sweep": "my-sweep", "point": 3})
    (start.run.checkpoints / "11").mkdir()
    shown(fake)
    for word in ("singleton", "none", None):
        cause, found = conclude(start, word, Cause.walltime)
        assert (found.way, found.code) == (Way.nothing, ExitCode.STOPPED)
        assert sentence(start.run, cause, found).endswith("forgia resume my-sweep")


@pytest.mark.parametrize(
    ("told", "state", "cause"),
    [
        (None, "DOWN+NOT_RESPONDING", Cause.node_failure),
        (Cause.asked, "DOWN*", Cause.node_failure),
        (Cause.asked, "MIXED+DRAIN", Cause.asked),
        (Cause.walltime, "DOWN", Cause.walltime),
    ],
)
def test_a_sigterm_because_of_a_failed_node_is_nobodys_wish(
    tmp_path: Path, fake: FakeSlurm, told: Cause | None, state: str, cause: Cause
) -> None:
    start = begun(tmp_path)
    (start.run.checkpoints / "11").mkdir()
    start.run.event("batch_started", attempt=1, job_id="7", nodes="n[1-2]")
    fake.says("scontrol", f"JobState=RUNNING NodeName=n1 State={state}\n")
    assert conclude(start, "requeue", told)[0] is cause


def test_a_node_that_slurm_gave_up_is_left_to_slurm(tmp_path: Path, fake: FakeSlurm) -> None:
    start = begun(tmp_path)
    (start.run.checkpoints / "11").mkdir()
    shown(fake, state="PENDING", Restarts="1")
    cause, found = conclude(start, "requeue", Cause.node_failure)
    assert (cause, found.way, found.code) == (Cause.node_failure, Way.slurm, ExitCode.STOPPED)


def test_a_prepared_contribution_is_progress(tmp_path: Path, fake: FakeSlurm) -> None:
    start = begun(tmp_path, kind="prepare")
    shown(fake)
    assert conclude(start, "requeue", Cause.walltime)[1].way is Way.nothing
    start.run.event("prepared", contribution="refinery")
    assert conclude(start, "requeue", Cause.walltime)[1].way is Way.requeue


def test_a_node_is_excluded_after_the_requeue_and_beside_those_that_were(
    tmp_path: Path, fake: FakeSlurm
) -> None:
    start = begun(tmp_path)
    shown(fake, ExcNodeList="n[3-4]")
    act(start, Way.requeue, without=("n1", "n2"))
    words = [call["argv"] for call in fake.calls("scontrol")]
    assert words[0] == ["requeue", "7"]
    assert words[-1] == ["update", "JobId=7", "ExcNodeList=n[3-4],n1,n2"]


def test_a_refused_requeue_is_told_and_nothing_is_lost(tmp_path: Path, fake: FakeSlurm) -> None:
    start = begun(tmp_path)
    fake.says("scontrol", "", err="Requested operation is presently disabled for job 7", code=1)
    act(start, Way.requeue)
    (said,) = start.run.events("not_resubmitted")
    assert "presently disabled" in said.facts["why"]
    assert len(fake.calls("scontrol")) == 1


def test_a_silent_slurm_is_asked_again(tmp_path: Path, fake: FakeSlurm) -> None:
    start = begun(tmp_path)
    err = "slurm_requeue error: Unable to contact slurm controller (connect failure)"
    fake.says("scontrol", "", err=err, code=1)
    act(start, Way.requeue)
    assert len(fake.calls("scontrol")) == 3
    assert start.run.events("not_resubmitted")


def test_a_run_outside_of_slurm_asks_nobody(tmp_path: Path, fake: FakeSlurm) -> None:
    start = begun(tmp_path, job=None)
    cause, found = conclude(start, None, Cause.asked)
    assert (cause, found) == (Cause.asked, Sequel(Way.nothing, ""))
    assert fake.calls("scontrol") == []
    assert sentence(start.run, cause, found) == "(asked); it can go on: forgia resume run"
