"""What a site is beside its scheduler: a profile's blocks for billing, storage, network, software and health."""

from __future__ import annotations

from dataclasses import dataclass, field

from forgia_hpc.schema.job import Launch


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
