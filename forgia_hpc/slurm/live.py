"""Reads what a verdict needs from a live Slurm: limits, their use, nodes and queue, all asked side by side."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pwd
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from forgia_hpc import process
from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.slurm import ahead, live_text
from forgia_hpc.slurm.asked import Asked
from forgia_hpc.slurm.conf import require_conf
from forgia_hpc.slurm.enforced import enforced_caps
from forgia_hpc.slurm.finding import Measure
from forgia_hpc.slurm.limits import Association, Limits
from forgia_hpc.slurm.limits_read import limits_of
from forgia_hpc.slurm.limits_text import (
    ASSOCIATION_COLUMNS,
    QOS_COLUMNS,
    parse_associations,
    parse_config,
    parse_partitions,
    parse_qos,
)
from forgia_hpc.slurm.live_text import Book, Queued
from forgia_hpc.slurm.rooms import Now, Room

TIMEOUT_S = 10  # a verdict is worth so much waiting; what has not answered by then is "not checked"
_NODES = ",".join(f"{name}:{width}" for name, width in live_text.NODE_COLUMNS.items())
WHERE = "Slurm, asked now"
Ask = Callable[..., str]
_CALLS = {
    "config": ("scontrol", "show", "config"),
    "partitions": ("scontrol", "show", "partition", "--oneliner"),
    "qos": ("sacctmgr", "-nP", "show", "qos", f"format={QOS_COLUMNS}"),
    "queue": ("squeue", "-h", "--states=PD,R,CG,S", "-o", live_text.JOB_COLUMNS),
}


def read_measure(
    asked: Asked, environment: Mapping[str, str], *, timeout_s: float = TIMEOUT_S
) -> tuple[Asked, Measure]:
    """Return the request with Slurm's own defaults filled in, and what it is to be held against.

    Raises:
        SlurmSilentError: limits, nodes or queue gave no answer.
        InputError: there are no Slurm commands on this machine.
    """
    own = pwd.getpwuid(os.getuid())

    def ask(*argv: str) -> str:
        return _ask(argv, environment, timeout_s)

    with ThreadPoolExecutor(len(_CALLS) + 3) as pool:
        calls = {name: pool.submit(ask, *argv) for name, argv in _CALLS.items()}
        calls["assoc"] = pool.submit(ask, *_associations(own.pw_name))
        rooms = pool.submit(ask, "sinfo", "-h", "-N", "-p", asked.partition or "", "-O", _NODES)
        book = pool.submit(_book, asked.account, own.pw_name, ask)
    found, (told, left_out) = _limits(calls), book.result()
    asked = _with_defaults(asked, found, told)
    empty = live_text.parse_rooms(rooms.result())
    kept_off = set(live_text.expand(asked.excluded))
    left = [room for room in empty if room.name not in kept_off]
    measure = Measure(
        limits=found,
        caps=tuple(enforced_caps(asked, _whole(asked, empty), found, told)),
        accounts=_accounts(found),
        own_qos=_own_qos(asked, found),
        now=_now(asked, found, left, live_text.parse_queue(calls["queue"].result())),
        where=WHERE,
        unchecked=(*found.left_out, *left_out),
    )
    return asked, measure


def begin(environment: Mapping[str, str]) -> None:
    """Ask slurmdbd already now what `read_measure` will want to know: its answers take the longest."""
    name = pwd.getpwuid(os.getuid()).pw_name
    ahead.begin((_CALLS["qos"], _associations(name)), environment)


def _associations(user: str) -> tuple[str, ...]:
    columns = f"format=Cluster,{ASSOCIATION_COLUMNS}"
    return ("sacctmgr", "-nP", "show", "assoc", f"user={user}", columns)


def _whole(asked: Asked, rooms: list[Room]) -> Asked:
    """Return an exclusive request with what it is counted for: all cores and GPUs of its nodes."""
    if not asked.exclusive or not rooms:
        return asked
    cpus, gpus = min(room.cpus for room in rooms), min(room.gpus for room in rooms)
    return dataclasses.replace(asked, cpus=max(asked.cpus, cpus), gpus=max(asked.gpus, gpus))


def _limits(calls: Mapping[str, Future[str]]) -> Limits:
    """Put the answers together; without slurmdbd there are no QOS and no associations."""
    config = parse_config(calls["config"].result())
    partitions = parse_partitions(calls["partitions"].result())
    if not partitions:
        raise SlurmSilentError("Slurm did not answer: scontrol told of no partition")
    try:
        qos = parse_qos(calls["qos"].result())
        mine = _of_cluster(calls["assoc"].result(), config.get("ClusterName", ""))
    except SlurmSilentError as error:
        why = f"QOS and associations: {' '.join(str(error).split())}"
        return limits_of(config, partitions, left_out=(why,))
    return limits_of(config, partitions, qos, mine)


def _of_cluster(text: str, cluster: str) -> tuple[Association, ...]:
    """Return the associations of this cluster: slurmdbd may keep those of several."""
    rows = [line.split("|", 1) for line in text.splitlines() if "|" in line]
    return parse_associations("\n".join(row for name, row in rows if name == cluster))


def _ask(argv: tuple[str, ...], environment: Mapping[str, str], timeout_s: float) -> str:
    # an inherited SINFO_FORMAT or SLURM_TIME_FORMAT would change the answer
    foreign = [k for k in os.environ if k.startswith(("SINFO_", "SQUEUE_", "SLURM_TIME"))]
    try:
        require_conf(environment)
        answer = ahead.answer(argv, environment, timeout_s) or process.run(
            argv, timeout_s=timeout_s, env=environment, without=foreign
        )
    except (process.ProgramSilentError, process.ProgramMissingError) as error:
        raise SlurmSilentError(f"Slurm did not answer: {error}") from error
    if answer.returncode:
        raise SlurmSilentError(f"Slurm did not answer: {argv[0]}: {answer.stderr.strip()}")
    return answer.stdout


def _book(account: str | None, user: str, ask: Ask) -> tuple[Book, tuple[str, ...]]:
    """Return the controller's book; a Slurm without accounting, or one that hides it, has none to show."""
    try:
        wanted = ("accounts=" + account.lower() + ",root",) if account else ()
        told = _asked_book(ask, f"users={user}", *wanted, "flags=users,assoc,qos")
        while above := _parents(told) - {one.name for one in told.associations}:
            more = _asked_book(ask, f"accounts={','.join(sorted(above))}", "flags=assoc")
            if not more.associations:
                break
            every = (*told.associations, *more.associations)
            told = dataclasses.replace(told, associations=every)
    except SlurmSilentError as error:
        return Book(), (f"how much of the limits is in use: {error}",)
    return told, ()


def _asked_book(ask: Ask, *words: str) -> Book:
    return live_text.parse_assoc_mgr(ask("scontrol", "show", "assoc_mgr", *words))


def _parents(book: Book) -> set[str]:
    return {record.parent for record in book.associations if record.parent}


def _with_defaults(asked: Asked, limits: Limits, book: Book) -> Asked:
    """Fill in what Slurm itself takes where the request leaves it open."""
    default = next((name for name, one in limits.partitions.items() if one.default), None)
    asked = dataclasses.replace(asked, partition=asked.partition or default)
    if not limits.qos:
        return asked
    account = asked.account or book.default_account or None
    mine = [a for a in limits.associations if a.account == (account or "").lower()]
    usual = next((a.default_qos for a in mine if a.default_qos), "normal")
    return dataclasses.replace(asked, account=account, qos=asked.qos or usual)


def _accounts(limits: Limits) -> tuple[str, ...] | None:
    """Return the accounts that this user may charge; None where associations are not kept."""
    if not limits.associations or not {"associations", "limits", "safe", "qos"} & set(
        limits.enforce
    ):
        return None
    return tuple(dict.fromkeys(one.account for one in limits.associations))


def _own_qos(asked: Asked, limits: Limits) -> tuple[str, ...] | None:
    if "qos" not in limits.enforce and "safe" not in limits.enforce:
        return None
    account = (asked.account or "").lower()
    mine = [one for one in limits.associations if one.account == account]
    return tuple(name for one in mine for name in one.qos) if mine else None


def _now(asked: Asked, limits: Limits, rooms: list[Room], queue: list[Queued]) -> Now:
    """Return the partition's nodes as they are, until when they are taken, and who is ahead."""
    partition = limits.partitions.get(asked.partition or "")
    most = partition.max_cpus_per_node if partition else None
    ours = [job for job in queue if job.partition == asked.partition]
    of_most: dict[str, int] = {}
    for job in ours:
        for node in job.nodes:
            of_most[node] = of_most.get(node, 0) + job.cpus_per_node
    waiting = [
        job for job in ours if job.state == "PENDING" and job.reason in ("Resources", "Priority")
    ]
    return Now(
        rooms=tuple(
            dataclasses.replace(room, most_cpus=most, used_of_most=of_most.get(room.name, 0))
            for room in rooms
        ),
        until=_until(queue),
        ahead=len(waiting),
    )


def _until(queue: list[Queued]) -> dict[str, datetime.datetime]:
    """Return when the last job of each node must have ended."""
    found: dict[str, datetime.datetime] = {}
    for job in queue:
        for node in job.nodes if job.end else ():
            found[node] = max(job.end, found.get(node, job.end)) if job.end else found[node]
    return found
