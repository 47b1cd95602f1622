"""Who pays: the ledger of an account, its grant, and what the cluster says of it at this moment."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.config.defaults import user_defaults
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.balance import Evidence
from forgia_hpc.jobs.grant import Grant, read_grant, statement
from forgia_hpc.jobs.holds import Ledger
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.usage import accounted, living

_ACCOUNT = re.compile(r"[\w@:+-][\w.@:+-]*")  # it names a directory of the ledger


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account with a ledger, and what the cluster says of it at this moment."""

    ledger: Ledger
    grant: Grant
    cluster: Cluster
    told: Evidence


@dataclass(frozen=True, kw_only=True)
class Payer:
    """Who pays for a submission: an account that is watched, or none and why, and what the person agreed to."""

    account: Account | None = None
    why: str = ""  # nothing is checked
    agreed: bool = False  # to go beyond the month's or the own share
    warnings: tuple[Problem, ...] = ()  # what the balance means for the job


def ledger_root() -> Path | None:
    """Return the directory of all ledgers, or None where nobody has set one."""
    text = os.environ.get("FORGIA_LEDGER") or user_defaults().get("ledger")
    return Path(text).expanduser() if text else None


def ledger_of(account: str | None) -> Ledger | None:
    """Return the ledger of an account; Slurm writes accounts in small letters, whatever was asked."""
    root = ledger_root()
    if root is None or not account:
        return None
    if not _ACCOUNT.fullmatch(account):
        limit = "one word of letters, digits and . _ @ : + -, no dot in front"
        raise InputError(Problem(field="resources.account", got=account, limit=limit))
    return Ledger(root / account.lower())


def payer_of(account: str | None, cluster: Cluster) -> Payer:
    """Return the account with what Slurm says of it, or none and why nothing is checked.

    Raises:
        InputError: its grant can't be read.
        SlurmSilentError: nothing can be promised while Slurm does not answer.
    """
    ledger = ledger_of(account) if cluster.slurm else None
    grant = read_grant(ledger.folder) if ledger else None
    if ledger is None or grant is None or grant.cluster != cluster.name:
        return Payer(why=_unwatched(account, cluster, ledger, grant))
    told = look(grant, cluster)
    return Payer(account=Account(ledger=ledger, grant=grant, cluster=cluster, told=told))


def _unwatched(
    account: str | None, cluster: Cluster, ledger: Ledger | None, grant: Grant | None
) -> str:
    """Return in one line why a budget is not checked."""
    if not cluster.slurm:
        return ""
    if not account:
        why = "no account is named (resources.account=…, or account: in your config.yaml)"
    elif ledger is None:
        why = "no ledger (FORGIA_LEDGER)"
    elif grant is None:
        why = f"no grant of {account} in {ledger.folder} (forgia budget set)"
    else:
        why = f"the grant of {account} is for {grant.cluster}"
    return f"the budget is not checked: {why}"


def look(grant: Grant, cluster: Cluster) -> Evidence:
    """Ask sacct, squeue and the site's own command, once each.

    Raises:
        SlurmSilentError: sacct or squeue gave no answer.
    """
    environment, since = cluster.environment(), grant.start.isoformat()
    words = ("--allusers", f"--accounts={grant.account}", f"--starttime={since}")
    return Evidence(
        read_s=time.time(),
        # squeue before sacct: what ends between the two questions is then in both, and counted once (see _once)
        living=living(environment, grant.account),
        ended=accounted(environment, *words),
        site=statement(cluster, grant.account),
    )
