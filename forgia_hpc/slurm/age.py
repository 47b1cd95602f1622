"""How old the limits of a profile are."""

from __future__ import annotations

import datetime

from forgia_hpc.slurm.profile import Cluster

OLD_DAYS = 30  # three QOS limits of Leonardo changed within eighteen months


def today() -> str:
    """Return the date as profiles write it."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def limits_age_days(cluster: Cluster) -> int | None:
    """Return the days since the limits were read: by a refresh, else by those who wrote the profile."""
    text = cluster.limits_as_of or cluster.verified_on
    if not text:
        return None
    year, month, day = (int(part) for part in f"{text}-01-01".split("-")[:3])
    now = datetime.date.fromisoformat(today())
    return max(0, (now - datetime.date(year, month, day)).days)


def age_line(cluster: Cluster) -> str | None:
    """Return what to say of limits that are too old to be trusted; None where they are not."""
    age = limits_age_days(cluster)
    if not cluster.slurm or not cluster.enabled or age is None or age <= OLD_DAYS:
        return None
    return f"limits are {age} days old; forgia cluster refresh {cluster.name}"
