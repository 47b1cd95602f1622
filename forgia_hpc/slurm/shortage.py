"""What the nodes of a partition have against a request: a shape that none has, or no room for it now."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

from forgia_hpc.slurm.asked import Asked
from forgia_hpc.slurm.finding import Fate, Finding, Measure, finding
from forgia_hpc.slurm.limits import PartitionLimits
from forgia_hpc.slurm.rooms import Now, free_at, takes_now, takes_when_empty


def misfits(asked: Asked, measure: Measure, *, tested_at_once: bool) -> Iterator[Finding]:
    """A shape that no node has: refused, unless something else holds the job before nodes are looked at."""
    if measure.now is None:
        return
    rooms = measure.now.rooms
    able = takes_when_empty(asked, rooms)
    too_many = able == len(rooms) and not tested_at_once and not asked.excluded
    if able >= asked.nodes or too_many:
        return  # too many nodes, and nothing else: that is said already
    fate = Fate.refused if tested_at_once else Fate.never
    shape = f"{asked.cpus} cores, {asked.gpus} GPUs, {asked.mem_mb or 0} MB"
    limit = f"{able} of {len(rooms)} nodes of {asked.partition} have {shape}, and {asked.nodes} are asked for"
    if asked.excluded:
        limit += f"; the job keeps off {asked.excluded}"
    yield finding(fate, "BadConstraints", ("resources", shape), limit, measure.where)


def waits(asked: Asked, partition: PartitionLimits, measure: Measure) -> Iterator[Finding]:
    """What only time mends: a partition that is down, busy or drained nodes, jobs ahead."""
    now = measure.now
    if now is None:
        return

    def wait(reason: str, limit: str) -> Finding:
        return finding(Fate.waits, reason, ("resources.nodes", asked.nodes), limit, measure.where)

    if partition.state == "DOWN":
        yield wait(
            "PartitionDown", f"{partition.name} is down: its jobs wait until an operator opens it"
        )
    free = takes_now(asked, now.rooms)
    usable = takes_when_empty(asked, [room for room in now.rooms if room.usable])
    if usable < asked.nodes:
        away = [room.name for room in now.rooms if not room.usable]
        yield wait(
            "ReqNodeNotAvail",
            f"{count_nodes(len(away))} down or drained ({_some(away)}), {usable} left",
        )
    elif free < asked.nodes:
        yield wait("Resources", _busy(asked, free, now))
    elif now.ahead:
        limit = (
            f"{now.ahead} job(s) of {partition.name} are ahead; a short one may slip in before them"
        )
        yield wait("Priority", limit)


def _busy(asked: Asked, free: int, now: Now) -> str:
    when = free_at(asked, now)
    until = f" until {_hour(when)}" if when else ""
    return f"{free} of {count_nodes(asked.nodes)} free, the others busy{until}"


def _hour(when: datetime.datetime) -> str:
    today = when.date() == datetime.datetime.now().date()
    return when.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")


def count_nodes(count: int) -> str:
    """Return `1 node`, `2 nodes`."""
    return f"{count} node{'s' if count != 1 else ''}"


def _some(names: Iterable[str], most: int = 4) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
