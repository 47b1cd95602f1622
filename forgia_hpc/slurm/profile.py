"""The words of a cluster profile: frozen dataclasses, one a block of slurm/clusters/*.yaml.

A value that nobody has established is null, and `unknown:` says what is missing and what is assumed instead.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import Launch


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Where values come from: dotted field paths (a block's name covers the block), a source, a date."""

    fields: tuple[str, ...]
    source: str
    as_of: str
    confidence: str = "high"  # high: official or a live reading | medium: several users | low: one
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What `forgia cluster probe` established. holds: yes | no | unclear."""

    name: str
    question: str
    holds: str
    observed: str  # in Slurm's own words and figures
    as_of: str


@dataclass(frozen=True, kw_only=True)
class Detect:
    """How the login or compute node of this machine is recognised: never by a partition's name.

    yields_to: the profile that stands for the machine where both fit, as on a login node that two share.
    """

    hostname: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    yields_to: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scheduler:
    """How requests to this Slurm are written, and what it is known to do."""

    slurm_conf: str | None = None  # exported as SLURM_CONF to every Slurm call and job
    version: str | None = None
    gpu_syntax: str = "gres"  # gres | gpus | gpus_per_node | gpus_per_task | none
    gpu_type: str | None = None
    mem_policy: str = "required"  # required | forbidden | whole_node (--mem=0) | site (left out)
    account_required: bool = True
    qos_required: bool = False
    constraint: str | None = None
    extra: dict[str, str] = field(default_factory=dict)
    srun_args: tuple[str, ...] = ()
    export_srun_cpus: bool = True  # 22.05 to 23.02: srun stopped inheriting --cpus-per-task
    wckey: str | None = None
    resubmit: str | None = None  # requeue | singleton (the next link of a chain) | none
    max_array_size: int | None = None  # MaxArraySize: the highest index is one below
    max_submit: int | None = None  # jobs of one user that may be queued or running at once
    mail: bool | None = None
    enforce_part_limits: str | None = None  # NO | ANY | ALL: what sbatch refuses at once


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


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The network as placement and NCCL need it."""

    group_size: int | None = None  # nodes of one cell or switch
    switches_hint: str | None = None
    nics: int | None = None
    ifname: str | None = None
    hca: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """How the machine bills.

    formula max_share: hours * nodes * per_unit_hour * the largest of cpus/unit_cpus, gpus/unit_gpus and
    mem_mb/unit_mem_mb asked for on a node (None: not counted), each rounded up where `whole_units`.
    formula node_hours: hours * nodes * per_node_hour. null: not established, whole nodes are assumed.
    """

    unit: str = "core-h"
    formula: str | None = None
    per_node_hour: float | None = None
    per_unit_hour: float | None = None
    unit_cpus: int | None = None
    unit_gpus: int | None = None
    unit_mem_mb: int | None = None
    whole_units: bool = False
    balance_cmd: tuple[str, ...] = ()
    linearised: bool = False  # a month's share of the budget has a priority of its own
    account_pattern: str | None = None  # a regular expression
    account_suffix: str | None = None
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Area:
    """One storage area. role: home | work | fast | scratch | tmp | archive | public."""

    var: str | None = None
    path: str | None = None
    role: str = "work"
    scope: str = "project"  # user | project | node
    quota_gb: int | None = None
    purge_days: int | None = None
    backup: bool | None = None
    on_compute: bool = True
    quota_cmd: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Roots:
    """Default roots; may hold $VARIABLES of the site."""

    runs: str | None = None
    data: str | None = None
    caches: str | None = None  # pip, HF, torch and Triton caches, off $HOME


@dataclass(frozen=True, kw_only=True)
class Network:
    """Who reaches the internet. null: not established, so offline is assumed."""

    compute_online: bool | None = None
    login_online: bool | None = None
    staging_partition: str | None = None
    data_mover: str | None = None
    proxy_allowed: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Container:
    """How containers run here. build_where: login | staging | elsewhere."""

    runtime: str | None = None  # apptainer | singularity
    gpu_flag: str | None = None
    binds: tuple[str, ...] = ()
    build_where: str | None = None


@dataclass(frozen=True, kw_only=True)
class Software:
    """What the batch script does before python."""

    init: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    module_conflicts: tuple[str, ...] = ()
    python: str | None = None
    driver: str | None = None
    max_cuda: str | None = None
    container: Container = Container()
    launch: Launch = Launch.srun
    mpi: str | None = None  # srun --mpi=…; None: the site's default


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Variables of the ranks. `offline` holds where compute nodes are; `candidates` are for benchmarks only."""

    defaults: dict[str, str] = field(default_factory=dict)
    offline: dict[str, str] = field(default_factory=dict)
    debug: dict[str, str] = field(default_factory=dict)
    candidates: dict[str, str] = field(default_factory=dict)
    master_addr_suffix: str = ""
    port_rule: str | None = None


@dataclass(frozen=True, kw_only=True)
class BadNode:
    """A node that jobs should keep off, why, and until when (YYYY-MM-DD)."""

    name: str
    reason: str
    until: str


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a job checks or avoids before it computes."""

    exclude: tuple[BadNode, ...] = ()
    preflight: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One machine as we use it."""

    name: str
    title: str
    site: str = ""
    enabled: bool = True
    disabled_because: str = ""
    slurm: bool = True
    arch: str = "x86_64"
    accelerator: str = "cuda"  # cuda | rocm | cpu: what the ranks compute on
    verified_on: str = ""
    sources: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    unknown: dict[str, str] = field(default_factory=dict)  # field path → what is assumed instead
    detect: Detect = Detect()
    scheduler: Scheduler = Scheduler()
    default_partition: str | None = None
    partitions: tuple[Partition, ...] = ()
    qos: tuple[Qos, ...] = ()
    node_types: tuple[Node, ...] = ()
    ranks_per_node: int | None = None  # None: one a GPU
    topology: Topology = Topology()
    accounting: Accounting = Accounting()
    storage: tuple[Area, ...] = ()
    roots: Roots = Roots()
    network: Network = Network()
    software: Software = Software()
    env: Environment = Environment()
    health: Health = Health()
    notes: tuple[str, ...] = ()
    limits_as_of: str = (
        ""  # of the refresh that overwrote the shipped limits; empty: never refreshed
    )
    facts: tuple[Fact, ...] = ()  # of the probe

    def partition(self, name: str) -> Partition | None:
        """Return a partition by name."""
        return next((entry for entry in self.partitions if entry.name == name), None)

    def qos_named(self, name: str) -> Qos | None:
        """Return a QOS by name."""
        return next((entry for entry in self.qos if entry.name == name), None)

    def holds(self, fact: str) -> bool | None:
        """Whether the probe established this fact; None: not established, so the worst is assumed."""
        found = next((entry.holds for entry in self.facts if entry.name == fact), "unclear")
        return {"yes": True, "no": False}.get(found)

    def node_of(self, partition: str | None) -> Node | None:
        """Return the kind of node that a partition has; of an unnamed or unknown one, the default's."""
        found = self.partition(partition or self.default_partition or "")
        wanted = found.node_type if found else None
        if wanted is None:
            return self.node_types[0] if self.node_types else None
        return next((node for node in self.node_types if node.name == wanted), None)

    @property
    def node(self) -> Node | None:
        """The kind of node of the default partition."""
        return self.node_of(None)

    @property
    def default_ranks_per_node(self) -> int:
        """One rank a GPU, unless the profile says otherwise."""
        return self.ranks_per_node or (self.node.gpus if self.node and self.node.gpus else 1)

    def variables(self) -> dict[str, str]:
        """Return the variables of the ranks: the defaults, and those of an offline node where it is one."""
        offline = {} if self.network.compute_online else self.env.offline
        return {**self.env.defaults, **offline}

    def environment(self) -> dict[str, str]:
        """Return what every Slurm call and job of this machine gets."""
        if not self.scheduler.slurm_conf:
            return {}
        path = os.path.expandvars(self.scheduler.slurm_conf)
        if "$" in path:
            raise InputError(
                Problem(
                    field="cluster",
                    got=self.name,
                    limit=f"{path.split('/')[0]} is not set",
                    where=f"slurm/clusters/{self.name}.yaml",
                    fix='start it with: eval "$(slurm/dev/up)"',
                )
            )
        return {"SLURM_CONF": path}
