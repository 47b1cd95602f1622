"""The question before a submission: its price, and what the account's budget says to it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from forgia_hpc.cli.output import note
from forgia_hpc.errors import InputError, Problem, SlurmSilentError

if TYPE_CHECKING:
    from forgia_hpc.jobs.balance import Balance
    from forgia_hpc.jobs.package import Plan
    from forgia_hpc.jobs.payer import Payer
    from forgia_hpc.slurm.accounting import Price
    from forgia_hpc.slurm.profile import Cluster


def agree(plan: Plan, *, yes: bool, silent: bool) -> Payer:
    """Tell the price of one job and what the budget says to it, and ask on a terminal."""
    from forgia_hpc.jobs.next_link import link_price
    from forgia_hpc.slurm.accounting import price

    resources, cluster = plan.job.resources, plan.cluster
    asked, link = price(resources, cluster), link_price([plan])
    return agree_on(asked, resources.account, cluster, yes=yes, silent=silent, link=link)


def agree_on(
    asked: Price | None,
    account: str | None,
    cluster: Cluster,
    *,
    yes: bool,
    silent: bool,
    link: Price | None = None,
) -> Payer:
    """Tell a price, of one job or of many, and what the budget says to it, and ask on a terminal.

    `link` is what another job may cost by which one of them goes on: it is submitted while nobody is there to ask.

    Raises:
        InputError: more than is left; or more than a share, and nobody is there to agree to it.
    """
    from forgia_hpc.jobs.budget import counted, objections
    from forgia_hpc.jobs.holder import user_name
    from forgia_hpc.jobs.next_link import link_warnings
    from forgia_hpc.jobs.payer import Payer, payer_of
    from forgia_hpc.slurm.accounting import hundredths

    if asked is None:
        return Payer()
    payer = payer_of(account, cluster)
    if payer.account is None:
        note(payer.why)
        _confirm(f"may cost up to {asked}", yes=yes or silent)
        return payer
    found = counted(payer.account)
    against = objections(found, asked, agreed=False, user=user_name())
    beyond = objections(found, asked, agreed=True, user=user_name())
    if beyond or (against and not yes and (silent or not sys.stdin.isatty())):
        raise InputError(beyond or against)
    for problem in against:
        note(f"beyond the plan: {problem.limit}")
    agreed = yes or bool(against)
    later = link_warnings(found, asked, link, agreed=agreed, user=user_name())
    warnings = (*_spent(found), *later)
    for problem in warnings if not silent else ():
        note(f"warning: {problem}")
    left = f"{hundredths(found.left)} {found.grant.unit} of {found.grant.account} are left"
    _confirm(f"may cost up to {asked}; {left}", yes=yes or silent)
    return Payer(account=payer.account, agreed=agreed, warnings=warnings)


def _spent(found: Balance) -> tuple[Problem, ...]:
    """Return the warning that the month's share is spent: by jobs that ran, not by those that may."""
    from forgia_hpc.config.advice import month_spent

    used = found.everybody.month + found.everybody.in_flight
    share = used / found.month_share if found.month_share else None
    return tuple(month_spent(share, f"grant of {found.grant.account}"))


def _confirm(line: str, *, yes: bool) -> None:
    if not yes and sys.stdin.isatty():
        click.confirm(f"{line}. Submit?", abort=True, err=True)
    else:
        note(line)


def tell_balance(plan: Plan) -> None:
    """Say in a line what the budget says to a plan that is not submitted."""
    from forgia_hpc.jobs.next_link import link_price
    from forgia_hpc.slurm.accounting import price

    asked, link = price(plan.job.resources, plan.cluster), link_price([plan])
    tell_balance_on(asked, plan.job.resources.account, plan.cluster, link)


def tell_balance_on(
    asked: Price | None, account: str | None, cluster: Cluster, link: Price | None = None
) -> None:
    """Say in a line what the budget says to a price that is not submitted, of one job or of many."""
    from forgia_hpc.jobs.budget import counted, objections
    from forgia_hpc.jobs.holder import user_name
    from forgia_hpc.jobs.next_link import link_warnings
    from forgia_hpc.jobs.payer import payer_of
    from forgia_hpc.slurm.accounting import hundredths
    from forgia_hpc.slurm.cluster import is_here

    if not is_here(cluster):
        note("not checked here: balance and account")
        return
    if asked is None:
        return
    try:
        payer = payer_of(account, cluster)
    except SlurmSilentError as error:  # a dry run promises nothing, so it may go on
        note(f"not checked here: the budget; {error}")
        return
    if payer.account is None:
        note(payer.why)
        return
    found = counted(payer.account)
    note(f"{hundredths(found.left)} {found.grant.unit} of {found.grant.account} are left")
    against = objections(found, asked, agreed=False, user=user_name())
    later = link_warnings(found, asked, None if against else link, agreed=False, user=user_name())
    for problem in (*_spent(found), *later):
        note(f"warning: {problem}")
    for problem in against:
        note(f"would be refused or asked: {problem}")
