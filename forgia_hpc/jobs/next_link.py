"""Whether the next link of a long job may be refused in the night, while somebody is there to agree to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from forgia_hpc.errors import Problem
from forgia_hpc.jobs.balance import Balance, Share
from forgia_hpc.jobs.budget import objections
from forgia_hpc.jobs.package import Plan
from forgia_hpc.schema.job import CommandJob, Kind
from forgia_hpc.slurm.accounting import Price, price

_SAVING = (
    Kind.train,
    Kind.prepare,
    Kind.simulate,
)  # they go on from what they saved, and so does a resumable command


def link_price(plans: Iterable[Plan]) -> Price | None:
    """Return what the dearest next link of these jobs may cost; None where none goes on by another job.

    A requeue is the same job, and asks nobody.
    """
    prices = [price(one.job.resources, one.cluster) for one in plans if _may_link(one)]
    return max((one for one in prices if one), key=lambda one: one.amount, default=None)


def _may_link(plan: Plan) -> bool:
    resumable = isinstance(plan.job, CommandJob) and plan.job.command.resumable
    saves = resumable or plan.job.kind in _SAVING
    return saves and plan.cluster.slurm and plan.cluster.scheduler.resubmit == "singleton"


def link_warnings(
    found: Balance, asked: Price, link: Price | None, *, agreed: bool, user: str
) -> tuple[Problem, ...]:
    """Return why another link may be refused once this submission is paid; nothing where none is needed.

    Args:
        found: the balance before the submission.
        asked: what the submission may cost.
        link: what its dearest next link may cost.
        agreed: it may go beyond the shares, and so may its links; beyond the total nothing may.
        user: who submits.
    """
    if link is None:
        return ()
    mine = found.members.get(user, Share()).plus(committed=asked.amount)
    paid = found.everybody.plus(committed=asked.amount)
    after = replace(found, everybody=paid, members={**found.members, user: mine})
    fix = (
        "ask for less"
        if agreed
        else "--yes now holds for its links too; or then forgia resume RUN --yes"
    )
    return tuple(
        replace(
            one,
            got=f"a next link, {link.amount:.6g} {link.unit}",
            limit=f"it may be refused in its turn: after this job {one.limit}",
            fix=fix,
        )
        for one in objections(after, link, agreed=agreed, user=user)
    )
