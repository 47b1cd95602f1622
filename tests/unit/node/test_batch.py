"""The batch step's door."""

from pathlib import Path

from forgia_hpc.errors import ExitCode
from forgia_hpc.node.batch import main
from forgia_hpc.rundir import RunDir


def test_a_job_that_was_given_up_as_lost_does_not_run_beside_its_successor(
    tmp_path: Path, monkeypatch
) -> None:
    run = RunDir(tmp_path)
    run.event("submission_lost", name="forgia-x", number=1)
    monkeypatch.setenv("SLURM_JOB_NAME", "forgia-x")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert main([str(tmp_path)]) == ExitCode.JOB_FAILED
    assert not run.events("batch_started")
    assert run.events("late_job_refused")[0].facts == {"name": "forgia-x", "job_id": "7"}
