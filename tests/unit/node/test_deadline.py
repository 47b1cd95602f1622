"""When a job asks its ranks to stop for the walltime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.node.deadline import (
    ASK_EVERY_S,
    FLOOR_S,
    UNLEARNT_S,
    Deadline,
    End,
    Pace,
    end_of,
    learn,
    margin_s,
    own_job,
    pace_of,
)
from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.job import PARTING_S
from forgia_hpc.slurm.control import JobFacts

START = 1_000_000.0


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    path = tmp_path / "run"
    path.mkdir()
    (path / "config.yaml").write_text("kind: train\n")
    return RunDir(path)


class Slurm:
    """What slurmctld would say, and how often it was asked."""

    def __init__(self, end_time: float | None) -> None:
        self.end_time = end_time
        self.silent = False
        self.state = "RUNNING"
        self.asked = 0

    def __call__(self) -> JobFacts:
        self.asked += 1
        if self.silent:
            raise SlurmSilentError("no answer")
        return JobFacts(state=self.state, end_time=self.end_time)


def deadline(run: RunDir, slurm: Slurm, walltime_s: float = 3600) -> Deadline:
    return Deadline(run, 0, slurm, walltime_s, now=START)


def saves(run: RunDir, seconds: float, step_s: float) -> None:
    run.event("checkpoint_saved", step=1, seconds=seconds)
    row = {"step": 1, "phase": "train", "step_s": step_s + 1, "save_s": 1}
    run.metrics.write_text(json.dumps(row) + "\n")


def test_the_margin_grows_with_what_a_checkpoint_takes() -> None:
    assert margin_s(Pace()) == UNLEARNT_S
    assert margin_s(Pace(save_s=0.1, step_s=0.1)) == FLOOR_S
    assert margin_s(Pace(save_s=100, step_s=10)) == 2 * 100 + 2 * 10 + 15


def test_the_slowest_recent_save_and_step_count() -> None:
    rows = [{"step_s": 3.0, "save_s": 1.0}, {"step_s": 2.5, "save_s": None}, {"phase": "evaluate"}]
    assert pace_of([{"seconds": 4}, {"seconds": 9.5}], rows) == Pace(save_s=9.5, step_s=2.5)


def test_what_the_ranks_recorded_is_learnt_even_from_a_torn_file(run: RunDir) -> None:
    saves(run, 40, 2)
    with run.metrics.open("a") as opened:
        opened.write('{"step": 2, "step_')
    assert learn(run) == Pace(save_s=40, step_s=2)


def test_it_is_due_by_slurms_end_and_by_what_was_learnt(run: RunDir) -> None:
    found = deadline(run, Slurm(START + 1000))
    saves(run, 100, 10)  # 235 s
    assert not found.due(START + 1000 - 236)
    assert found.due(START + 1000 - 234)


def test_an_end_that_an_operator_moved_is_seen_before_anyone_is_stopped(run: RunDir) -> None:
    slurm = Slurm(START + 1000)
    found = deadline(run, slurm)
    slurm.end_time = START + 5000
    assert not found.due(START + 990)
    assert found.end == End(START + 5000, "slurm")
    assert [event.facts["end_time"] for event in run.events("deadline")] == [
        START + 1000,
        START + 5000,
    ]


def test_slurm_is_asked_rarely(run: RunDir) -> None:
    slurm = Slurm(START + 10_000)
    found = deadline(run, slurm)
    for second in range(1800):
        found.due(START + second)
    assert slurm.asked <= 4


def test_a_silent_slurm_leaves_the_sealed_walltime_and_an_event_says_so(run: RunDir) -> None:
    slurm = Slurm(None)
    slurm.silent = True
    found = deadline(run, slurm, walltime_s=600)
    assert found.end == End(START + 600, "sealed walltime")
    assert run.events("deadline")[0].facts["source"] == "sealed walltime"
    assert found.due(START + 600 - UNLEARNT_S + 1)


def test_a_slurm_that_falls_silent_later_has_said_enough(run: RunDir) -> None:
    slurm = Slurm(START + 1000)
    found = deadline(run, slurm, walltime_s=60)
    slurm.silent = True
    assert not found.due(START + 700)
    assert found.end == End(START + 1000, "slurm")


def test_an_unlimited_job_is_never_due(run: RunDir) -> None:
    found = deadline(run, Slurm(None))
    assert not found.due(START + 10**9)


@pytest.mark.parametrize(("left", "meaning"), [(1000, "asked"), (110, "later"), (59, "walltime")])
def test_what_sigusr1_means(run: RunDir, left: float, meaning: str) -> None:
    found = deadline(run, Slurm(START + 2000))
    assert found.warned(START + 2000 - left) == meaning


def test_a_warning_makes_it_ask_at_once(run: RunDir) -> None:
    slurm = Slurm(START + 2000)
    found = deadline(run, slurm)
    slurm.end_time = START + 100  # an operator cut the limit a moment ago
    assert found.warned(START + 3) == "later"
    assert found.warned(START + 45) == "walltime"


def test_without_slurms_end_every_warning_is_the_walltimes(run: RunDir) -> None:
    slurm = Slurm(None)
    slurm.silent = True
    assert deadline(run, slurm).warned(START + 10) == "walltime"


def test_the_end_is_slurms_else_the_sealed_walltimes() -> None:
    assert end_of(JobFacts(state="RUNNING", end_time=5.0), 1.0, 60) == End(5.0, "slurm")
    assert end_of(None, 1.0, 60) == End(61.0, "sealed walltime")


def test_an_arrays_member_has_its_own_name() -> None:
    assert own_job({}) is None
    assert own_job({"SLURM_JOB_ID": "9"}) == "9"
    member = {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}
    assert own_job(member) == "7_2"


def test_a_job_that_slurm_calls_pending_while_it_runs_has_lost_its_node(run: RunDir) -> None:
    slurm = Slurm(START + 3600)
    found = deadline(run, slurm)
    slurm.state, slurm.end_time = "PENDING", START + 9000
    assert not found.due(START + ASK_EVERY_S + 1)
    assert found.given_up
    assert found.end.time == START + 3600  # that of the next start is none of ours


def test_a_program_is_asked_as_long_before_the_end_as_it_needs(run: RunDir) -> None:
    run.config.write_text("kind: command\ncommand: {save_s: 300}\n")
    found = deadline(run, Slurm(START + 3600))
    assert not found.due(START + 3600 - 300 - PARTING_S - 1)
    assert found.due(START + 3600 - 300 - PARTING_S + 1)
    assert found.facts()["margin_s"] == 300 + PARTING_S
