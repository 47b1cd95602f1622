"""The nodes of a partition as they are now: what each has, what is free, and until when it is taken."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from forgia_hpc.slurm.asked import Asked


@dataclass(frozen=True, kw_only=True)
class Room:
    """One node. most_cpus: what the partition's jobs together may have of it, and what they have of that."""

    name: str
    cpus: int
    mem_mb: int
    gpus: int
    used_cpus: int = 0
    used_mem_mb: int = 0
    used_gpus: int = 0
    usable: bool = True  # neither down nor drained
    most_cpus: int | None = None
    used_of_most: int = 0


@dataclass(frozen=True, kw_only=True)
class Now:
    """The live state of a partition. until: node → when its last job must end. ahead: jobs that wait for nodes."""

    rooms: tuple[Room, ...]
    until: Mapping[str, datetime.datetime] = field(default_factory=dict)
    ahead: int = 0


def takes_when_empty(asked: Asked, rooms: Iterable[Room]) -> int:
    """Return how many nodes could take their part of the request if nothing ran."""
    return sum(_fits(asked, _emptied(room)) for room in rooms)


def _emptied(room: Room) -> Room:
    return dataclasses.replace(room, used_cpus=0, used_mem_mb=0, used_gpus=0, used_of_most=0)


def takes_now(asked: Asked, rooms: Iterable[Room]) -> int:
    """Return how many nodes can take their part of the request at once."""
    return sum(_fits(asked, room) for room in rooms if room.usable)


def _fits(asked: Asked, room: Room) -> bool:
    most = room.cpus if room.most_cpus is None else room.most_cpus - room.used_of_most
    # an exclusive job gets the whole node, whatever it asks for: its 32 CPUs are over a limit of 4
    wants = max(room.cpus, asked.cpus) if asked.exclusive else asked.cpus
    return (
        wants <= min(room.cpus - room.used_cpus, most)
        and asked.gpus <= room.gpus - room.used_gpus
        and (asked.mem_mb or 0) <= room.mem_mb - room.used_mem_mb
    )


def free_at(asked: Asked, now: Now) -> datetime.datetime | None:
    """Return when enough nodes are free at the latest, by the walltimes of what runs; None: not known.

    A busy node counts as free when its last job must have ended.
    """
    able = [room for room in now.rooms if room.usable and takes_when_empty(asked, [room])]
    missing = asked.nodes - takes_now(asked, able)
    busy = [now.until.get(room.name) for room in able if not takes_now(asked, [room])]
    ends = sorted(when for when in busy if when is not None)
    return ends[missing - 1] if 0 < missing <= len(ends) else None
