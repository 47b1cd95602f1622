"""Settle receipts: the first later command replaces a job's own word by what Slurm has accounted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence

from forgia_hpc.errors import InputError, SealBrokenError, SlurmSilentError
from forgia_hpc.jobs import journal
from forgia_hpc.jobs.submission import is_ours, sealed_record
from forgia_hpc.rundir import RunDir
from forgia_hpc.slurm.arrays import tasks_of
from forgia_hpc.slurm.own_record import own_rows, sealed_job
from forgia_hpc.slurm.receipt import NO_ACCOUNTS, is_settled, write_receipt
from forgia_hpc.slurm.usage import Allocation, accounted

BESIDE = 50  # a thousand old runs took half a minute at once
BATCH = 500  # names on one command line of sacct


def settle(runs: Sequence[RunDir], *, again: bool = False) -> list[RunDir]:
    """Settle the receipts of ended runs with one question to each Slurm; return those that are settled now.

    A run that Slurm's accounts do not show as ended yet keeps its provisional receipt; a run whose record is
    broken is passed over: status names it.

    Raises:
        SlurmSilentError: sacct gave no answer.
    """
    by_slurm: dict[str, tuple[Mapping[str, str], list[RunDir]]] = {}
    done = []
    for run in runs:
        if not again and is_settled(run):
            continue
        with contextlib.suppress(SealBrokenError, InputError):
            sealed = sealed_record(run)
            environment = sealed["slurm_environment"]
            if not sealed["slurm"]:
                done += _settle_local(run)
            elif journal.entries(run):
                by_slurm.setdefault(str(environment), (environment, []))[1].append(run)
    for environment, here in by_slurm.values():
        for first in range(0, len(here), BATCH):
            done += _settle_slurm(here[first : first + BATCH], environment)
    return done


def settle_beside(runs: Sequence[RunDir]) -> None:
    """Settle the newest beside another verb, which a silent sacct must not disturb: the next one goes on."""
    with contextlib.suppress(SlurmSilentError, OSError):
        settle([run for run in runs if not is_settled(run)][-BESIDE:])


def _settle_local(run: RunDir) -> list[RunDir]:
    job = sealed_job(run)
    rows = own_rows(job)
    if rows:
        write_receipt(job, rows, standing="settled", why="by its own record: no Slurm")
    return [run] if rows else []


def _settle_slurm(runs: Sequence[RunDir], environment: Mapping[str, str]) -> list[RunDir]:
    listed = {run: journal.entries(run) for run in runs}
    names = sorted({entry.name for entries in listed.values() for entry in entries})
    since = min(entry.time_ns for entries in listed.values() for entry in entries) / 1e9
    start = time.localtime(max(0.0, since - journal.EARLIER_S))
    words = (
        f"--name={','.join(names)}",
        f"--starttime={time.strftime('%Y-%m-%dT%H:%M:%S', start)}",
    )
    rows = accounted(environment, *words, steps=True)
    if rows is None:
        for run in runs:
            job = sealed_job(run)
            write_receipt(job, own_rows(job), standing="provisional", why=NO_ACCOUNTS)
        return []
    return [run for run, entries in listed.items() if _settle_one(run, entries, rows)]


def _settle_one(run: RunDir, entries: Sequence[journal.Entry], rows: Sequence[Allocation]) -> bool:
    """Settle one run, if Slurm's accounts show the end of every job of it."""
    own = [row for row in rows if is_ours(row.name, run)]
    accepted = {entry.name for entry in entries if entry.outcome == "accepted"}
    last = {row.job_id: row for row in sorted(own, key=lambda row: (row.submit or 0, row.ended))}
    over = all(row.ended and row.state != "REQUEUED" for row in last.values())
    if not own or not over or accepted - {row.name for row in own} or _tasks_missing(entries, own):
        return False
    write_receipt(sealed_job(run), own, standing="settled")
    return True


def _tasks_missing(entries: Sequence[journal.Entry], own: Sequence[Allocation]) -> bool:
    """Whether the accounts show fewer tasks of an array than points were sent: slurmdbd learns one by one."""
    seen: dict[str, set[tuple[str, int]]] = {}
    for row in own:
        if "_" in row.task:
            seen.setdefault(row.name, set()).update(tasks_of(row.task))
    return any(
        len(seen[entry.name]) < entry.facts.get("points", 0)
        for entry in entries
        if entry.name in seen
    )
