"""The jobs of many runs, sweeps and chains, so that Slurm is asked once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from forgia_hpc.errors import SealBrokenError
from forgia_hpc.jobs import journal
from forgia_hpc.jobs.chain_state import with_members
from forgia_hpc.jobs.submission import sealed_record, submitted
from forgia_hpc.rundir import RunDir
from forgia_hpc.slurm.rows import asked_once, key_of


def asked_together(runs: Sequence[RunDir]) -> AbstractContextManager[None]:
    """Return a context in which all questions on these runs share one squeue and one sacct a Slurm."""
    jobs: dict[str, list[str]] = {}
    for run in with_members(runs):
        try:
            record = sealed_record(run)
            if record["slurm"] and record["kind"] != "chain":
                own = jobs.setdefault(key_of(record["slurm_environment"]), [])
                own += _jobs_of(run, record["kind"])
        except SealBrokenError:
            continue  # whoever asks for its state says so
    return asked_once(jobs)


def _jobs_of(run: RunDir, kind: str) -> list[str]:
    """Return the jobs of a run that its state is decided from: all of a sweep, the newest two of any other."""
    told = submitted(run)
    newest = [told.get("job_id"), str(told.get("after", "")).rpartition(":")[2]]
    if kind == "sweep":
        newest += [entry.job_id for entry in journal.entries(run)]
    return [job for job in newest if job]
