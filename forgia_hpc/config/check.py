"""The third fence: job × cluster × dataset, all problems at once. Wrong refuses, wasteful warns."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from forgia_hpc.config.advice import newer_cuda, resource_warnings
from forgia_hpc.config.bounds import (
    account_problems,
    account_warnings,
    limit_problems,
    memory_problems,
    qos_problems,
    walltime_problems,
)
from forgia_hpc.config.groups_of_ranks import group_problems, group_warnings
from forgia_hpc.config.order import order_warnings
from forgia_hpc.config.places import place_problems, place_warnings, places_of
from forgia_hpc.config.program import (
    launcher_problems,
    network_problems,
    program_warnings,
    saving_problems,
)
from forgia_hpc.config.secrets import secret_problems
from forgia_hpc.config.shape import (
    architecture_problems,
    launch_problems,
    node_problems,
    one_machine,
)
from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import Job, TrainJob
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.choice import choose
from forgia_hpc.slurm.profile import Cluster

_WHERE = "slurm/clusters/{name}.yaml"
_USUAL_WALLTIME = "00:30:00"  # where nothing is charged


def complete(resources: Resources, cluster: Cluster) -> Resources:
    """Return the resources with every gap filled from the cluster's profile."""
    resources, _ = choose(
        dataclasses.replace(resources, walltime=resources.walltime or _USUAL_WALLTIME), cluster
    )
    node = cluster.node_of(resources.partition)
    partition = cluster.partition(resources.partition or "")
    without_gpus = cluster.accelerator == "cpu" or (partition is not None and not partition.gpus)
    usual = (cluster.ranks_per_node or 1) if without_gpus else cluster.default_ranks_per_node
    gpus = resources.gpus_per_node
    ranks = resources.ranks_per_node or (gpus if gpus and not cluster.ranks_per_node else usual)
    if gpus is None:
        gpus = min(ranks, node.gpus) if node and not without_gpus else 0
    share = _share(resources, cluster, gpus)
    return dataclasses.replace(
        resources,
        ranks_per_node=ranks,
        gpus_per_node=gpus,
        cpus_per_rank=resources.cpus_per_rank or max(1, share[0] // ranks),
        mem_gb=resources.mem_gb or share[1],
    )


def _share(resources: Resources, cluster: Cluster, gpus: int) -> tuple[int, int | None]:
    """Return the CPUs and GB of a node that go with the GPUs asked for; all of it where there are none."""
    node = cluster.node_of(resources.partition)
    if node is None:
        return os.cpu_count() or 1, None
    partition = cluster.partition(resources.partition or "")
    if partition and partition.cpus and partition.mem_mb:
        return partition.cpus, partition.mem_mb // 1024
    cpus = node.usable_cpus or node.cpus
    if gpus and gpus < node.gpus and node.cpus_per_gpu and node.mem_mb_per_gpu:
        return gpus * node.cpus_per_gpu, gpus * node.mem_mb_per_gpu // 1024
    return cpus, node.mem_mb // 1024 if node.mem_mb else None


def chosen(resources: Resources, cluster: Cluster) -> str:
    """Return the line that says which partition or QOS `complete` chose for these resources; empty for none."""
    asked = dataclasses.replace(resources, walltime=resources.walltime or _USUAL_WALLTIME)
    return choose(asked, cluster)[1]


def check_asked(job: Job, cluster: Cluster) -> list[Problem]:
    """Return what is wrong with the resources as they were asked for, before `complete` fills the gaps."""
    where = _WHERE.format(name=cluster.name)
    if not cluster.enabled:
        return []
    return [
        *walltime_problems(job.resources, cluster, where),
        *memory_problems(job.resources, cluster, where),
    ]


def check(job: Job, cluster: Cluster, *, force: bool = False) -> list[Problem]:
    """Return what this cluster can't give this job. `job.resources` is complete.

    force: the job may waste what it pays for.
    """
    where = _WHERE.format(name=cluster.name)
    if not cluster.enabled:
        limit = f"disabled: {cluster.disabled_because}"
        return [Problem(field="cluster", got=cluster.name, limit=limit, where=where)]
    problems = [
        *node_problems(job, cluster, where, wasteful=force),
        *launch_problems(job, cluster, where),
        *launcher_problems(job, cluster, where),
        *secret_problems(job),
        *network_problems(job, cluster, where),
        *saving_problems(job, "schema/job.py"),
        *group_problems(job),
    ]
    if not cluster.slurm:
        return [*problems, *one_machine(job.resources, where)]
    return [
        *problems,
        *account_problems(job.resources, cluster, where),
        *qos_problems(job.resources, cluster, where),
        *limit_problems(job, cluster, where),
    ]


def check_here(job: Job, cluster: Cluster, roots: tuple[Path, Path]) -> list[Problem]:
    """Return what only the cluster's own login node can tell: paths, and the machine of this interpreter."""
    where = _WHERE.format(name=cluster.name)
    if not cluster.slurm or not cluster.enabled:
        return []
    return [
        *place_problems(places_of(job, roots), cluster, where),
        *architecture_problems(cluster, where),
    ]


def warn(job: Job, cluster: Cluster, roots: tuple[Path, Path]) -> list[Problem]:
    """Return what would run, but wastes hours or loses files. `job.resources` is complete."""
    where = _WHERE.format(name=cluster.name)
    if not cluster.slurm or not cluster.enabled:
        return [*order_warnings(job), *group_warnings(job)]
    seconds = job.resources.walltime_seconds
    return [
        *order_warnings(job),
        *group_warnings(job),
        *resource_warnings(job, cluster, where),
        *account_warnings(job.resources, cluster, where),
        *program_warnings(job, cluster, where),
        *place_warnings(places_of(job, roots), cluster, where, seconds=seconds),
        *newer_cuda(cluster, where),
    ]


def check_batch(job: Job) -> list[Problem]:
    """The global batch against the world size."""
    if not isinstance(job, TrainJob):
        return []
    world, batch = job.resources.world_size, job.train.global_batch
    if batch % world:
        return [
            Problem(
                field="train.global_batch",
                got=batch,
                limit=f"a multiple of the {world} ranks",
                where="resources",
                fix=f"train.global_batch={max(1, round(batch / world)) * world}",
            )
        ]
    share, micro = batch // world, job.train.micro_batch
    if micro and share % micro:
        return [
            Problem(
                field="train.micro_batch",
                got=micro,
                limit=f"a divisor of a rank's share, {share}",
                where="train.global_batch",
            )
        ]
    return []
