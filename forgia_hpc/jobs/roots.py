"""Where runs and data are."""

from __future__ import annotations

import os
from pathlib import Path

from forgia_hpc import sources
from forgia_hpc.config.defaults import user_defaults
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.site import Roots


def roots(cluster: Cluster | None = None) -> tuple[Path, Path]:
    """Return the roots of runs and data: environment, then the person's file, then the profile, then here."""
    own = user_defaults()
    site = cluster.roots if cluster else Roots()
    runs, data = own.get("runs") or site.runs, own.get("data") or site.data
    return sources.runs_root(_expanded(runs)), sources.data_root(_expanded(data))


def _expanded(path: str | None) -> str | None:
    """Return the profile's path where this machine knows its variables, else None."""
    known = os.path.expandvars(path) if path else None
    return None if known is None or "$" in known else known
