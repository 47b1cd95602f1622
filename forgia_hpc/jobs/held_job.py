"""A job that Slurm holds: it is let go, and no other is sent in its place."""

from __future__ import annotations

import os
from typing import Any

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.submission import is_ours, sealed_record
from forgia_hpc.rundir import RunDir
from forgia_hpc.slurm import control
from forgia_hpc.slurm.control import SlurmRefusedError, job_facts
from forgia_hpc.slurm.reasons import is_held
from forgia_hpc.slurm.state import WAITING


def release(run: RunDir, job: str) -> dict[str, Any]:
    """Release a run's own job, and return it as a submission would.

    Nothing is submitted whatever Slurm answers, so of two who release it at the same instant none makes a
    second job.

    Raises:
        InputError: it is not held any more, or Slurm does not let us.
        SlurmSilentError: no answer.
    """
    environment = sealed_record(run)["slurm_environment"]
    try:
        facts = job_facts(job, environment)
        if facts.state not in WAITING or not is_held(facts.reason) or not is_ours(facts.name, run):
            raise _refused(run, f"job {job} is not held any more", f"forgia status {run.name}")
        control.release(job, environment)
    except SlurmRefusedError as error:
        fix = "its owner or the support of the cluster can release it"
        raise _refused(run, f"Slurm does not release job {job}: {error}", fix) from error
    told = {"job_id": job, "name": facts.name, "reason": facts.reason}
    run.event("released", **told, by=os.environ.get("USER", ""), host=os.uname().nodename)
    return {**told, "released": True}


def _refused(run: RunDir, limit: str, fix: str) -> InputError:
    return InputError(Problem(field="RUN", got=run.name, limit=limit, fix=fix))
