"""A job that Slurm holds: told as such, released by `forgia resume`, and never doubled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.errors import ExitCode, InputError
from forgia_hpc.jobs.held_job import release
from forgia_hpc.jobs.standing import State
from forgia_hpc.jobs.submit import submit_sealed
from forgia_hpc.jobs.track import status_of
from forgia_hpc.rundir import RunDir, write_json, write_text

FAILED = "launch failed requeued held"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    found.keeps_jobs()
    monkeypatch.setenv("PATH", f"{found.directory}{os.pathsep}{os.environ['PATH']}")
    return found


@pytest.fixture
def run(fake: FakeSlurm, tmp_path: Path) -> RunDir:
    """A run whose job 100 Slurm holds."""
    run = RunDir(tmp_path / "runs" / "20261122-120000-command-abcdef")
    run.logs.mkdir(parents=True)
    record = {"kind": "command", "cluster": "dev", "slurm": True}
    record |= {"slurm_environment": {}, "resources": {"walltime": "00:10:00"}}
    write_json(run.job, record)
    write_json(run.manifest, {"digest": "d" * 64})
    write_text(run.path / "job.sbatch", "#!/bin/sh\n")
    submit_sealed(run)
    fake.set_job("100", reason=FAILED)
    return run


def test_it_is_told_in_a_line_with_what_to_do(run: RunDir) -> None:
    (found,) = status_of([run])
    assert found.why == (
        f"its start failed on a node, and Slurm holds it ({FAILED}); forgia resume {run.name} releases it"
    )
    assert (found.state, found.rests, found.ended) == (State.held, True, False)
    assert found.exit_code is ExitCode.STOPPED


def test_releasing_submits_nothing_and_is_noted(fake: FakeSlurm, run: RunDir) -> None:
    told = release(run, "100")
    assert (told["job_id"], told["released"]) == ("100", True)
    assert status_of([run])[0].state is State.pending
    assert len(fake.calls("sbatch")) == len(fake.jobs) == 1
    (event,) = run.events("released")
    assert event.facts["reason"] == FAILED.replace(" ", "_")


def test_what_is_not_held_any_more_is_left_alone(fake: FakeSlurm, run: RunDir) -> None:
    fake.set_job("100", reason="None", state="RUNNING")
    with pytest.raises(InputError, match="not held any more"):
        release(run, "100")
    fake.set_job("100", reason="JobHeldAdmin", state="PENDING")
    with pytest.raises(InputError, match="not held any more"):
        release(run, "100")
    assert not [one for one in fake.calls("scontrol") if one["argv"][0] == "release"]


def test_another_job_of_that_id_is_not_released(fake: FakeSlurm, run: RunDir) -> None:
    fake.set_job("100", name="somebody-elses")
    with pytest.raises(InputError, match="not held any more"):
        release(run, "100")
    assert fake.jobs["100"]["reason"] == FAILED


def test_slurms_refusal_names_who_can(fake: FakeSlurm, run: RunDir) -> None:
    fake.says("scontrol", "", err="Access/permission denied for job 100", code=1)
    with pytest.raises(InputError, match=r"permission denied.*its owner or the support"):
        release(run, "100")
    assert not run.events("released")


def test_two_that_resume_it_at_the_same_instant_make_no_second_job(
    fake: FakeSlurm, run: RunDir
) -> None:
    argv = [sys.executable, "-P", "-m", "forgia_hpc.cli.main", "resume", str(run.path), "--json"]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in "ab"]
    said = [process.communicate(timeout=60) for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 0], [0, 2]), said
    assert len(fake.jobs) == 1
    assert len(list((run.path / "submissions").iterdir())) == 1


def test_what_an_operator_holds_is_refused_with_who_must_be_asked(
    fake: FakeSlurm, run: RunDir
) -> None:
    fake.set_job("100", reason="JobHeldAdmin")
    assert status_of([run])[0].state is State.pending
    argv = [sys.executable, "-P", "-m", "forgia_hpc.cli.main", "resume", str(run.path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ExitCode.INPUT
    assert "held by an operator, who alone can release it: ask the cluster's support" in done.stderr
    assert len(fake.jobs) == 1
