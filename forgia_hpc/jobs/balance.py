"""The balance of an account: settled, in flight, committed, and what is left of grant and month. Pure."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from forgia_hpc.jobs.grant import Grant, Statement
from forgia_hpc.jobs.holds import Closed, Hold
from forgia_hpc.slurm.accounting import billed
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.usage import Allocation

NO_LIMIT_S = 365 * 86400  # a job without a time limit may cost as good as anything


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was read at one moment, each from its own source; None: that source has no answer here."""

    ended: Sequence[Allocation] | None = None  # sacct
    living: Sequence[Allocation] | None = None  # squeue
    site: Statement | None = None  # the site's own command
    read_s: float = 0.0  # when, in seconds since 1970
    open_holds: Sequence[Hold] = ()
    closed_holds: Sequence[Closed] = ()


@dataclass(frozen=True, kw_only=True)
class Share:
    """Sums in the account's unit, of all or of one member."""

    settled: float = 0.0
    in_flight: float = 0.0  # by running jobs so far
    committed: float = 0.0  # what running and queued jobs and holds may still cost
    month: float = 0.0  # settled within this month

    @property
    def spoken_for(self) -> float:
        """What is gone or may go."""
        return self.settled + self.in_flight + self.committed

    def plus(self, **amounts: float) -> Share:
        """Return the sums with these amounts added."""
        return replace(self, **{key: getattr(self, key) + more for key, more in amounts.items()})


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What an account has, has spent and has promised."""

    grant: Grant
    everybody: Share
    members: dict[str, Share] = field(default_factory=dict)
    month_share: float = 0.0
    month_ends: datetime.date
    sources: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # what could not be read, and what that means

    @property
    def left(self) -> float:
        """What is left of the grant."""
        return self.grant.total - self.everybody.spoken_for

    @property
    def month_used(self) -> float:
        """What this month's share has to bear: settled in it, in flight and committed."""
        whole = self.everybody
        return whole.month + whole.in_flight + whole.committed

    def as_json(self) -> dict[str, Any]:
        """Return the balance for `--json`."""
        whole = self.everybody
        return {
            "account": self.grant.account,
            "cluster": self.grant.cluster,
            "unit": self.grant.unit,
            "from": self.grant.start.isoformat(),
            "to": self.grant.end.isoformat(),
            "total": self.grant.total,
            **{key: getattr(whole, key) for key in ("settled", "in_flight", "committed")},
            "left": self.left,
            "month": {
                "share": self.month_share,
                "used": self.month_used,
                "left": self.month_share - self.month_used,
                "ends": self.month_ends.isoformat(),
            },
            "members": {
                name: {
                    "settled": one.settled,
                    "in_flight": one.in_flight,
                    "committed": one.committed,
                    "share": share * self.grant.total
                    if (share := self.grant.members.get(name))
                    else None,
                }
                for name, one in sorted(self.members.items())
            },
            "sources": list(self.sources),
            "missing": list(self.missing),
        }


def balance(grant: Grant, cluster: Cluster, evidence: Evidence, now: datetime.datetime) -> Balance:
    """Add up what the sources say, each job once.

    A job that Slurm shows counts as Slurm shows it. A hold counts while Slurm shows no job of its names: before
    the job is there, or where this person may not see it. A closed hold counts what its job was billed, if sacct
    no longer has it. Of the site's own sum and ours the larger one holds: both can only miss something.
    """
    first, after, month_share = grant.month(now.date())
    sums: defaultdict[str, Share] = defaultdict(Share)
    ended, alive = evidence.ended or (), evidence.living or ()
    month = (_stamp(first), _stamp(after))
    for job in ended:
        if job.ended and (job.end or 0) > _stamp(grant.start):
            amount, inside = _settled(job, cluster, month)
            sums[job.user] = sums[job.user].plus(settled=amount, month=inside)
    for job in alive:
        spent, rest = _promised(job, cluster)
        sums[job.user] = sums[job.user].plus(in_flight=spent, committed=rest)
    seen = {job.name for job in (*ended, *alive)}
    for hold in evidence.open_holds:
        rest = _outstanding(hold, seen, ended, alive, cluster)
        sums[hold.user] = sums[hold.user].plus(committed=rest)
    for end in evidence.closed_holds:
        if end.amount and not any(end.hold.covers(name) for name in seen):
            inside = end.amount if end.facts.get("time_ns", 0) / 1e9 >= month[0] else 0.0
            sums[end.hold.user] = sums[end.hold.user].plus(settled=end.amount, month=inside)
    whole = _added(sums.values())
    if evidence.site:
        whole = replace(
            whole,
            settled=max(whole.settled, evidence.site.consumed),
            month=max(whole.month, evidence.site.month_consumed),
        )
        month_share = evidence.site.month_total or month_share
    return Balance(
        grant=grant,
        everybody=whole,
        members=dict(sums),
        month_share=month_share,
        month_ends=after - datetime.timedelta(days=1),
        sources=_sources(evidence),
        missing=_missing(evidence, cluster),
    )


def cost(job: Allocation, cluster: Cluster, seconds: float) -> float:
    """Return what so many seconds of a job are billed, in the site's unit."""
    found = billed(job.shape, cluster, seconds)
    return found.amount if found else 0.0


def _settled(job: Allocation, cluster: Cluster, month: tuple[float, float]) -> tuple[float, float]:
    """Return what an ended job was billed, in all and within the month."""
    amount = cost(job, cluster, job.elapsed_s)
    start, end = job.start or 0, job.end or 0
    inside = max(0.0, min(end, month[1]) - max(start, month[0]))
    return amount, amount * inside / (end - start) if end > start else 0.0


def _promised(job: Allocation, cluster: Cluster) -> tuple[float, float]:
    """Return what a living job has cost so far, and what it may still cost."""
    limit = NO_LIMIT_S if job.limit_s is None else job.limit_s
    return (
        cost(job, cluster, job.elapsed_s),
        cost(job, cluster, max(0, limit - job.elapsed_s)),
    )


def _outstanding(
    hold: Hold,
    seen: Collection[str],
    ended: Sequence[Allocation],
    alive: Sequence[Allocation],
    cluster: Cluster,
) -> float:
    """Return what an open hold stands for beside the jobs that Slurm shows."""
    if not any(hold.covers(name) for name in seen):
        return hold.amount
    if not hold.more:
        return 0.0
    own = [job for job in ended if hold.covers(job.name)]
    spent = sum(cost(job, cluster, job.elapsed_s) for job in own)
    shown = sum(sum(_promised(job, cluster)) for job in alive if hold.covers(job.name))
    return max(0.0, hold.amount - spent - shown)


def _added(shares: Collection[Share]) -> Share:
    whole = Share()
    for one in shares:
        whole = whole.plus(**vars(one))
    return whole


def _stamp(day: datetime.date) -> float:
    return datetime.datetime.combine(day, datetime.time()).timestamp()


def _sources(evidence: Evidence) -> tuple[str, ...]:
    said: Mapping[str, Callable[[], object]] = {
        "site": lambda: evidence.site,
        "sacct": lambda: evidence.ended is not None,
        "squeue": lambda: evidence.living is not None,
        "ledger": lambda: True,
    }
    return tuple(name for name, has in said.items() if has())


def _missing(evidence: Evidence, cluster: Cluster) -> tuple[str, ...]:
    told = []
    if evidence.ended is None:
        told.append(
            "no accounting (sacct): settled is what this ledger has noted, jobs from elsewhere are missing"
        )
    if cluster.accounting.balance_cmd and evidence.site is None:
        told.append(f"{' '.join(cluster.accounting.balance_cmd)} said nothing of this account")
    return tuple(told)
