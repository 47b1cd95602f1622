"""What Slurm has accounted and what it still owes: sacct and squeue, one call each for any number of jobs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forgia_hpc import process
from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.slurm.accounting import Shape, allocated, megabytes, parse_tres
from forgia_hpc.slurm.state import GOING, WAITING

TIMEOUT_S = 60  # a year of a busy account is a long answer
_SACCT = (
    "JobIDRaw,JobID,User,Account,State,Partition,Reason,Submit,Eligible,Start,End,ElapsedRaw,"
    "TimelimitRaw,CPUTimeRAW,AllocTRES,MaxRSS,TotalCPU,ConsumedEnergyRaw,JobName"
)
_SQUEUE = (
    "JobID,UserName,State,Partition,Reason,SubmitTime,EligibleTime,StartTime,TimeUsed,TimeLimit,tres-alloc,"
    "Name"
)
_NO_ACCOUNTING = re.compile("accounting storage is disabled|not configured|accounting_storage/none")


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """One attempt of one job. Times in seconds since 1970; None: it has not come to that.

    A requeued job is one allocation an attempt, an array one a task.
    """

    job_id: str  # raw: each task of an array has its own
    task: str = ""  # as people write it: 12_3
    name: str = ""
    user: str = ""
    account: str = ""
    state: str
    partition: str = ""
    reason: str = ""
    submit: int | None = None
    eligible: int | None = None
    start: int | None = None
    end: int | None = None
    elapsed_s: int = 0
    limit_s: int | None = None
    cpu_s: int = 0  # elapsed times CPUs: CPUTimeRAW
    used_cpu_s: float | None = None  # user and system time of its processes
    max_rss_mb: float | None = None  # the largest process
    energy_j: float | None = None
    shape: Shape

    @property
    def ended(self) -> bool:
        """Whether it is over; a requeued attempt is."""
        return self.state == "REQUEUED" or self.state not in WAITING | GOING


def accounted(
    environment: Mapping[str, str], *words: str, steps: bool = False
) -> list[Allocation] | None:
    """Return what sacct has of every attempt; None where this Slurm keeps no accounts.

    Without -D a requeued job shows its last attempt only, and sums come out too small.

    Raises:
        SlurmSilentError: sacct gave no answer.
    """
    brief = () if steps else ("-X",)
    argv = ["sacct", "-D", *brief, "-n", "-P", *words, f"--format={_SACCT}"]
    answer = _answered(argv, environment)
    if answer.returncode and _NO_ACCOUNTING.search(answer.stderr):
        return None
    if answer.returncode:
        raise SlurmSilentError(f"Slurm did not answer: sacct: {answer.stderr.strip()}")
    return parse_sacct(answer.stdout)


def living(environment: Mapping[str, str], account: str) -> list[Allocation]:
    """Return the jobs of an account that wait or run, an array task by task.

    Raises:
        SlurmSilentError: squeue gave no answer.
    """
    fields = ",".join(f"{name}:|" for name in _SQUEUE.split(","))
    answer = _answered(
        ["squeue", "-h", "-r", f"--account={account}", f"--Format={fields}"], environment
    )
    if answer.returncode:
        raise SlurmSilentError(f"Slurm did not answer: squeue: {answer.stderr.strip()}")
    return parse_squeue(answer.stdout)


def _answered(argv: Sequence[str], environment: Mapping[str, str]) -> process.Answer:
    # an inherited SQUEUE_FORMAT or SLURM_TIME_FORMAT would change the answer
    foreign = [key for key in os.environ if key.startswith(("SQUEUE_", "SACCT_"))]
    asked = {
        **environment,
        "SLURM_TIME_FORMAT": "%s",
    }  # local time would be twofold on one night a year
    try:
        return process.run(argv, timeout_s=TIMEOUT_S, env=asked, without=foreign)
    except (process.ProgramMissingError, process.ProgramSilentError) as error:
        raise SlurmSilentError(f"Slurm did not answer: {error}") from error


def parse_sacct(text: str) -> list[Allocation]:
    """Return the allocations of sacct's lines, each with the figures of the steps that follow it."""
    found: list[dict[str, object]] = []
    for line in text.splitlines():
        row = dict(zip(_SACCT.split(","), line.split("|", _SACCT.count(",")), strict=True))
        if "." in row["JobIDRaw"]:
            _add_step(found[-1], row)
        else:
            found.append(_allocation(row))
    return [Allocation(**facts) for facts in found]  # type: ignore[arg-type]


def _allocation(row: Mapping[str, str]) -> dict[str, object]:
    limit = row["TimelimitRaw"]
    return {
        "job_id": row["JobIDRaw"],
        "task": row["JobID"],
        "name": row["JobName"],
        "user": row["User"],
        "account": row["Account"],
        "state": (row["State"].split() or ["UNKNOWN"])[0],
        "partition": row["Partition"],
        "reason": "" if row["Reason"] == "None" else row["Reason"],
        **{key.lower(): _moment(row[key]) for key in ("Submit", "Eligible", "Start", "End")},
        "elapsed_s": int(row["ElapsedRaw"] or 0),
        "limit_s": int(limit) * 60 if limit.isdigit() else None,
        "cpu_s": int(row["CPUTimeRAW"] or 0),
        "used_cpu_s": clock_seconds(row["TotalCPU"]),
        "energy_j": _energy(row),
        "shape": allocated(parse_tres(row["AllocTRES"]), row["Partition"] or None),
    }


def _add_step(facts: dict[str, object], row: Mapping[str, str]) -> None:
    """Add the peak memory of a step; its energy is in the job's own line where a plugin counts it."""
    if row["MaxRSS"]:
        here, before = megabytes(row["MaxRSS"]), facts.get("max_rss_mb")
        facts["max_rss_mb"] = max(here, before) if isinstance(before, float) else here


def _energy(row: Mapping[str, str]) -> float | None:
    """Return the joules that a plugin counted: 0 and Slurm's two marks of "none" are no measurement."""
    text = row["ConsumedEnergyRaw"]
    joules = float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else 0.0
    return joules if 0 < joules < 2**62 else None


def parse_squeue(text: str) -> list[Allocation]:
    """Return the allocations of squeue's lines."""
    found = []
    for line in text.splitlines():
        row = dict(zip(_SQUEUE.split(","), line.split("|", _SQUEUE.count(",")), strict=True))
        used, limit = clock_seconds(row["TimeUsed"]), clock_seconds(row["TimeLimit"])
        found.append(
            Allocation(
                job_id=row["JobID"],
                name=row["Name"].rstrip("|"),
                user=row["UserName"],
                state=row["State"],
                partition=row["Partition"],
                reason="" if row["Reason"] == "None" else row["Reason"],
                submit=_moment(row["SubmitTime"]),
                eligible=_moment(row["EligibleTime"]),
                start=_moment(row["StartTime"]),
                elapsed_s=int(used or 0),
                limit_s=int(limit) if limit is not None else None,
                shape=allocated(parse_tres(row["tres-alloc"]), row["Partition"] or None),
            )
        )
    return found


def _moment(text: str) -> int | None:
    return int(text) if text.isdigit() and int(text) > 0 else None


def clock_seconds(text: str) -> float | None:
    """Return the seconds of `[D-][HH:]MM:SS[.mmm]`; None for UNLIMITED, INVALID and the like."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)", text.strip())
    if not found:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
