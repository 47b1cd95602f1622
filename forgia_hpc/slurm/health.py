"""The nodes that a profile keeps jobs off (`health.exclude`), each until its day has passed."""

from __future__ import annotations

import datetime

from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.site import BadNode


def bad_nodes(cluster: Cluster, today: datetime.date | None = None) -> tuple[BadNode, ...]:
    """Return the entries that still hold; `until` is the last day, the last month or the last year."""
    now = (today or datetime.date.today()).isoformat()
    return tuple(one for one in cluster.health.exclude if now[: len(one.until)] <= one.until)


def excluded_nodes(cluster: Cluster, today: datetime.date | None = None) -> str | None:
    """Return sbatch's --exclude: the profile's own directive, and the nodes that are not well."""
    own = str(cluster.scheduler.extra.get("exclude", ""))
    names = dict.fromkeys([own, *(one.name for one in bad_nodes(cluster, today))])
    return ",".join(name for name in names if name) or None


def excluded_lines(cluster: Cluster) -> list[str]:
    """Return a line for each node that jobs keep off: why, until when, and where that stands."""
    where = f"health.exclude of slurm/clusters/{cluster.name}.yaml"
    return [
        f"keeps off {one.name}: {one.reason}, until {one.until} ({where})"
        for one in bad_nodes(cluster)
    ]
