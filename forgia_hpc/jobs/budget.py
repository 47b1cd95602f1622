"""The budget of an account: what a submission may cost is put down before Slurm is asked, or refused."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from forgia_hpc.errors import InputError, Problem, SlurmSilentError
from forgia_hpc.jobs import journal
from forgia_hpc.jobs.agreement import has_agreed
from forgia_hpc.jobs.balance import Balance, Evidence, balance, cost
from forgia_hpc.jobs.holder import myself, user_name
from forgia_hpc.jobs.holds import Closed, Hold, submitter_gone
from forgia_hpc.jobs.payer import Account, Payer, payer_of
from forgia_hpc.jobs.submission import token
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.accounting import Price, hundredths, price
from forgia_hpc.slurm.cluster import load_cluster
from forgia_hpc.slurm.own_record import own_rows, sealed_job
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.usage import Allocation


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One submission that wants to be paid: its run, its number there, and what it may cost at most."""

    run: RunDir
    price: Price
    number: int = 1
    names: tuple[str, ...] = ()  # of its Slurm jobs; empty: the one of this submission
    more: bool = False  # further jobs may come under it: it stands until it is closed


def counted(account: Account, *, before: int | None = None) -> Balance:
    """Return the balance with the holds below a slot, or with all."""
    slot = account.ledger.last_slot() + 1 if before is None else before
    stand, gone = account.ledger.before(slot)
    told = replace(_once(account.told), open_holds=stand, closed_holds=gone)
    return balance(
        account.grant, account.cluster, told, datetime.datetime.now()
    )  # months are local


def _once(told: Evidence) -> Evidence:
    """Drop from the living what sacct shows as ended, and from the ended what is no end.

    A requeued attempt has ended, but its job will run again: better counted twice for a moment than not at all.
    """
    if told.ended is None:
        return told
    over = {(j.job_id, j.submit) for j in told.ended if j.ended and j.state != "REQUEUED"}
    alive = [job for job in told.living or () if (job.job_id, job.submit) not in over]
    return replace(told, living=alive, ended=[job for job in told.ended if job.ended])


def objections(found: Balance, asked: Price, *, agreed: bool, user: str) -> list[Problem]:
    """Return why this may not be submitted. The total stands; a month's or a member's share may be agreed to."""
    unit, where = found.grant.unit, f"grant of {found.grant.account}"
    if asked.unit != unit:
        limit = f"the grant is in {unit}, the cluster bills {asked.unit}"
        return [Problem(field="resources.account", got=str(asked), limit=limit, where=where)]
    if asked.amount > found.left:
        whole = found.everybody
        parts = f"settled {whole.settled:.2f}, in flight {whole.in_flight:.2f}, committed {whole.committed:.2f}"
        limit = f"{hundredths(found.left)} {unit} of {found.grant.total:.6g} are left ({parts})"
        return [_refused(str(asked), limit, where, "ask for less, or forgia budget show")]
    if agreed:
        return []
    told = []
    if asked.amount > found.month_share - found.month_used:
        rest = hundredths(found.month_share - found.month_used)
        limit = f"{rest} {unit} of this month's share of {found.month_share:.6g} are left"
        told.append(_refused(str(asked), limit, where, "--yes, or wait for the next month"))
    share, own = found.grant.members.get(user), found.members.get(user)
    if share is not None and asked.amount > (
        left := share * found.grant.total - (own.spoken_for if own else 0.0)
    ):
        limit = (
            f"{hundredths(left)} {unit} of your share of {share * found.grant.total:.6g} are left"
        )
        told.append(_refused(str(asked), limit, where, "--yes, if the others agree"))
    return told


def _refused(got: str, limit: str, where: str, fix: str) -> Problem:
    return Problem(field="budget", got=got, limit=limit, where=where, fix=fix)


def take(account: Account, wanted: Wanted, *, agreed: bool) -> Hold:
    """Put down the hold, then count: the order of the slots decides, so nobody can overrun together with another.

    Raises:
        InputError: it is too much; the hold is closed again.
    """
    hold = account.ledger.take(
        Hold(
            run=wanted.run.name,
            path=str(wanted.run.path),
            number=wanted.number,
            names=wanted.names or (token(wanted.run, wanted.number),),
            account=account.grant.account,
            cluster=account.cluster.name,
            unit=wanted.price.unit,
            amount=wanted.price.amount,
            user=user_name(),
            holder=myself(),
            time_ns=time.time_ns(),
            more=wanted.more,
        )
    )
    try:
        _count(account, hold, wanted.price, agreed=agreed)
    except BaseException:  # Ctrl-C too: what is not submitted holds nothing
        account.ledger.close(hold, "refused")
        raise
    return hold


def _count(account: Account, hold: Hold, asked: Price, *, agreed: bool) -> None:
    for _ in range(2):
        found = counted(account, before=hold.slot)
        against = objections(found, asked, agreed=agreed, user=hold.user)
        if not against:
            return
        if not tidy(account):  # holds of the dead may have stood in the way
            break
    raise InputError(against)


@contextlib.contextmanager
def held_for(
    run: RunDir, cluster: Cluster, resources: Resources, payer: Payer | None = None, number: int = 1
) -> Iterator[None]:
    """Hold the price of one submission while it is made; nothing happens where no ledger is kept."""
    cost_of = price(resources, cluster)
    paying = payer or payer_of(resources.account, cluster)
    wanted = Wanted(run=run, price=cost_of, number=number) if cost_of else None
    with held(paying.account, wanted, agreed=paying.agreed):
        yield


@contextlib.contextmanager
def held_again(run: RunDir, number: int) -> Iterator[None]:
    """Hold the price of another submission of a run, against the month's share too unless somebody agreed."""
    sealed = read_json(run.job)
    cluster, resources = load_cluster(sealed["cluster"]), Resources(**sealed["resources"])
    payer = replace(payer_of(resources.account, cluster), agreed=has_agreed(run))
    with held_for(run, cluster, resources, payer, number):
        yield


@contextlib.contextmanager
def held(account: Account | None, wanted: Wanted | None, *, agreed: bool) -> Iterator[None]:
    """Hold what a submission may cost while it is made. What certainly was not sent holds nothing afterwards.

    Raises:
        InputError: the budget does not allow it.
    """
    if account is None or wanted is None:
        yield
        return
    hold = take(account, wanted, agreed=agreed)
    try:
        yield
    except BaseException:  # Ctrl-C too
        with contextlib.suppress(
            SlurmSilentError, InputError
        ):  # in doubt it stands; a later command finds out
            if why := _never_sent(hold, mine=True):
                account.ledger.close(hold, why)
        raise


def _never_sent(hold: Hold, *, mine: bool = False) -> str:
    """Return why no job can come of a hold, by the evidence of its run; nothing where one has or may."""
    run = RunDir(Path(hold.path))
    entry = None
    if run.path.is_dir():
        entry = next((one for one in journal.entries(run) if one.number == hold.number), None)
    if entry is not None:
        return {"refused": "Slurm refused it", "lost": "it never arrived"}.get(entry.outcome, "")
    if mine or submitter_gone(hold):
        return "it was never sent: its submitter ended before it asked Slurm"
    return ""


def tidy(account: Account) -> int:
    """Close every hold whose job is settled, or of which no job can come; by evidence, never by age."""
    stand, _ = account.ledger.all()
    closed = 0
    for hold in stand:
        jobs = _jobs_of(hold, account.told)
        end = _end(hold, jobs, account.cluster, account.told)
        if end and account.ledger.close(hold, end.why, amount=end.amount, **end.facts):
            closed += 1
    return closed


def finish(run: RunDir, payer: Payer) -> None:
    """Close the hold of a run that sends no more jobs: the last of a sweep's points is done."""
    if payer.account is None:
        return
    account = payer.account
    for hold in account.ledger.all()[0]:
        if hold.run == run.name:
            jobs = _jobs_of(hold, account.told)
            amount = sum(cost(job, account.cluster, job.elapsed_s) for job in jobs if job.ended)
            account.ledger.close(hold, "settled", amount=amount)


def _jobs_of(hold: Hold, told: Evidence) -> list[Allocation]:
    """Return the attempts that Slurm shows of a hold's jobs."""
    return [job for job in (*(told.ended or ()), *(told.living or ())) if hold.covers(job.name)]


def _end(hold: Hold, jobs: Sequence[Allocation], cluster: Cluster, told: Evidence) -> Closed | None:
    """Return the end of a hold, if it has come."""
    last = {job.job_id: job for job in sorted(jobs, key=lambda job: (job.submit or 0, job.ended))}
    if (
        jobs
        and not hold.more
        and all(job.ended and job.state != "REQUEUED" for job in last.values())
    ):
        amount = sum(cost(job, cluster, job.elapsed_s) for job in jobs if job.ended)
        return Closed(hold=hold, why="settled", amount=amount, facts={"job_ids": sorted(last)})
    if jobs or (why := _never_sent(hold)):
        return None if jobs else Closed(hold=hold, why=why)
    return _by_own_record(hold, told) if told.ended is None else None


def _by_own_record(hold: Hold, told: Evidence) -> Closed | None:
    """Return the end of a hold where Slurm keeps no accounts: squeue knows its job no more."""
    run = RunDir(Path(hold.path))
    entries = journal.entries(run) if run.path.is_dir() else []
    entry = next((one for one in entries if one.number == hold.number), None)
    if entry is None or entry.outcome != "accepted" or entry.until_s > told.read_s:
        return None
    job = sealed_job(run)
    rows = [row for row in own_rows(job) if row.job_id == entry.job_id]
    amount = sum(cost(row, job.cluster, row.elapsed_s) for row in rows)
    return Closed(hold=hold, why="by the job's own record", amount=amount)
