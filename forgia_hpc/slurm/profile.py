"""The words of a cluster profile: frozen dataclasses, one a block of slurm/clusters/*.yaml.

A value that nobody has established is null, and `unknown:` says what is missing and what is assumed instead.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.slurm.offer import Node, Partition, Qos
from forgia_hpc.slurm.site import (
    Accounting,
    Area,
    Environment,
    Health,
    Network,
    Roots,
    Software,
    Topology,
)


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
class Cluster:
    """One machine as we use it."""

    name: str
    title: str
    site: str = ""
    country: str | None = None  # ISO 3166-1, where its disks and nodes stand: policies ask for it
    enabled: bool = True
    disabled_because: str = ""
    slurm: bool = True
    arch: str = "x86_64"
    accelerator: str = "cuda"  # cuda | rocm | cpu: what the ranks compute on
    verified_on: str = ""
    sources: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    unknown: dict[str, str] = field(default_factory=dict)  # field path → what is assumed instead
    detect: Detect = field(default_factory=Detect)
    scheduler: Scheduler = field(default_factory=Scheduler)
    default_partition: str | None = None
    partitions: tuple[Partition, ...] = ()
    qos: tuple[Qos, ...] = ()
    node_types: tuple[Node, ...] = ()
    ranks_per_node: int | None = None  # None: one a GPU
    topology: Topology = field(default_factory=Topology)
    accounting: Accounting = field(default_factory=Accounting)
    storage: tuple[Area, ...] = ()
    roots: Roots = field(default_factory=Roots)
    network: Network = field(default_factory=Network)
    software: Software = field(default_factory=Software)
    env: Environment = field(default_factory=Environment)
    health: Health = field(default_factory=Health)
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
