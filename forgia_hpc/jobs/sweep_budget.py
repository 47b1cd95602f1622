"""The budget of a sweep: one hold for all its jobs, from before the first is sent until the last has ended."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from forgia_hpc.errors import InputError, SlurmSilentError
from forgia_hpc.jobs import journal
from forgia_hpc.jobs.agreement import has_agreed, note_agreed
from forgia_hpc.jobs.budget import Wanted, finish, held
from forgia_hpc.jobs.payer import Payer, ledger_root, payer_of
from forgia_hpc.jobs.submission import sealed_record
from forgia_hpc.rundir import read_json
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.accounting import Price, price
from forgia_hpc.slurm.cluster import load_cluster
from forgia_hpc.sweepdir import SweepDir


@contextlib.contextmanager
def held_sweep(sweep: SweepDir, cost: Price | None, payer: Payer) -> Iterator[None]:
    """Hold what the points of an order may cost while they are sent; the hold stays until all have ended.

    Raises:
        InputError: the budget does not allow it.
    """
    number = journal.next_number(sweep)
    wanted = Wanted(run=sweep, price=cost, number=number, more=True) if cost else None
    with held(payer.account, wanted, agreed=payer.agreed):
        yield
    if payer.account is not None:
        sweep.event("budget_held")
        note_agreed(sweep, agreed=payer.agreed)


@contextlib.contextmanager
def held_missing(sweep: SweepDir, points: Collection[int]) -> Iterator[None]:
    """Hold what points may cost that are sent again, against the month's share too unless somebody agreed."""
    if ledger_root() is None:
        yield
        return
    cluster, start = (
        load_cluster(sealed_record(sweep)["cluster"]),
        read_json(sweep.manifest)["start"],
    )
    listed = Counter({0: start["allocations"]})
    groups = [start["allocation"]]
    if not start["allocation"]:
        listed, groups = Counter(sweep.points[index].group for index in points), start["groups"]
    total: Price | None = None
    for group, count in listed.items():
        one = price(Resources(**groups[group]), cluster)
        each = one.times(count) if one else None
        total = each if total is None or each is None else total + each
    payer = replace(payer_of(groups[0]["account"], cluster), agreed=has_agreed(sweep))
    with held_sweep(sweep, total, payer):
        yield


def release(sweep: SweepDir) -> None:
    """Close the holds of a sweep that has ended; where Slurm can't be asked now, a later status does."""
    held_so_far, done = sweep.events("budget_held"), sweep.events("budget_finished")
    if ledger_root() is None or len(done) >= len(held_so_far):
        return
    with contextlib.suppress(SlurmSilentError, InputError):
        record = sealed_record(sweep)
        account = record["resources"]["account"]
        finish(sweep, payer_of(account, load_cluster(record["cluster"])))
        for _ in held_so_far[len(done) :]:
            sweep.event("budget_finished")
