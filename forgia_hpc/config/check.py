"""The third fence: job × cluster × dataset, all problems at once."""

from __future__ import annotations

import dataclasses

from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import EvaluateJob, Job, Launch, TrainJob
from forgia_hpc.schema.resources import Resources, parse_walltime
from forgia_hpc.slurm.cluster import Cluster

_WHERE = "slurm/clusters/{name}.yaml"


def complete(resources: Resources, cluster: Cluster) -> Resources:
    """Return the resources with every gap filled from the cluster's profile."""
    node = cluster.node
    ranks = resources.ranks_per_node or cluster.default_ranks_per_node
    gpus = resources.gpus_per_node
    if gpus is None:
        gpus = min(ranks, node.gpus) if node and cluster.accelerator == "cuda" else 0
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
    node = cluster.node
    if node is None:
        return ranks * (resources.cpus_per_rank or 1), None
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
    elif job.resources.nodes > 1:
        problems.append(
            Problem(
                field="resources.nodes",
                got=job.resources.nodes,
                limit="one node",
                where=where,
                fix="raise resources.ranks_per_node instead",
            )
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
    """Ranks, CPUs, GPUs and memory against one node."""
    resources, node = job.resources, cluster.node
    if node is None:
        return []
    problems = []
    ranks, cpus = resources.ranks_per_node or 1, resources.cpus_per_rank or 1
    gpus, mem_mb = resources.gpus_per_node or 0, (resources.mem_gb or 0) * 1024
    if ranks * cpus > node.cpus:
        problems.append(
            Problem(
                field="resources.cpus_per_rank",
                got=cpus,
                limit=f"{ranks} ranks share {node.cpus} CPUs a node",
                where=where,
                fix=f"at most {node.cpus // ranks}",
            )
        )
    if gpus > node.gpus:
        problems.append(
            Problem(
                field="resources.gpus_per_node",
                got=gpus,
                limit=f"a node has {node.gpus}",
                where=where,
            )
        )
    if mem_mb > node.mem_mb:
        problems.append(
            Problem(
                field="resources.mem_gb",
                got=resources.mem_gb,
                limit=f"a node has {node.mem_mb} MB, {node.mem_mb // 1024} GB",
                where=where,
            )
        )
    if cluster.accelerator == "cuda" and isinstance(job, TrainJob | EvaluateJob) and ranks != gpus:
        problems.append(
            Problem(
                field="resources.ranks_per_node",
                got=ranks,
                limit=f"one rank a GPU, and {gpus} GPUs are asked for",
                where=where,
                fix=f"resources.gpus_per_node={ranks}",
            )
        )
    return problems


def _time_and_nodes(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    """Partition and QOS: known, allowed together, and long and wide enough."""
    partition = cluster.partition(resources.partition or "")
    if partition is None:
        known = ", ".join(entry.name for entry in cluster.partitions)
        return [
            Problem(
                field="resources.partition",
                got=resources.partition,
                limit=f"one of {known}",
                where=where,
            )
        ]
    qos = cluster.qos_named(resources.qos) if resources.qos else None
    if resources.qos and (qos is None or resources.qos not in partition.qos):
        return [
            Problem(
                field="resources.qos",
                got=resources.qos,
                limit=f"{partition.name} allows {', '.join(partition.qos)}",
                where=where,
            )
        ]
    problems = []
    most = qos.max_nodes if qos and qos.max_nodes else partition.max_nodes
    if most and resources.nodes > most:
        problems.append(
            Problem(
                field="resources.nodes",
                got=resources.nodes,
                limit=f"{(qos or partition).name} allows {most}",
                where=where,
                fix=f"ask for {most} or fewer" + _wider(resources, cluster),
            )
        )
    if qos and qos.strict and qos.min_nodes and resources.nodes < qos.min_nodes:
        problems.append(
            Problem(
                field="resources.nodes",
                got=resources.nodes,
                limit=f"{qos.name} needs {qos.min_nodes}",
                where=where,
            )
        )
    return problems + _time(resources, cluster, where)


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
