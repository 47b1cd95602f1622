"""What a cluster offers to a job: the blocks of a profile for its partitions, QOS and kinds of node."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class WalltimeBin:
    """Where the longest walltime depends on the nodes asked for."""

    nodes: int  # up to so many
    max_time: str


@dataclass(frozen=True, kw_only=True)
class Partition:
    """Limits of a partition; times as [D-]HH:MM:SS, memory of a node in Slurm's MB (MiB).

    The name "" is that of a job which names none: the site chooses by constraint, account or QOS.
    """

    name: str
    node_type: str | None = None  # None: the only one
    max_time: str | None = None
    default_time: str | None = None
    min_nodes: int | None = None
    max_nodes: int | None = None
    exclusive: bool = False
    qos: tuple[str, ...] = ()
    gpus: bool = True
    cpus: int | None = None  # of one job on one node, where the partition gives less than the node
    mem_mb: int | None = None
    free: bool = False
    online: bool = False
    walltime_bins: tuple[WalltimeBin, ...] = ()
    gone: bool = False  # the last refresh did not find it
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Qos:
    """Limits of a QOS. max_time of None: the partition's holds."""

    name: str
    min_nodes: int | None = None
    max_nodes: int | None = None
    max_time: str | None = None
    exceeds_partition: bool = False  # its max_time and max_nodes may be beyond the partition's
    max_nodes_per_user: int | None = None
    max_gpus_per_user: int | None = None
    max_cpus_per_user: int | None = None
    max_jobs_per_user: int | None = None  # running
    max_submit_per_user: int | None = None  # queued and running
    max_node_hours: float | None = None  # of one job
    scope: str = "user"  # user | account: whose sum the per-user limits hold
    preemptible: bool = False
    debug: bool = False
    priority: int | None = None
    strict: bool = True  # False: the limit is doubtful, so it warns
    gone: bool = False  # the last refresh did not find it
    as_of: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One kind of node as Slurm sees it."""

    name: str = "node"
    cpus: int
    usable_cpus: int | None = None  # where some cores are kept for the system
    threads_per_core: int = 1
    mem_mb: int | None = None  # None: not established, so memory is neither checked nor priced
    gpus: int = 0
    gpu_model: str | None = None
    gpu_mem_gb: int | None = None
    peak_tflops: dict[str, float] = field(default_factory=dict)  # of one GPU, dense, by number type
    cpus_per_gpu: int | None = None  # the share that is billed with one GPU
    mem_mb_per_gpu: int | None = None
    numa_nodes: int | None = None
    cpu_bind: tuple[str, ...] = ()  # one mask a rank; they hold on whole nodes only
    local_tmp_gb: int | None = None
    local_tmp_gres: bool = False
