"""Slurm that is not there, or says nothing, before and after a submission."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.errors import InputError, SlurmSilentError
from forgia_hpc.jobs.journal import arrives_s
from forgia_hpc.jobs.standing import State
from forgia_hpc.jobs.submit import submit_sealed
from forgia_hpc.jobs.track import status_of
from forgia_hpc.rundir import RunDir, write_json, write_text

SILENT = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found.directory}{os.pathsep}{os.environ['PATH']}")
    return found


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "runs" / "20261122-120000-command-abcdef")
    run.logs.mkdir(parents=True)
    record = {"kind": "command", "cluster": "dev", "slurm": True}
    record |= {"slurm_environment": {}, "resources": {"walltime": "00:10:00"}}
    write_json(run.job, record)
    write_text(run.path / "job.sbatch", "#!/bin/sh\n")
    return run


def test_two_silences_name_the_run_whose_job_is_in_doubt(fake: FakeSlurm, run: RunDir) -> None:
    for name in ("sbatch", "squeue", "sacct", "scontrol"):
        fake.says(name, "", err=SILENT, code=1)
    with pytest.raises(SlurmSilentError, match=f"forgia status {run.name}"):
        submit_sealed(run)
    assert status_of([run])[0].state is State.unknown


def test_a_job_whose_id_was_lost_is_found_by_its_name(fake: FakeSlurm, run: RunDir) -> None:
    run.event("submitting", name=f"forgia-{run.name}")
    fake.keeps_jobs()
    when = time.strftime("%Y-%m-%dT%H:%M:%S")
    fake.set_job("77", name=f"forgia-{run.name}", state="PENDING", submit=when)
    (found,) = status_of([run])
    assert (found.state, found.job_id) == (State.pending, "77")
    assert run.events("submitted")[-1].facts["reconciled"] is True


def test_a_submission_that_never_arrived_may_be_sent_again(
    fake: FakeSlurm, run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.event("submitting", name=f"forgia-{run.name}")
    assert status_of([run])[0].state is State.unknown
    later = run.events("submitting")[0].time_ns + int(arrives_s({}) + 1) * 10**9
    monkeypatch.setattr("time.time_ns", lambda: later)
    (found,) = status_of([run])
    assert found.state is State.sealed
    assert "forgia resume" in found.why


def test_a_refused_submission_says_why(fake: FakeSlurm, run: RunDir) -> None:
    fake.says("sbatch", "", err="sbatch: error: Invalid account\n", code=1)
    with pytest.raises(InputError, match="Invalid account"):
        submit_sealed(run)
    (found,) = status_of([run])
    assert found.state is State.sealed
    assert "Invalid account" in found.why


def test_without_slurm_on_the_machine_the_list_is_still_shown(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.event("submitted", job_id="5", name="x")
    monkeypatch.setenv("PATH", "/nowhere")
    (found,) = status_of([run])
    assert (found.state, found.exit_code) == (State.unknown, 4)
    assert "no squeue on this machine" in found.why
    with pytest.raises(InputError, match="squeue"):  # waiting would never end
        status_of([run], strict=True)
