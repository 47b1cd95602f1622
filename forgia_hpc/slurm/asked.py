"""What sbatch will be asked for, as the numbers that Slurm compares with its limits."""

from __future__ import annotations

from dataclasses import dataclass

from forgia_hpc.schema.job import Launch
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.health import excluded_nodes
from forgia_hpc.slurm.offer import Partition
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.request import charged_account, memory, tasks


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request. cpus, gpus and mem_mb are those of a node; None of mem_mb: not asked for."""

    partition: str | None = None
    qos: str | None = None
    account: str | None = None
    nodes: int = 1
    seconds: int = 1800
    cpus: int = 1
    gpus: int = 0
    mem_mb: int | None = None
    exclusive: bool = False
    points: int = 1  # of an array: each counts against the submit limits
    excluded: str = ""  # nodes that it keeps off, as --exclude names them

    def total(self, resource: str) -> int | None:
        """Return how much of a TRES the whole job holds; None where the request does not say."""
        mem = None if self.mem_mb is None else self.nodes * self.mem_mb
        counts = {"node": self.nodes, "cpu": self.nodes * self.cpus, "mem": mem}
        return counts.get(resource, self.nodes * self.gpus if _is_gpu(resource) else None)


def _is_gpu(resource: str) -> bool:
    return resource.startswith("gres/gpu")


def asked_of(resources: Resources, cluster: Cluster, launch: Launch, *, points: int = 1) -> Asked:
    """Return what `sbatch_request` will ask for. `resources` is complete."""
    ranks, cpus = tasks(resources, launch)
    partition = cluster.partition(resources.partition or "") or Partition(name="")
    node = cluster.node_of(resources.partition)
    whole = node if node and memory(resources, cluster) == "0" else None
    asks_memory = cluster.scheduler.mem_policy == "required" and resources.mem_gb
    sees_gpus = cluster.scheduler.gpu_syntax != "none"
    return Asked(
        partition=resources.partition,
        qos=resources.qos,
        account=charged_account(resources, cluster),
        nodes=resources.nodes,
        seconds=resources.walltime_seconds,
        cpus=node.cpus if partition.exclusive and node else ranks * cpus,
        gpus=resources.gpus_per_node or 0 if sees_gpus else 0,
        mem_mb=whole.mem_mb if whole else (resources.mem_gb or 0) * 1024 if asks_memory else None,
        exclusive=partition.exclusive,
        points=points,
        excluded=excluded_nodes(cluster) or "",
    )
