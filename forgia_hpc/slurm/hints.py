"""What was asked for and not used: memory, cores, time, and what to ask for next time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.usage import Allocation

_SPARE = 1.25  # what a next run should have beyond the most that was seen
_LONG_S = 300  # below, start-up is most of it and nothing can be learnt
_GRAIN_S = 300


def hints(
    rows: Sequence[Allocation], resources: Resources, cluster: Cluster, *, finished: bool
) -> dict[str, Any]:
    """Return peak memory, the used shares and the advice that follows from them."""
    longest = max((row.elapsed_s for row in rows), default=0)
    held = sum(
        row.shape.cpus * row.shape.nodes * row.elapsed_s
        for row in rows
        if row.used_cpu_s is not None
    )
    used = sum(row.used_cpu_s or 0.0 for row in rows)
    peak = max((row.max_rss_mb for row in rows if row.max_rss_mb is not None), default=None)
    given = max((row.shape.mem_mb for row in rows), default=0.0)
    cpu = round(used / held, 3) if held else None
    # MaxRSS is of the largest process, so a node holds at most so much of all its ranks
    node_mb = None if peak is None else peak * (resources.ranks_per_node or 1)
    advice = [
        *_walltime(longest, resources, finished=finished),
        *_memory(node_mb, given, longest, resources, cluster),
        *_cores(cpu, longest, resources),
    ]
    return {
        "memory": {
            "peak_process_gb": None if peak is None else round(peak / 1024, 3),
            "node_gb_at_most": None if node_mb is None else round(node_mb / 1024, 3),
            "held_gb": round(given / 1024, 3) if given else None,
            "note": "the largest process, sampled by Slurm (JobAcctGatherFrequency): short peaks are missed",
        },
        "efficiency": {
            "cpu": cpu,
            "memory": round(min(1.0, node_mb / given), 3) if node_mb and given else None,
            "walltime": round(longest / resources.walltime_seconds, 3) if resources.walltime_seconds else None,
        },
        "hints": advice,
    }  # fmt: skip


def _walltime(longest: int, resources: Resources, *, finished: bool) -> list[str]:
    limit = resources.walltime_seconds
    wanted = max(_GRAIN_S, math.ceil(longest * _SPARE / _GRAIN_S) * _GRAIN_S)
    if not finished or not longest or longest > limit / 2 or wanted >= limit:
        return []
    said = f"took {clock(longest)} of {clock(limit)}"
    return [
        f"{said}: ask for resources.walltime={clock(wanted)} next time; short jobs start sooner"
    ]


def _memory(
    node_mb: float | None, given: float, longest: int, resources: Resources, cluster: Cluster
) -> list[str]:
    node = cluster.node_of(resources.partition)
    if node_mb is None or not given or not node or not node.mem_mb or longest < _LONG_S:
        return []
    shares = [(resources.ranks_per_node or 1) * (resources.cpus_per_rank or 1) / node.cpus]
    shares += [(resources.gpus_per_node or 0) / node.gpus] if node.gpus else []
    wanted = math.ceil(node_mb * _SPARE / 1024)
    # memory is billed only where it is the largest share
    if given / node.mem_mb <= max(shares) or wanted * 1024 > given / 2:
        return []
    told = f"memory sets the price, and {node_mb / 1024:.3g} of {given / 1024:.3g} GB were used"
    return [f"{told}: resources.mem_gb={wanted} would do"]


def _cores(cpu: float | None, longest: int, resources: Resources) -> list[str]:
    if cpu is None or cpu > 0.25 or longest < _LONG_S or (resources.cpus_per_rank or 1) < 2:
        return []
    what = "cores beside a GPU are billed with it" if resources.gpus_per_node else "ask for fewer"
    return [f"the cores computed {100 * cpu:.0f} % of the time; {what}"]


def clock(seconds: float) -> str:
    """Return HH:MM:SS."""
    whole = round(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
