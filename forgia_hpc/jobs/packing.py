"""What the allocations of a packed sweep ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from forgia_hpc.schema.resources import Resources, parse_walltime
from forgia_hpc.slurm.profile import Cluster


def allocation_of(points: Sequence[Resources], cluster: Cluster, count: int) -> Resources:
    """Return what each of `count` packed jobs asks for: whole nodes, and the time that the points may need.

    A point's walltime is its longest; together they rarely take as long, and what is left when an allocation
    ends waits for `forgia resume`.
    """
    largest = max(points, key=lambda one: one.nodes)
    node = cluster.node_of(largest.partition)
    partition = cluster.partition(largest.partition or "")
    cpus = (partition and partition.cpus) or (node.cpus if node else largest.cpus_per_rank)
    mem = (partition and partition.mem_mb) or (node.mem_mb if node else 0) or 0
    gpus = node.gpus if node and any(one.gpus_per_node for one in points) else 0
    whole = replace(
        largest,
        ranks_per_node=1,
        cpus_per_rank=cpus,
        mem_gb=mem // 1024 or None,
        gpus_per_node=gpus,
    )
    seconds = sum(one.walltime_seconds * _part(one, whole) for one in points) / count
    longest = max(one.walltime_seconds for one in points)
    limit = parse_walltime(partition.max_time) if partition and partition.max_time else None
    needed = min(max(seconds * 1.2, longest) + 120, limit or math.inf)
    return replace(whole, walltime=_walltime(needed))


def _part(point: Resources, whole: Resources) -> float:
    """Return which part of an allocation a point holds."""
    cpus = (point.ranks_per_node or 1) * (point.cpus_per_rank or 1) / (whole.cpus_per_rank or 1)
    gpus = (point.gpus_per_node or 0) / whole.gpus_per_node if whole.gpus_per_node else 0.0
    mem = (point.mem_gb or 0) / whole.mem_gb if whole.mem_gb else 0.0
    return max(cpus, gpus, mem) * point.nodes / whole.nodes


def _walltime(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60 // 24}-{minutes // 60 % 24:02d}:{minutes % 60:02d}:00"
