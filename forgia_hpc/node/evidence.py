"""Whether an allocation still lives: by Slurm's word, or by the process itself; in doubt it does."""

from __future__ import annotations

import os
from pathlib import Path

from forgia_hpc import process
from forgia_hpc.claims import Holder
from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.slurm.control import JobFacts, SlurmRefusedError, job_facts
from forgia_hpc.slurm.state import GOING


def facts_of(job: str | None) -> JobFacts | None:
    """Return what slurmctld holds of a job; None where it knows none, or there is no Slurm.

    Raises:
        SlurmSilentError: no answer.
    """
    try:
        return job_facts(job, {}) if job else None
    except (SlurmRefusedError, process.ProgramMissingError):
        return None


def lives(holder: Holder, here: Holder) -> bool:
    """Whether an allocation still runs in the start that made its claims; in doubt it does."""
    if holder == here:
        return True
    if holder.job == here.job and holder.job:
        return holder.restart > here.restart
    if not holder.job:
        return holder.host != os.uname().nodename or _is_process(holder)
    try:
        facts = facts_of(holder.job)
    except SlurmSilentError:
        return True
    return facts is not None and facts.state in GOING and facts.restarts == holder.restart


def _is_process(holder: Holder) -> bool:
    try:
        words = Path(f"/proc/{holder.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return words.split()[19] == holder.start_ticks
