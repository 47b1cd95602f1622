"""Ranks, cores, GPUs and memory of a job against one node, and its launch mode against the cluster."""

from __future__ import annotations

import os
import platform

from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import EvaluateJob, Job, Launch, TrainJob
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.offer import Partition
from forgia_hpc.slurm.profile import Cluster

RANKS_A_CORE = 8  # 500 ranks on two cores brought a load of 340, and nothing else ran for minutes


def one_machine(resources: Resources, where: str) -> list[Problem]:
    """A machine without Slurm: one node, and no more ranks than its cores can turn over."""
    problems = []
    if resources.nodes > 1:
        fix = "raise resources.ranks_per_node instead"
        problems.append(
            Problem(
                field="resources.nodes", got=resources.nodes, limit="one node", where=where, fix=fix
            )
        )
    cores, ranks = os.cpu_count() or 1, resources.ranks_per_node or 1
    if ranks > RANKS_A_CORE * cores:
        limit = f"this machine has {cores} cores, so at most {RANKS_A_CORE * cores}"
        problems.append(
            Problem(field="resources.ranks_per_node", got=ranks, limit=limit, where=where)
        )
    return problems


def launch_problems(job: Job, cluster: Cluster, where: str) -> list[Problem]:
    """A launch mode that this cluster, or so many nodes, can't have."""
    launch = job.launch or cluster.software.launch
    if launch is Launch.srun and not cluster.slurm:
        limit, fix = "this cluster has no Slurm", "launch=processes"
    elif launch is Launch.processes and job.resources.nodes > 1:
        limit, fix = "plain processes live on one node", "launch=srun"
    else:
        return []
    return [Problem(field="launch", got=launch.value, limit=limit, where=where, fix=fix)]


def node_problems(
    job: Job, cluster: Cluster, where: str, *, wasteful: bool = False
) -> list[Problem]:
    """Ranks, CPUs, GPUs and memory against one node of the partition; `wasteful` lets GPUs idle."""
    resources, node = job.resources, cluster.node_of(job.resources.partition)
    if node is None:
        return []
    partition = cluster.partition(resources.partition or "") or Partition(name="a node")
    cpus, mem_mb = partition.cpus or node.usable_cpus or node.cpus, partition.mem_mb or node.mem_mb
    if crowd := _more_ranks_than_cpus(resources, cpus, partition.name, where):
        return crowd  # a share of a CPU for each would be told as a fault of cpus_per_rank
    most = {
        "cpus_per_rank": (cpus // (resources.ranks_per_node or 1), f"{cpus} CPUs a node"),
        "gpus_per_node": (node.gpus if partition.gpus else 0, "GPUs a node"),
    }
    if mem_mb is not None:
        most["mem_gb"] = (mem_mb // 1024, f"GB of {mem_mb} MB a node")
    problems = [
        Problem(
            field=f"resources.{name}",
            got=asked,
            limit=f"{partition.name} has {words}, so at most {limit}",
            where=where,
        )
        for name, (limit, words) in most.items()
        if (asked := getattr(resources, name) or 0) > limit
    ]
    return [
        *problems,
        *_one_rank_a_gpu(job, cluster, where),
        *([] if wasteful else _no_gpu(resources, cluster, where)),
    ]


def _more_ranks_than_cpus(resources: Resources, cpus: int, name: str, where: str) -> list[Problem]:
    ranks = resources.ranks_per_node or 1
    limit = f"{name} has {cpus} CPUs a node, so at most {cpus} ranks"
    found = Problem(field="resources.ranks_per_node", got=ranks, limit=limit, where=where)
    return [found] if ranks > cpus else []


def _one_rank_a_gpu(job: Job, cluster: Cluster, where: str) -> list[Problem]:
    ranks, gpus = job.resources.ranks_per_node or 1, job.resources.gpus_per_node or 0
    trains = isinstance(job, TrainJob | EvaluateJob)
    if cluster.accelerator == "cpu" or not trains or ranks == gpus:
        return []
    limit = f"one rank a GPU, and {gpus} GPU(s) a node are asked for"
    fix = f"resources.ranks_per_node={gpus}" if gpus else f"resources.gpus_per_node={ranks}"
    return [Problem(field="resources.ranks_per_node", got=ranks, limit=limit, where=where, fix=fix)]


def _no_gpu(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    """A GPU partition without a GPU: the node is billed, and its GPUs idle."""
    partition, node = (
        cluster.partition(resources.partition or ""),
        cluster.node_of(resources.partition),
    )
    has = partition is not None and partition.gpus and node is not None and node.gpus
    if not has or cluster.accelerator == "cpu" or resources.gpus_per_node:
        return []
    without = next((p.name for p in cluster.partitions if not p.gpus and not p.gone), None)
    other = f", or resources.partition={without}" if without else ""
    return [
        Problem(
            field="resources.gpus_per_node",
            got=0,
            limit=f"{resources.partition or 'the default'} is a partition of GPUs, and they would idle",
            where=where,
            fix=f"resources.gpus_per_node=1{other}; --force submits all the same",
        )
    ]


def architecture_problems(cluster: Cluster, where: str) -> list[Problem]:
    """The interpreter that is sealed can't run on these nodes. To be asked on the cluster only."""
    here = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    if not cluster.slurm or cluster.arch == here:
        return []
    limit = f"the nodes are {cluster.arch}"
    fix = f"build the environment on a node of {cluster.arch}"
    return [Problem(field="python", got=here, limit=limit, where=where, fix=fix)]
