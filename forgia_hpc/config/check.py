"""The third fence: job × cluster × dataset, all problems at once."""

from __future__ import annotations

import dataclasses
import os

from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import EvaluateJob, Job, Launch, TrainJob
from forgia_hpc.schema.resources import Resources, parse_walltime
from forgia_hpc.slurm.profile import Cluster, Partition

_WHERE = "slurm/clusters/{name}.yaml"
RANKS_A_CORE = 8  # 500 ranks on two cores brought a load of 340, and nothing else ran for minutes


def complete(resources: Resources, cluster: Cluster) -> Resources:
    """Return the resources with every gap filled from the cluster's profile."""
    node = cluster.node_of(resources.partition)
    partition = cluster.partition(resources.partition or cluster.default_partition or "")
    without_gpus = cluster.accelerator == "cpu" or (partition is not None and not partition.gpus)
    usual = (cluster.ranks_per_node or 1) if without_gpus else cluster.default_ranks_per_node
    ranks = resources.ranks_per_node or usual
    gpus = resources.gpus_per_node
    if gpus is None:
        gpus = min(ranks, node.gpus) if node and not without_gpus else 0
    share = _share(resources, cluster, ranks, gpus)
    return dataclasses.replace(
        resources,
        ranks_per_node=ranks,
        gpus_per_node=gpus,
        cpus_per_rank=resources.cpus_per_rank or max(1, share[0] // ranks),
        mem_gb=resources.mem_gb or share[1],
        partition=resources.partition or cluster.default_partition,
    )


def _share(resources: Resources, cluster: Cluster, ranks: int, gpus: int) -> tuple[int, int | None]:
    """Return the CPUs and GB of a node that go with the GPUs asked for; all of it where there are none."""
    node = cluster.node_of(resources.partition)
    if node is None:
        return os.cpu_count() or 1, None
    partition = cluster.partition(resources.partition or cluster.default_partition or "")
    if partition and partition.cpus and partition.mem_mb:
        return partition.cpus, partition.mem_mb // 1024
    if gpus and gpus < node.gpus and node.cpus_per_gpu and node.mem_mb_per_gpu:
        return gpus * node.cpus_per_gpu, gpus * node.mem_mb_per_gpu // 1024
    return node.cpus, node.mem_mb // 1024


def check(job: Job, cluster: Cluster) -> list[Problem]:
    """Return what this cluster can't give this job. `job.resources` is complete."""
    where = _WHERE.format(name=cluster.name)
    if not cluster.enabled:
        return [
            Problem(
                field="cluster",
                got=cluster.name,
                limit=f"disabled: {cluster.disabled_because}",
                where=where,
            )
        ]
    problems = [*_shape(job, cluster, where), *_launch(job, cluster, where)]
    if cluster.slurm:
        problems += [
            *_account(job.resources, cluster, where),
            *_time_and_nodes(job.resources, cluster, where),
        ]
    else:
        problems += _one_machine(job.resources, where)
    return problems


def _one_machine(resources: Resources, where: str) -> list[Problem]:
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


def _launch(job: Job, cluster: Cluster, where: str) -> list[Problem]:
    launch = job.launch or cluster.software.launch
    if launch is Launch.srun and not cluster.slurm:
        return [
            Problem(
                field="launch",
                got=launch.value,
                limit="this cluster has no Slurm",
                where=where,
                fix="launch=processes",
            )
        ]
    if launch is Launch.processes and job.resources.nodes > 1:
        return [
            Problem(
                field="launch",
                got=launch.value,
                limit="plain processes live on one node",
                where=where,
                fix="launch=srun",
            )
        ]
    return []


def _account(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    if resources.account or not cluster.scheduler.account_required:
        return []
    return [
        Problem(
            field="resources.account",
            got=None,
            limit="an account is charged on this cluster",
            where=where,
            fix="resources.account=… or account: in ~/.config/forgia/config.yaml",
        )
    ]


def _shape(job: Job, cluster: Cluster, where: str) -> list[Problem]:
    """Ranks, CPUs, GPUs and memory against one node of the partition."""
    resources, node = job.resources, cluster.node_of(job.resources.partition)
    if node is None:
        return []
    partition = cluster.partition(resources.partition or "") or Partition(name="a node")
    cpus, mem_mb = partition.cpus or node.cpus, partition.mem_mb or node.mem_mb
    most = {
        "cpus_per_rank": (cpus // (resources.ranks_per_node or 1), f"{cpus} CPUs a node"),
        "gpus_per_node": (node.gpus if partition.gpus else 0, "GPUs a node"),
        "mem_gb": (mem_mb // 1024, f"GB of {mem_mb} MB a node"),
    }
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
    return [*problems, *_one_rank_a_gpu(job, cluster, where)]


def _one_rank_a_gpu(job: Job, cluster: Cluster, where: str) -> list[Problem]:
    ranks, gpus = job.resources.ranks_per_node or 1, job.resources.gpus_per_node or 0
    trains = isinstance(job, TrainJob | EvaluateJob)
    if cluster.accelerator == "cpu" or not trains or ranks == gpus:
        return []
    limit = f"one rank a GPU, and {gpus} GPUs are asked for"
    fix = f"resources.gpus_per_node={ranks}"
    return [Problem(field="resources.ranks_per_node", got=ranks, limit=limit, where=where, fix=fix)]


def _time_and_nodes(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    """Partition and QOS: known, allowed together, and long and wide enough."""
    partition, qos = (
        cluster.partition(resources.partition or ""),
        cluster.qos_named(resources.qos or ""),
    )
    problems = []
    if partition is None:
        limit = f"one of {', '.join(entry.name for entry in cluster.partitions)}"
        problems.append(
            Problem(field="resources.partition", got=resources.partition, limit=limit, where=where)
        )
    allowed = partition.qos if partition else tuple(entry.name for entry in cluster.qos)
    if resources.qos and (qos is None or qos.name not in allowed):
        limit = f"{partition.name if partition else cluster.name} allows {', '.join(allowed)}"
        problems.append(Problem(field="resources.qos", got=resources.qos, limit=limit, where=where))
    return [*problems, *_nodes(resources, cluster, where), *_time(resources, cluster, where)]


def _nodes(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    partition, qos = (
        cluster.partition(resources.partition or ""),
        cluster.qos_named(resources.qos or ""),
    )
    limiting = qos if qos and qos.max_nodes else partition
    most = (
        limiting.max_nodes
        if limiting
        else max((p.max_nodes or 0 for p in cluster.partitions), default=0)
    )
    name = limiting.name if limiting else cluster.name
    if most and resources.nodes > most:
        fix = f"ask for {most} or fewer{_wider(resources, cluster)}"
        return [
            Problem(
                field="resources.nodes",
                got=resources.nodes,
                limit=f"{name} allows {most}",
                where=where,
                fix=fix,
            )
        ]
    if qos and qos.strict and qos.min_nodes and resources.nodes < qos.min_nodes:
        return [
            Problem(
                field="resources.nodes",
                got=resources.nodes,
                limit=f"{qos.name} needs {qos.min_nodes}",
                where=where,
            )
        ]
    return []


def _time(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    partition, qos = (
        cluster.partition(resources.partition or ""),
        cluster.qos_named(resources.qos or ""),
    )
    limits = [(qos.name, qos.max_time)] if qos and qos.max_time else []
    if partition and partition.max_time and not (qos and qos.exceeds_partition):
        limits.append((partition.name, partition.max_time))
    known = [(parse_walltime(text) or 0, name, text) for name, text in limits]
    if not known or resources.walltime_seconds <= min(known)[0]:
        return []
    _, name, text = min(known)
    longer = [
        q.name
        for q in cluster.qos
        if q.max_time and (parse_walltime(q.max_time) or 0) >= resources.walltime_seconds
    ]
    fix = f"ask for {text} or less" + (f", or resources.qos={longer[0]}" if longer else "")
    return [
        Problem(
            field="resources.walltime",
            got=resources.walltime,
            limit=f"{name} allows {text}",
            where=where,
            fix=fix,
        )
    ]


def _wider(resources: Resources, cluster: Cluster) -> str:
    wide = [q.name for q in cluster.qos if (q.max_nodes or 0) >= resources.nodes]
    return f", or resources.qos={wide[0]}" if wide else ""


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
