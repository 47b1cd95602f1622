"""The words of a verdict: a fate, one thing that stands in the way, and what a request is held against."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from forgia_hpc.errors import Problem
from forgia_hpc.slurm.caps import Cap
from forgia_hpc.slurm.limits import Limits
from forgia_hpc.slurm.rooms import Now


class Fate(Enum):
    """Ordered by how bad it is. fits: only the profile's limits could be asked."""

    fits = "fits"
    starts_now = "starts_now"
    waits = "waits"
    never = "never"
    refused = "refused"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that stands in the way. reason: Slurm's own word for it."""

    fate: Fate
    reason: str
    problem: Problem


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What a request is held against. now: None where Slurm was not asked."""

    limits: Limits
    caps: tuple[Cap, ...] = ()
    accounts: tuple[str, ...] | None = None  # that this user may charge; None: not known
    own_qos: tuple[str, ...] | None = None  # that the association allows
    now: Now | None = None
    where: str = ""
    unchecked: tuple[str, ...] = field(default=())


def finding(
    fate: Fate, reason: str, asked: tuple[str, object], limit: str, where: str, fix: str = ""
) -> Finding:
    """Return a finding about one field of the request: (name, what it holds)."""
    name, got = asked
    return Finding(
        fate=fate,
        reason=reason,
        problem=Problem(field=name, got=got, limit=limit, where=where, fix=fix),
    )


def clock(seconds: int) -> str:
    """Return `[D-]HH:MM:SS`."""
    days, rest = divmod(seconds, 86400)
    hours, minutes, left = rest // 3600, rest // 60 % 60, rest % 60
    return f"{f'{days}-' if days else ''}{hours:02d}:{minutes:02d}:{left:02d}"
