"""What Slurm says of jobs: squeue, sacct and scontrol, each asked once for any number of jobs.

"No answer" and "no such job" are different facts and never become "failed".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from forgia_hpc import process
from forgia_hpc.errors import InputError, Problem, SlurmSilentError

TIMEOUT_S = 30
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
    state: str  # the base word, e.g. CANCELLED without "by 1000"
    reason: str = ""
    nodes: str = ""
    exit_code: int | None = None
    signal: int | None = None
    source: str = ""  # squeue | sacct | scontrol


def states(job_ids: Sequence[str], environment: Mapping[str, str]) -> dict[str, SlurmState]:
    """Return what Slurm knows of these jobs; a job that it no longer knows is absent.

    Raises:
        SlurmSilentError: squeue gave no answer, so nothing may be concluded.
    """
    found = _queue(job_ids, environment)
    ended = [job for job in job_ids if job not in found or found[job].state not in WAITING | GOING]
    found |= _accounting(ended, environment)
    for job in ended:
        if job not in found and (shown := _shown(job, environment)):
            found[job] = shown
    return found


def job_ids_named(name: str, environment: Mapping[str, str]) -> list[str]:
    """Return the ids of our jobs called `name`, newest last: the way back to a job whose id was lost."""
    answer = _ask(
        ["squeue", "--noheader", "--states=all", "--format=%i", f"--name={name}"], environment
    )
    found = set(answer.stdout.split())
    try:
        argv = [
            "sacct",
            "-X",
            "-n",
            "-P",
            "--format=JobIDRaw",
            f"--name={name}",
            "--starttime=now-7days",
        ]
        told = process.run(argv, timeout_s=TIMEOUT_S, env=environment)
        found |= set(told.stdout.split()) if told.returncode == 0 else set()
    except (process.ProgramMissingError, process.ProgramSilentError):
        pass  # squeue answered; without accounting it alone decides
    return sorted(found, key=int)


def cancel(job_ids: Iterable[str], environment: Mapping[str, str]) -> None:
    """Cancel jobs, array members among them.

    Raises:
        SlurmSilentError: scancel gave no answer; the jobs may still run.
    """
    answer = _ask(["scancel", *job_ids], environment)
    if answer.returncode:
        raise SlurmSilentError(f"scancel: {answer.stderr.strip()}")


def _ask(argv: list[str], environment: Mapping[str, str]) -> process.Answer:
    """Ask a Slurm command; silence is an error of its own."""
    # an inherited SQUEUE_FORMAT or SLURM_TIME_FORMAT would change the answer
    clean = {key: "" for key in os.environ if key.startswith(("SQUEUE_", "SACCT_", "SLURM_TIME_"))}
    try:
        answer = process.run(argv, timeout_s=TIMEOUT_S, env={**environment}, without=clean)
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


def _queue(job_ids: Sequence[str], environment: Mapping[str, str]) -> dict[str, SlurmState]:
    if not job_ids:
        return {}
    argv = [
        "squeue",
        "--noheader",
        "--states=all",
        f"--jobs={','.join(job_ids)}",
        "--format=%i|%T|%r|%N",
    ]
    found = {}
    for line in _ask(argv, environment).stdout.splitlines():
        job, state, reason, nodes = line.split("|", 3)
        found[job] = SlurmState(
            job_id=job, state=state, reason=reason, nodes=nodes, source="squeue"
        )
    return found


def _accounting(job_ids: Sequence[str], environment: Mapping[str, str]) -> dict[str, SlurmState]:
    """Ask sacct; a cluster without slurmdbd (or with one that is down) leaves the answer empty."""
    if not job_ids:
        return {}
    argv = [
        "sacct",
        "-X",
        "-n",
        "-P",
        f"--jobs={','.join(job_ids)}",
        "--format=JobIDRaw,State,ExitCode,NodeList",
    ]
    try:
        answer = process.run(argv, timeout_s=TIMEOUT_S, env=environment)
    except (process.ProgramMissingError, process.ProgramSilentError):
        return {}
    found = {}
    for line in answer.stdout.splitlines() if answer.returncode == 0 else ():
        job, state, code, nodes = line.split("|", 3)
        exit_code, _, number = code.partition(":")
        found[job] = SlurmState(
            job_id=job,
            state=state.split()[0],
            nodes=nodes,
            exit_code=int(exit_code),
            signal=int(number or 0),
            source="sacct",
        )
    return {job: entry for job, entry in found.items() if entry.state not in WAITING | GOING}


def _shown(job_id: str, environment: Mapping[str, str]) -> SlurmState | None:
    """Ask slurmctld itself, which remembers an ended job for MinJobAge seconds."""
    answer = _ask(["scontrol", "--oneliner", "show", "job", job_id], environment)
    facts = dict(part.split("=", 1) for part in answer.stdout.split() if "=" in part)
    if "JobState" not in facts:
        return None
    exit_code, _, number = facts.get("ExitCode", "0:0").partition(":")
    return SlurmState(
        job_id=job_id,
        state=facts["JobState"],
        reason=facts.get("Reason", ""),
        nodes=facts.get("NodeList", ""),
        exit_code=int(exit_code),
        signal=int(number),
        source="scontrol",
    )
