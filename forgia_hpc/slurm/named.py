"""Jobs by their name: the way back to a job whose id never reached us, or reached us wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from forgia_hpc import process
from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.slurm.state import GOING, WAITING, ask, run_clean

CREDENTIAL_LIFE_S = 300  # slurm.conf(5), AuthInfo: munge's usual life of a credential
_NO_ACCOUNTING = re.compile("accounting storage is disabled", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class NamedJob:
    """A job that was found by its name. An array is one job."""

    job_id: str
    name: str
    live: bool  # squeue knows it, and it has not ended
    submitted_s: float  # seconds since 1970 on the clock of slurmctld; a requeue makes it later


def jobs_named(
    names: Collection[str],
    environment: Mapping[str, str],
    *,
    uid: int,
    since_s: float,
    accounting: bool = True,
) -> list[NamedJob]:
    """Return this user's jobs of these names submitted at `since_s` or later, the first submitted first.

    Raises:
        SlurmSilentError: squeue gave no answer, or a slurmdbd that there is gave none.
    """
    # sacct before squeue: what arrives between the two questions is then seen by the second
    ended = _named_in_accounting(names, environment, uid, since_s) if accounting else {}
    argv = ["squeue", "--noheader", "--states=all", f"--user={uid}", f"--name={','.join(names)}"]
    answer = ask([*argv, "--format=%F|%T|%V|%j"], environment)
    found = {**ended}
    for line in answer.stdout.splitlines():
        job, state, when, name = line.split("|", 3)
        live = state in WAITING | GOING or (job in found and found[job].live)
        found[job] = NamedJob(job_id=job, name=name, live=live, submitted_s=_seconds(when))
    kept = [job for job in found.values() if job.name in names and job.submitted_s >= since_s]
    return sorted(kept, key=lambda job: (job.submitted_s, int(job.job_id)))


def _named_in_accounting(
    names: Collection[str], environment: Mapping[str, str], uid: int, since_s: float
) -> dict[str, NamedJob]:
    """Ask sacct for jobs by name; a cluster without accounting knows none."""
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(since_s))
    argv = ["sacct", "-X", "-n", "-P", f"--user={uid}", f"--name={','.join(names)}"]
    argv += [f"--starttime={since}", "--format=JobID,Submit,JobName"]
    try:
        answer = run_clean(argv, environment)
    except process.ProgramMissingError:
        return {}
    except process.ProgramSilentError as error:
        raise SlurmSilentError(f"Slurm did not answer: {error}") from error
    if answer.returncode and not _NO_ACCOUNTING.search(answer.stderr):
        raise SlurmSilentError(f"Slurm did not answer: sacct: {answer.stderr.strip()}")
    found = {}
    for line in answer.stdout.splitlines() if answer.returncode == 0 else ():
        member, when, name = line.split("|", 2)
        job = re.split(r"[_+]", member)[0]
        found[job] = NamedJob(job_id=job, name=name, live=False, submitted_s=_seconds(when))
    return found


def credential_life_s(environment: Mapping[str, str]) -> int:
    """Return how long slurmctld believes a request that waits on the way, by slurm.conf's AuthInfo.

    Raises:
        SlurmSilentError: slurmctld gave no answer.
    """
    said = ask(["scontrol", "show", "config"], environment).stdout
    found = re.search(r"^AuthInfo\s*=.*\bttl=(\d+)", said, re.MULTILINE)
    return int(found[1]) if found else CREDENTIAL_LIFE_S


def _seconds(when: str) -> float:
    """Return Slurm's local time as seconds since 1970; for ever ago where it names none."""
    try:
        return time.mktime(time.strptime(when, "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return float("-inf")
