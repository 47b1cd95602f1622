"""Cluster profiles: what a machine has, read from slurm/clusters/*.yaml.

A job can't override a profile. A value that nobody has established is null, with a note beside it in the file.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import socket
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc import sources
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import Launch


@dataclass(frozen=True, kw_only=True)
class Detect:
    """How the login or compute node of this machine is recognised: never by a partition's name."""

    hostname: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scheduler:
    """How requests to this Slurm are written. gpu_syntax: gres | gpus_per_node | none."""

    slurm_conf: str | None = None  # exported as SLURM_CONF to every Slurm call and job
    version: str | None = None
    gpu_syntax: str = "gres"
    gpu_type: str | None = None
    mem_policy: str = "required"  # required | forbidden
    account_required: bool = True
    requeue_allowed: bool | None = None  # null: not established, so not relied on
    extra: dict[str, str] = field(default_factory=dict)
    srun_args: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Partition:
    """Limits of a partition; times as [D-]HH:MM:SS, memory of a node in Slurm's MB (MiB)."""

    name: str
    max_time: str | None = None
    default_time: str | None = None
    max_nodes: int | None = None
    qos: tuple[str, ...] = ()
    gpus: bool = True
    cpus: int | None = None  # of one job on one node, where the partition gives less than the node
    mem_mb: int | None = None
    free: bool = False
    online: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Qos:
    """Limits of a QOS. max_time of None: the partition's holds."""

    name: str
    min_nodes: int | None = None
    max_nodes: int | None = None
    max_time: str | None = None
    exceeds_partition: bool = False  # its max_time may be longer than the partition's
    max_jobs_per_user: int | None = None
    priority: int | None = None
    strict: bool = True  # False: the limit is doubtful, so it warns
    as_of: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node as Slurm sees it."""

    cpus: int
    mem_mb: int
    gpus: int = 0
    gpu_model: str | None = None
    gpu_mem_gb: int | None = None
    cpus_per_gpu: int | None = None
    mem_mb_per_gpu: int | None = None


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """How the machine bills: unit * hours * nodes * the largest requested share of a node."""

    unit: str = "core-h"
    per_node_hour: float = 0.0
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Software:
    """What the batch script does before python, and which environment the ranks get."""

    init: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    launch: Launch = Launch.srun
    mpi: str | None = None  # srun --mpi=…; None: the site's default


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Default roots; may hold $VARIABLES of the site."""

    runs: str | None = None
    data: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One machine as we use it."""

    name: str
    title: str
    enabled: bool = True
    disabled_because: str = ""
    slurm: bool = True
    arch: str = "x86_64"
    accelerator: str = "cuda"  # cuda | cpu: what the ranks compute on
    verified_on: str = ""
    sources: tuple[str, ...] = ()
    detect: Detect = Detect()
    scheduler: Scheduler = Scheduler()
    default_partition: str | None = None
    partitions: tuple[Partition, ...] = ()
    qos: tuple[Qos, ...] = ()
    node: Node | None = None
    ranks_per_node: int | None = None  # None: one a GPU
    accounting: Accounting = Accounting()
    compute_online: bool = False
    software: Software = Software()
    storage: Storage = Storage()
    notes: tuple[str, ...] = ()

    def partition(self, name: str) -> Partition | None:
        """Return a partition by name."""
        return next((entry for entry in self.partitions if entry.name == name), None)

    def qos_named(self, name: str) -> Qos | None:
        """Return a QOS by name."""
        return next((entry for entry in self.qos if entry.name == name), None)

    @property
    def default_ranks_per_node(self) -> int:
        """One rank a GPU, unless the profile says otherwise."""
        return self.ranks_per_node or (self.node.gpus if self.node and self.node.gpus else 1)

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


def load_cluster(name: str) -> Cluster:
    """Return the profile `name`.

    Raises:
        InputError: no such profile, or every wrong key and type in it.
    """
    profiles = sources.named("slurm", "clusters/*.yaml")
    if name not in profiles:
        known = ", ".join(sorted(profiles))
        raise InputError(
            Problem(
                field="cluster",
                got=name,
                limit=f"one of {known}",
                where="slurm/clusters",
                fix="forgia cluster list",
            )
        )
    return read_cluster(profiles[name])


def cluster_names() -> list[str]:
    """Return the names of all profiles."""
    return sorted(sources.named("slurm", "clusters/*.yaml"))


def read_cluster(path: Path) -> Cluster:
    """Return the profile in `path`, strictly: an unknown key is an error."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    problems: list[Problem] = []
    cluster = _build(Cluster, content, "", str(path), problems)
    if problems:
        raise InputError(problems)
    return typing.cast("Cluster", cluster)


def detect() -> str | None:
    """Return the profile of the machine we are on, by host name and environment, or None."""
    host = socket.getfqdn()
    for name in cluster_names():
        found = load_cluster(name).detect
        by_host = any(fnmatch.fnmatch(host, pattern) for pattern in found.hostname)
        by_env = bool(found.env) and all(
            os.environ.get(key) == value for key, value in found.env.items()
        )
        if by_host or by_env:
            return name
    return None


def is_here(cluster: Cluster) -> bool:
    """Whether this machine is the cluster, or its way to it (a private Slurm, no Slurm at all)."""
    return not cluster.slurm or bool(cluster.scheduler.slurm_conf) or detect() == cluster.name


def _build(kind: type, content: Any, at: str, where: str, problems: list[Problem]) -> Any:
    """Make the dataclass `kind` from YAML, noting every key and type that does not fit."""
    if not isinstance(content, dict):
        problems.append(
            Problem(field=at or "profile", got=content, limit="a mapping is needed", where=where)
        )
        return None
    types_of = typing.get_type_hints(kind)
    known = {entry.name: entry for entry in dataclasses.fields(kind)}
    values = {}
    for key, value in content.items():
        here = f"{at}.{key}" if at else str(key)
        if key not in known:
            problems.append(
                Problem(
                    field=here,
                    got=value,
                    limit=f"no such key; known: {', '.join(known)}",
                    where=where,
                )
            )
        else:
            values[key] = _convert(types_of[key], value, here, where, problems)
    needed = [
        e.name
        for e in known.values()
        if e.default is dataclasses.MISSING and e.default_factory is dataclasses.MISSING
    ]
    missing = [key for key in needed if key not in values]
    problems += [
        Problem(
            field=f"{at}.{key}" if at else key, got=None, limit="a value is needed", where=where
        )
        for key in missing
    ]
    return None if missing else kind(**values)


def _convert(kind: Any, value: Any, at: str, where: str, problems: list[Problem]) -> Any:
    """Convert one YAML value to the annotated type, noting what does not fit."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _convert(inner, value, at, where, problems)
    if origin is tuple:
        entries = value if isinstance(value, list) else [value]
        return tuple(
            _convert(arguments[0], entry, f"{at}[{i}]", where, problems)
            for i, entry in enumerate(entries)
        )
    if origin is dict:
        return {
            str(key): _convert(arguments[1], entry, f"{at}.{key}", where, problems)
            for key, entry in (value or {}).items()
        }
    if dataclasses.is_dataclass(kind):
        return _build(typing.cast("type", kind), value, at, where, problems)
    return _scalar(kind, value, at, where, problems)


def _scalar(kind: Any, value: Any, at: str, where: str, problems: list[Problem]) -> Any:
    if kind is Launch:
        known = [launch.value for launch in Launch]
        if value in known:
            return Launch(value)
        limit = f"one of {', '.join(known)}"
        problems.append(Problem(field=at, got=value, limit=limit, where=where))
        return value
    if kind is float and isinstance(value, int):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        problems.append(
            Problem(field=at, got=value, limit=f"{kind.__name__} is needed", where=where)
        )
    return value
