"""The question before a submission: its price, and what the account's budget says to it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from forgia_hpc.cli.output import note
from forgia_hpc.errors import InputError, SlurmSilentError

if TYPE_CHECKING:
    from forgia_hpc.jobs.package import Plan
    from forgia_hpc.jobs.payer import Payer
    from forgia_hpc.slurm.accounting import Price
    from forgia_hpc.slurm.profile import Cluster


def agree(plan: Plan, *, yes: bool, silent: bool) -> Payer:
    """Tell the price of one job and what the budget says to it, and ask on a terminal."""
    from forgia_hpc.slurm.accounting import price

    resources, cluster = plan.job.resources, plan.cluster
    return agree_on(price(resources, cluster), resources.account, cluster, yes=yes, silent=silent)


def agree_on(
    asked: Price | None, account: str | None, cluster: Cluster, *, yes: bool, silent: bool
) -> Payer:
    """Tell a price, of one job or of many, and what the budget says to it, and ask on a terminal.

    Raises:
        InputError: more than is left; or more than a share, and nobody is there to agree to it.
    """
    from forgia_hpc.jobs.budget import counted, objections
    from forgia_hpc.jobs.holder import user_name
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
    left = f"{hundredths(found.left)} {found.grant.unit} of {found.grant.account} are left"
    _confirm(f"may cost up to {asked}; {left}", yes=yes or silent)
    return Payer(account=payer.account, agreed=yes or bool(against))


def _confirm(line: str, *, yes: bool) -> None:
    if not yes and sys.stdin.isatty():
        click.confirm(f"{line}. Submit?", abort=True, err=True)
    else:
        note(line)


def tell_balance(plan: Plan) -> None:
    """Say in a line what the budget says to a plan that is not submitted."""
    from forgia_hpc.jobs.budget import counted, objections
    from forgia_hpc.jobs.holder import user_name
    from forgia_hpc.jobs.payer import payer_of
    from forgia_hpc.slurm.accounting import hundredths, price

    asked = price(plan.job.resources, plan.cluster)
    if asked is None:
        return
    try:
        payer = payer_of(plan.job.resources.account, plan.cluster)
    except SlurmSilentError as error:  # a dry run promises nothing, so it may go on
        note(f"not checked here: the budget; {error}")
        return
    if payer.account is None:
        note(payer.why)
        return
    found = counted(payer.account)
    note(f"{hundredths(found.left)} {found.grant.unit} of {found.grant.account} are left")
    for problem in objections(found, asked, agreed=False, user=user_name()):
        note(f"would be refused or asked: {problem}")
