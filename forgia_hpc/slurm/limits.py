"""The limits that Slurm enforces now, in its own words. limits_text.py parses them, limits_read.py asks for them.

Units: seconds, and Slurm's MB (MiB). None is "no limit".
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class PartitionLimits:
    """One partition as `scontrol show partition` has it."""

    name: str
    default: bool = False
    state: str = "UP"  # UP | DOWN | DRAIN | INACTIVE
    max_time_s: int | None = None
    default_time_s: int | None = None
    min_nodes: int = 0
    max_nodes: int | None = None
    max_cpus_per_node: int | None = None
    max_mem_per_node_mb: int | None = None
    def_mem_per_cpu_mb: int | None = None
    def_mem_per_node_mb: int | None = None
    exclusive: bool = False
    qos: str | None = None  # the partition's own QOS, whose limits hold beside the job's
    allow_qos: tuple[str, ...] | None = None  # None: all
    deny_qos: tuple[str, ...] = ()
    allow_accounts: tuple[str, ...] | None = None
    deny_accounts: tuple[str, ...] = ()
    nodes: str = ""  # as a host list
    total_nodes: int = 0
    total_cpus: int = 0
    billing_weights: dict[str, str] = field(default_factory=dict)  # units as Slurm writes them


@dataclass(frozen=True, kw_only=True)
class QosLimits:
    """One QOS. Resources (`tres`) are counts by Slurm's word (cpu, node, gres/gpu, mem in MB)."""

    name: str
    priority: int = 0
    flags: tuple[
        str, ...
    ] = ()  # PartitionTimeLimit: beyond the partition's; DenyOnLimit: refused at sbatch
    max_wall_s: int | None = None
    max_tres_per_job: dict[str, int] = field(default_factory=dict)
    max_tres_per_user: dict[str, int] = field(default_factory=dict)
    max_tres_per_account: dict[str, int] = field(default_factory=dict)
    min_tres_per_job: dict[str, int] = field(default_factory=dict)
    group_tres: dict[str, int] = field(default_factory=dict)
    group_tres_mins: dict[str, int] = field(default_factory=dict)
    max_jobs_per_user: int | None = None
    max_submit_per_user: int | None = None
    max_jobs_per_account: int | None = None
    max_submit_per_account: int | None = None
    group_jobs: int | None = None
    group_submit: int | None = None
    preempts: tuple[str, ...] = ()
    preempt_mode: str = ""


@dataclass(frozen=True, kw_only=True)
class Association:
    """What this user may do under one account."""

    account: str
    user: str = ""
    partition: str | None = None  # None: every partition
    qos: tuple[str, ...] = ()
    default_qos: str | None = None
    max_jobs: int | None = None
    max_submit: int | None = None
    max_wall_s: int | None = None
    max_tres_per_job: dict[str, int] = field(default_factory=dict)
    group_tres: dict[str, int] = field(default_factory=dict)
    group_tres_mins: dict[str, int] = field(default_factory=dict)
    group_jobs: int | None = None
    group_submit: int | None = None


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """One node as sinfo has it."""

    name: str
    partitions: tuple[str, ...]
    cpus: int
    mem_mb: int
    gpus: int
    state: str  # the bare word: idle, mixed, allocated, drained …
    marks: str = ""  # sinfo's suffix: * no answer, ~ off, - planned …
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """All of it. `left_out` says what was not answered and why; accounting is then empty."""

    version: str
    name: str  # ClusterName
    enforce_part_limits: str  # NO | ANY | ALL
    enforce: tuple[str, ...]  # AccountingStorageEnforce
    max_array_size: int | None
    job_requeue: bool
    min_job_age_s: int
    partitions: dict[str, PartitionLimits]
    qos: dict[str, QosLimits] = field(default_factory=dict)
    associations: tuple[Association, ...] = ()
    nodes: tuple[NodeState, ...] = ()
    left_out: tuple[str, ...] = ()
