"""Which limits of QOS and associations a Slurm enforces on a request, in its own order."""

from __future__ import annotations

import os
from collections.abc import Iterable

from forgia_hpc.slurm.asked import Asked
from forgia_hpc.slurm.caps import DENY, Bound, Cap, Holder, bounds_of, caps
from forgia_hpc.slurm.limits import Limits, QosLimits
from forgia_hpc.slurm.live_text import Book, Record


def enforced_caps(asked: Asked, whole: Asked, limits: Limits, book: Book) -> Iterable[Cap]:
    """Return the limits of QOS and associations, where this Slurm enforces them."""
    if not {"limits", "safe"} & set(limits.enforce):
        return ()
    partition = limits.partitions.get(asked.partition or "")
    job = limits.qos.get(asked.qos or "")
    door = limits.qos.get(partition.qos or "") if partition else None
    first = (job, door) if job and "OverPartQOS" in job.flags else (door, job)
    both = list(dict.fromkeys(qos.name for qos in first if qos))
    holders = [_qos(limits.qos[name], book, asked) for name in both]
    strict = any(DENY in limits.qos[name].flags for name in both)
    return caps(asked, (*holders, *_chain(asked, book)), strict=strict, whole=whole)


def _qos(qos: QosLimits, book: Book, asked: Asked) -> Holder:
    """Return a QOS with its limits as slurmdbd has them, and their use as the controller counts it."""
    told = book.qos.get(qos.name, Record(name=qos.name))
    account = (asked.account or "").lower()
    counted = {
        **told.bounds,
        **told.accounts.get(account, {}),
        **told.users.get(str(os.getuid()), {}),
    }
    written = bounds_of(qos)
    bounds = {
        name: Bound(bound.limit, counted.get(name, bound).used) for name, bound in written.items()
    }
    return Holder(name=f"QOS {qos.name}", scope="QOS", bounds={**counted, **bounds})


def _chain(asked: Asked, book: Book) -> list[Holder]:
    """Return the user's association and the accounts above it, from below."""
    account, found = (asked.account or "").lower(), []
    for record in book.associations:
        if record.user and record.name == account:
            name = f"your association with {account}"
            found.append(Holder(name=name, scope="Assoc", bounds=record.bounds))
    accounts = {record.name: record for record in book.associations if not record.user}
    while account in accounts:
        record = accounts.pop(account)
        name = f"account {account}"
        found.append(Holder(name=name, scope="Assoc", bounds=record.bounds, parent=True))
        account = record.parent
    return found
