"""The paths of a job against the storage areas of the profile."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from pathlib import Path

from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import CommandJob, Job, PrepareJob
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.site import Area

CACHES = (
    "HF_HOME",
    "TORCH_HOME",
    "XDG_CACHE_HOME",
    "PIP_CACHE_DIR",
    "TRITON_CACHE_DIR",
    "MPLCONFIGDIR",
)


def places_of(job: Job, roots: tuple[Path, Path]) -> dict[str, str]:
    """Return the paths that a job's nodes will open, by the field that names them."""
    found = {"FORGIA_RUNS": str(roots[0]), "FORGIA_DATA": str(roots[1])}
    if isinstance(job, PrepareJob) and job.prepare.raw:
        found["prepare.raw"] = job.prepare.raw
    if isinstance(job, CommandJob):
        found |= {f"command.env.{k}": v for k, v in job.command.env.items() if v.startswith("/")}
        paths = [word.rpartition("=")[2] for word in job.command.argv]
        found |= {f"command.argv {p}": p for p in paths if p.startswith("/")}
    return found


def area_of(path: str, cluster: Cluster) -> Area | None:
    """Return the storage area that holds a path: the one whose root is the longest."""
    roots = [(root, area) for area in cluster.storage if (root := _root(area))]
    inside = [
        (root, area) for root, area in roots if Path(os.path.expandvars(path)).is_relative_to(root)
    ]
    return max(inside, key=lambda pair: len(pair[0]))[1] if inside else None


def _root(area: Area) -> str | None:
    """Return where an area is, as far as this machine knows: a site's own variable, else its path."""
    by_variable = os.path.expandvars(area.var) if area.var else ""
    if by_variable.startswith("/"):
        return by_variable
    path = os.path.expandvars(area.path or "").partition("<")[0]  # /leonardo_work/<project>
    return path.rstrip("/") if path.startswith("/") and "$" not in path else None


def place_problems(places: Mapping[str, str], cluster: Cluster, where: str) -> list[Problem]:
    """A path that exists on one node only, or not at all on compute nodes."""
    problems = []
    for field, path in places.items():
        area = area_of(path, cluster)
        if area is None or (area.on_compute and area.scope != "node"):
            continue
        limit = "no compute node sees it" if not area.on_compute else "each node has one of its own"
        fix = "put it where all nodes see it: " + ", ".join(shared(cluster))
        problems.append(Problem(field=field, got=path, limit=limit, where=where, fix=fix))
    return problems


def shared(cluster: Cluster) -> list[str]:
    """Return the areas that all nodes see, as people write them."""
    return [
        area.var or area.path or area.role
        for area in cluster.storage
        if area.on_compute and area.scope != "node" and area.role in ("work", "fast", "scratch")
    ]


def place_warnings(
    places: Mapping[str, str], cluster: Cluster, where: str, *, seconds: int = 0
) -> list[Problem]:
    """Checkpoints on an area that is purged, with the date; caches that fill the home directory."""
    problems = []
    for field, path in places.items():
        area = area_of(path, cluster)
        if area is None:
            continue
        if field == "FORGIA_RUNS" and area.purge_days:
            ends = datetime.datetime.now() + datetime.timedelta(seconds=seconds)
            gone = (ends + datetime.timedelta(days=area.purge_days)).date()
            limit = f"files there are deleted after {area.purge_days} days: the last of this run on {gone}"
            fix = "copy what you keep, or set FORGIA_RUNS elsewhere"
            problems.append(Problem(field=field, got=path, limit=limit, where=where, fix=fix))
        name = field.rpartition(".")[2]
        if area.role == "home" and name in (*CACHES, "FORGIA_RUNS", "FORGIA_DATA"):
            quota = f" of {area.quota_gb} GB" if area.quota_gb else ""
            limit = f"it fills the home directory{quota}"
            fix = "put it under " + ", ".join(shared(cluster))
            problems.append(Problem(field=field, got=path, limit=limit, where=where, fix=fix))
    return problems
