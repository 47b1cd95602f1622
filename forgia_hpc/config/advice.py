"""Warnings: what would run, but waste hours, wait longer than it must, or is about to be lost."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import re
from collections.abc import Callable

from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import Job
from forgia_hpc.schema.resources import Resources, parse_walltime
from forgia_hpc.slurm.accounting import price
from forgia_hpc.slurm.choice import choose
from forgia_hpc.slurm.health import excluded_nodes
from forgia_hpc.slurm.live_text import expand
from forgia_hpc.slurm.offer import Node, Qos
from forgia_hpc.slurm.profile import Cluster

MANY_EXCLUDED = 50  # nodes; one published script excludes two thirds of its machine
DAY_S = 86400
TORCH = "torch"


def cpu_share(resources: Resources, node: Node, where: str) -> list[Problem]:
    """Fewer cores than come with the GPUs, which are billed all the same."""
    gpus, cores = resources.gpus_per_node or 0, _cores(resources)
    if not gpus or not node.cpus_per_gpu or cores >= gpus * node.cpus_per_gpu:
        return []
    share = gpus * node.cpus_per_gpu
    limit = f"{share} cores a node are billed with {gpus} GPU(s), and {cores} are used"
    fix = f"resources.cpus_per_rank={share // (resources.ranks_per_node or 1)}"
    return [_warning("resources.cpus_per_rank", resources.cpus_per_rank, limit, where, fix)]


def dear_share(resources: Resources, cluster: Cluster, node: Node, where: str) -> list[Problem]:
    """Cores or memory beyond the share of the GPUs: they raise the price."""
    gpus = resources.gpus_per_node or 0
    if not gpus or not node.cpus_per_gpu or not node.mem_mb_per_gpu:
        return []
    cores, gb = gpus * node.cpus_per_gpu, gpus * node.mem_mb_per_gpu // 1024
    share = max(1, cores // (resources.ranks_per_node or 1))
    modest = {
        "cpus_per_rank": (share, dataclasses.replace(resources, cpus_per_rank=share)),
        "mem_gb": (gb, dataclasses.replace(resources, mem_gb=gb)),
    }
    found = []
    for name, (least, less) in modest.items():
        asked = getattr(resources, name) or 0
        more = _extra(resources, less, cluster) if asked > least else ""
        if more:
            limit = f"the share of {gpus} GPU(s) is {least}; the rest costs {more} more"
            fix = f"resources.{name}={least}"
            found.append(_warning(f"resources.{name}", asked, limit, where, fix))
    return found


def _extra(resources: Resources, modest: Resources, cluster: Cluster) -> str:
    """Return what is paid beyond the modest request, or nothing."""
    full, less = price(resources, cluster), price(modest, cluster)
    if full is None or less is None:
        return ""
    unit = next(iter(full.parts), "")
    over = full.parts.get(unit, 0) - less.parts.get(unit, 0)
    return f"{over:g} {unit}" if over > 0.005 else ""


def long_qos(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    """A QOS for long or wide jobs asked for a job that the ordinary one takes."""
    qos = cluster.qos_named(resources.qos or "")
    if qos is None or qos.debug or qos.min_nodes or resources.walltime_seconds >= DAY_S:
        return []
    longer = qos.max_time and (parse_walltime(qos.max_time) or 0) > DAY_S and qos.exceeds_partition
    plain, said = choose(dataclasses.replace(resources, qos=None), cluster)
    if not longer or said or plain.qos is not None:
        return []
    limit = f"it is for jobs of more than a day; {resources.walltime} fits without"
    return [_warning("resources.qos", qos.name, limit, where, "resources.qos=null")]


def debug_takes(resources: Resources, cluster: Cluster) -> str:
    """Return what to say where a waiting job would fit the debug QOS, with its higher priority; else nothing."""
    qos = next((q for q in cluster.qos if q.debug and not q.gone), None)
    if qos is None or resources.qos is not None or not _within(resources, qos, cluster):
        return ""
    return f"--debug: {qos.name} would take it, and comes first"


def _within(resources: Resources, qos: Qos, cluster: Cluster) -> bool:
    partition = cluster.partition(resources.partition or "")
    longest = parse_walltime(qos.max_time) if qos.max_time else None
    wide = qos.max_nodes is None or resources.nodes <= qos.max_nodes
    allowed = partition is None or not partition.qos or qos.name in partition.qos
    return bool(allowed and wide and longest and resources.walltime_seconds <= longest)


def narrow_qos(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    """Fewer nodes than a QOS is said to need, where that reading is doubtful."""
    qos = cluster.qos_named(resources.qos or "")
    if qos is None or qos.strict or not qos.min_nodes or resources.nodes >= qos.min_nodes:
        return []
    limit = f"{qos.name} is said to need {qos.min_nodes} nodes ({qos.source})"
    fix = "resources.qos=null"
    return [_warning("resources.nodes", resources.nodes, limit, where, fix)]


def excluded(cluster: Cluster, where: str) -> list[Problem]:
    """A long list of excluded nodes: the queue gets longer with each."""
    names = set(expand(excluded_nodes(cluster) or ""))
    if len(names) <= MANY_EXCLUDED:
        return []
    limit = f"more than {MANY_EXCLUDED} excluded nodes make a job wait"
    return [_warning("cluster", f"{len(names)} nodes excluded", limit, where, "drop the old ones")]


def doubled_gpus(cluster: Cluster, where: str) -> list[Problem]:
    """GPUs asked for twice, in two forms: Slurm takes the sum or refuses, by its version."""
    forms = {"gres", "gpus", "gpus-per-node", "gpus-per-task"}
    twice = [name for name in cluster.scheduler.extra if name in forms]
    if not twice or cluster.scheduler.gpu_syntax == "none":
        return []
    limit = f"scheduler.gpu_syntax {cluster.scheduler.gpu_syntax} asks for GPUs already"
    return [_warning("scheduler.extra", f"--{twice[0]}", limit, where, "keep one of them")]


def newer_cuda(
    cluster: Cluster, where: str, version: Callable[[str], str] = importlib.metadata.version
) -> list[Problem]:
    """A torch wheel built for a newer CUDA than the driver of the nodes knows; torch is not imported."""
    limit = cluster.software.max_cuda
    if cluster.accelerator != "cuda" or not limit:
        return []
    try:
        wheel = version(TORCH)
    except importlib.metadata.PackageNotFoundError:
        return []
    built = re.search(r"\+cu(\d+)(\d)$", wheel)
    if not built or (int(built[1]),) <= (int(limit.partition(".")[0]),):
        return []
    said = f"driver {cluster.software.driver or ''} of these nodes knows CUDA {limit} at most"
    return [
        _warning("python", f"torch {wheel}", said, where, f"a wheel of cu{limit.replace('.', '')}x")
    ]


def month_spent(used: float | None, where: str) -> list[Problem]:
    """The month's share of the budget is spent, as a share of 1; None: not known."""
    if used is None or used < 1:
        return []
    limit = (
        "the month's share is spent: where the site ranks jobs by it (CINECA does), they run behind all others "
        "until the month ends"
    )
    return [_warning("resources.account", f"{used:.0%}", limit, where)]


def resource_warnings(job: Job, cluster: Cluster, where: str) -> list[Problem]:
    """Return every warning about what is asked for."""
    asked, node = job.resources, cluster.node_of(job.resources.partition)
    found = [
        *long_qos(asked, cluster, where),
        *narrow_qos(asked, cluster, where),
        *excluded(cluster, where),
        *doubled_gpus(cluster, where),
    ]
    if node is None:
        return found
    return [*found, *cpu_share(asked, node, where), *dear_share(asked, cluster, node, where)]


def _cores(resources: Resources) -> int:
    return (resources.ranks_per_node or 1) * (resources.cpus_per_rank or 1)


def _warning(field: str, got: object, limit: str, where: str, fix: str = "") -> Problem:
    return Problem(field=field, got=got, limit=limit, where=where, fix=fix)
