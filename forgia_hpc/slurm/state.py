"""What Slurm says of jobs: squeue, sacct and scontrol, each asked once for any number of jobs.

"No answer" and "no such job" are different facts and never become "failed". An id alone is no proof: a slurmctld
that went down may hand the id of a lost job to another one, so every answer carries the job's name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from forgia_hpc import process
from forgia_hpc.errors import InputError, Problem, SlurmSilentError
from forgia_hpc.slurm.conf import require_conf
from forgia_hpc.slurm.rows import ACCOUNTS, QUEUE, Row, rows

TIMEOUT_S = 30
# sacct of a job that was cancelled in its first second: slurmdbd never got its name (seen on 22.05)
_UNNAMED = "allocation"
WAITING = frozenset(
    {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
)
GOING = frozenset(
    {"RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "SIGNALING", "STAGE_OUT", "STOPPED"}
)


@dataclass(frozen=True, kw_only=True)
class SlurmState:
    """One job as Slurm tells it. exit_code and signal as in sacct's ExitCode."""

    job_id: str
    name: str = ""  # empty where it is not told
    state: str  # the base word, e.g. CANCELLED without "by 1000"
    reason: str = ""
    nodes: str = ""
    start: str = ""  # of a waiting job what squeue expects, or N/A; local time
    exit_code: int | None = None
    signal: int | None = None
    elapsed_s: int | None = None  # of an ended job, where sacct tells
    limit_s: int | None = None  # its walltime; None: unlimited, or not told
    source: str = ""  # squeue | sacct | scontrol


def states(job_ids: Sequence[str], environment: Mapping[str, str]) -> dict[str, SlurmState]:
    """Return what Slurm knows of these jobs; a job that it no longer knows is absent.

    Raises:
        SlurmSilentError: squeue gave no answer, so nothing may be concluded.
    """
    found = _queue(job_ids, environment)
    ended = [job for job in job_ids if job not in found or found[job].state not in WAITING | GOING]
    for job, entry in _accounting(ended, environment).items():
        found[job] = replace(entry, name=found[job].name) if job in found else entry
    for job in ended:
        if job not in found and (shown := _shown(job, environment)):
            found[job] = shown
    return found


def cancel(job_ids: Iterable[str], environment: Mapping[str, str]) -> None:
    """Cancel jobs, array members among them.

    Raises:
        SlurmSilentError: scancel gave no answer; the jobs may still run.
    """
    answer = ask(["scancel", *job_ids], environment)
    if answer.returncode:
        raise SlurmSilentError(f"scancel: {answer.stderr.strip()}")


def run_clean(argv: list[str], environment: Mapping[str, str]) -> process.Answer:
    """Run a Slurm command without what would change its answer, as an inherited SQUEUE_FORMAT would."""
    foreign = [key for key in os.environ if key.startswith(("SQUEUE_", "SACCT_", "SLURM_TIME_"))]
    require_conf(environment)
    return process.run(argv, timeout_s=TIMEOUT_S, env=environment, without=foreign)


def ask(argv: list[str], environment: Mapping[str, str]) -> process.Answer:
    """Ask a Slurm command; silence is an error of its own."""
    try:
        answer = run_clean(argv, environment)
    except process.ProgramMissingError as error:
        raise InputError(
            Problem(
                field="cluster",
                got=f"no {argv[0]} on this machine",
                limit="Slurm's commands are needed",
                fix="run this on a login node of the cluster",
            )
        ) from error
    except process.ProgramSilentError as error:
        raise SlurmSilentError(f"Slurm did not answer: {error}") from error
    if answer.returncode and not re.search(
        "Invalid job id|Job/step already complet", answer.stderr
    ):
        raise SlurmSilentError(f"Slurm did not answer: {argv[0]}: {answer.stderr.strip()}")
    return answer


def queue_rows(job_ids: Sequence[str], environment: Mapping[str, str]) -> list[Row]:
    """Return squeue's lines on these jobs: job or task, state, reason, nodes, expected start, name.

    Raises:
        SlurmSilentError: squeue gave no answer.
    """

    def asked(ids: Sequence[str]) -> list[Row]:
        argv = ["squeue", "--noheader", "--states=all", f"--jobs={','.join(ids)}"]
        answer = ask([*argv, f"--format={QUEUE}"], environment)
        return [line.split("|", 5) for line in answer.stdout.splitlines()]

    return rows("squeue", job_ids, environment, asked) if job_ids else []


def account_rows(job_ids: Sequence[str], environment: Mapping[str, str]) -> list[Row]:
    """Return sacct's lines on these jobs, in the order of ACCOUNTS.

    A cluster without slurmdbd, or with one that is down, leaves the answer empty.
    """

    def asked(ids: Sequence[str]) -> list[Row]:
        argv = ["sacct", "-X", "-n", "-P", f"--jobs={','.join(ids)}", f"--format={ACCOUNTS}"]
        try:
            answer = run_clean(argv, environment)
        except (process.ProgramMissingError, process.ProgramSilentError):
            return []
        lines = answer.stdout.splitlines() if answer.returncode == 0 else []
        return [line.split("|", 6) for line in lines]

    return rows("sacct", job_ids, environment, asked) if job_ids else []


def _queue(job_ids: Sequence[str], environment: Mapping[str, str]) -> dict[str, SlurmState]:
    return {
        job: SlurmState(
            job_id=job,
            name=name,
            state=state,
            reason=reason,
            nodes=nodes,
            start=start,
            source="squeue",
        )
        for job, state, reason, nodes, start, name in queue_rows(job_ids, environment)
    }


def _accounting(job_ids: Sequence[str], environment: Mapping[str, str]) -> dict[str, SlurmState]:
    """Return what has ended by sacct; what it still believes to run is squeue's to tell."""
    found = {}
    for job, state, code, nodes, elapsed, limit, name in account_rows(job_ids, environment):
        exit_code, _, number = code.partition(":")
        found[job] = SlurmState(
            job_id=job,
            name="" if name == _UNNAMED else name,
            state=state.split()[0],
            nodes=nodes,
            exit_code=int(exit_code),
            signal=int(number or 0),
            elapsed_s=int(elapsed) if elapsed.isdigit() else None,
            limit_s=int(limit) * 60 if limit.isdigit() else None,  # else UNLIMITED
            source="sacct",
        )
    return {job: entry for job, entry in found.items() if entry.state not in WAITING | GOING}


def _shown(job_id: str, environment: Mapping[str, str]) -> SlurmState | None:
    """Ask slurmctld itself, which remembers an ended job for MinJobAge seconds."""
    answer = ask(["scontrol", "--oneliner", "show", "job", job_id], environment)
    facts = dict(part.split("=", 1) for part in answer.stdout.split() if "=" in part)
    if "JobState" not in facts:
        return None
    exit_code, _, number = facts.get("ExitCode", "0:0").partition(":")
    return SlurmState(
        job_id=job_id,
        name=facts.get("JobName", ""),  # one with a blank is cut, and is none of ours
        state=facts["JobState"],
        reason=facts.get("Reason", ""),
        nodes=facts.get("NodeList", ""),
        exit_code=int(exit_code),
        signal=int(number),
        source="scontrol",
    )
