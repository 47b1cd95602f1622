"""From the limits that Slurm tells to the reading that stands above a shipped profile, and what it changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from forgia_hpc.rundir import write_text
from forgia_hpc.slurm.evidence import leaves
from forgia_hpc.slurm.limits import Limits, NodeState, PartitionLimits, QosLimits
from forgia_hpc.slurm.overlay import LIMITS, limits_path
from forgia_hpc.slurm.profile import Cluster

_SHOWN = ("scheduler", "partitions", "qos", "node_types")
_HIDDEN = (".as_of", ".source", ".note")


@dataclass(frozen=True)
class Change:
    """A value that the reading changes."""

    path: str
    old: Any
    new: Any


def reading(cluster: Cluster, limits: Limits, *, host: str, today: str) -> dict[str, Any]:
    """Return what Slurm tells of this cluster, in the words of a profile; `cluster` is the shipped one."""
    new_types = dict(_new_node_types(cluster, limits))
    partitions = [
        *(_partition(cluster, limits, one) for one in limits.partitions.values()),
        *({"name": p.name, "gone": True} for p in cluster.partitions if _is_gone(p.name, limits)),
    ]
    qos = list(_qos(cluster, limits, today))
    content: dict[str, Any] = {
        "format": LIMITS,
        "cluster": cluster.name,
        "read": {"host": host, "slurm": limits.version, "left_out": list(limits.left_out)},
        "limits_as_of": today,
        "scheduler": _scheduler(limits),
        "partitions": partitions,
        "qos": qos,
        "node_types": [*new_types.values(), *_filled_gaps(cluster, limits)],
    }
    source = f"scontrol, sacctmgr and sinfo on {host}, by forgia cluster refresh"
    fields = list(_paths(content))
    return {**content, "evidence": [{"fields": fields, "source": source, "as_of": today}]}


def _scheduler(limits: Limits) -> dict[str, Any]:
    submit = [one.max_submit for one in limits.associations if one.max_submit is not None]
    return {
        "version": limits.version,
        "enforce_part_limits": limits.enforce_part_limits,
        "max_array_size": limits.max_array_size,
        **({"max_submit": min(submit)} if submit else {}),
    }


def _partition(cluster: Cluster, limits: Limits, told: PartitionLimits) -> dict[str, Any]:
    known = cluster.partition(told.name)
    found: dict[str, Any] = {
        "name": told.name,
        "max_time": walltime(told.max_time_s),
        "default_time": walltime(told.default_time_s),
        "min_nodes": told.min_nodes or None,
        "max_nodes": told.max_nodes,
        "exclusive": told.exclusive,
        **(
            {"walltime_bins": []}
            if known and known.walltime_bins and told.max_time_s is None
            else {}
        ),
    }
    # no limit of the partition's own says nothing against the profile's, which may come from a QOS
    found |= {"cpus": told.max_cpus_per_node} if told.max_cpus_per_node else {}
    found |= {"mem_mb": told.max_mem_per_node_mb} if told.max_mem_per_node_mb else {}
    allowed = _allowed_qos(limits, told)
    found |= {"qos": allowed} if allowed is not None else {}
    if known is None:
        nodes = [node for node in limits.nodes if told.name in node.partitions]
        found |= {
            "gpus": any(node.gpus for node in nodes),
            "node_type": _type_of(cluster, told.name, nodes),
        }
    return found


def _allowed_qos(limits: Limits, told: PartitionLimits) -> list[str] | None:
    """Return the QOS that this person may name there; None where Slurm did not tell."""
    if not limits.qos:
        return None
    mine = {name for one in limits.associations for name in one.qos}
    open_to = set(limits.qos) if told.allow_qos is None else set(told.allow_qos)
    found = (open_to & set(limits.qos) & (mine or open_to)) - set(told.deny_qos)
    return sorted(found)


def _qos(cluster: Cluster, limits: Limits, today: str) -> Iterator[dict[str, Any]]:
    """Yield the QOS that this person may use or that the profile knows; a site has hundreds of others."""
    if not limits.qos:
        return
    mine = {name for one in limits.associations for name in one.qos}
    known = {one.name for one in cluster.qos}
    preempted = {name for one in limits.qos.values() for name in one.preempts}
    for name, told in limits.qos.items():
        if name in mine | known or not mine:
            entry = _limits_of(
                told, preemptible=name in preempted or told.preempt_mode in ("requeue", "cancel")
            )
            yield {**entry, "as_of": today, "source": "sacctmgr show qos"}
    for name in sorted(known - set(limits.qos)):
        yield {"name": name, "gone": True, "as_of": today, "source": "sacctmgr show qos"}


def _limits_of(told: QosLimits, *, preemptible: bool) -> dict[str, Any]:
    per_user = told.max_tres_per_user
    return {
        "name": told.name,
        "priority": told.priority,
        "max_time": walltime(told.max_wall_s),
        "min_nodes": told.min_tres_per_job.get("node"),
        "max_nodes": told.max_tres_per_job.get("node"),
        "exceeds_partition": bool({"PartitionTimeLimit", "PartitionMaxNodes"} & set(told.flags)),
        "max_nodes_per_user": per_user.get("node"),
        "max_gpus_per_user": per_user.get("gres/gpu"),
        "max_cpus_per_user": per_user.get("cpu"),
        "max_jobs_per_user": told.max_jobs_per_user,
        "max_submit_per_user": told.max_submit_per_user,
        "preemptible": preemptible,
    }


def _is_gone(name: str, limits: Limits) -> bool:
    return bool(name) and name not in limits.partitions


def _type_of(cluster: Cluster, partition: str, nodes: list[NodeState]) -> str | None:
    """Return the kind of node of a new partition: one we know of the same shape, else one named like it."""
    if not nodes:
        return None
    shape = (nodes[0].cpus, nodes[0].gpus)
    like = (one.name for one in cluster.node_types if (one.cpus, one.gpus) == shape)
    return next(like, partition)


def _new_node_types(cluster: Cluster, limits: Limits) -> Iterator[tuple[str, dict[str, Any]]]:
    known = {one.name for one in cluster.node_types}
    for name in limits.partitions:
        nodes = [node for node in limits.nodes if name in node.partitions]
        kind = _type_of(cluster, name, nodes) if cluster.partition(name) is None else None
        if kind and kind not in known:
            one = min(nodes, key=lambda node: (node.cpus, node.mem_mb))  # what every node there has
            yield kind, {"name": kind, "cpus": one.cpus, "mem_mb": one.mem_mb, "gpus": one.gpus}


def _filled_gaps(cluster: Cluster, limits: Limits) -> Iterator[dict[str, Any]]:
    """Yield memory where the profile has none. What it has stays: sites hold back a part of what sinfo shows."""
    for kind in cluster.node_types:
        homes = {one.name for one in cluster.partitions if one.node_type in (kind.name, None)}
        sizes = [node.mem_mb for node in limits.nodes if homes & set(node.partitions)]
        if kind.mem_mb is None and sizes:
            yield {"name": kind.name, "mem_mb": min(sizes)}


def _paths(content: dict[str, Any]) -> Iterator[str]:
    for block, value in content.items():
        if block == "scheduler":
            yield from (f"scheduler.{key}" for key in value)
        elif block in _SHOWN:
            yield from (
                f"{block}.{one['name']}.{key}" for one in value for key in one if key != "name"
            )


def walltime(seconds: int | None) -> str | None:
    """Return seconds as `[D-]HH:MM:SS`."""
    if seconds is None:
        return None
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return (
        f"{days}-{hours:02}:{minutes:02}:{rest:02}"
        if days
        else f"{hours:02}:{minutes:02}:{rest:02}"
    )


def changes(before: Cluster, after: Cluster) -> list[Change]:
    """Return what differs between two profiles, among the values that a reading may change."""
    old, new = leaves(before), leaves(after)
    news = {path.removesuffix("name") for path in {*new} - {*old} if path.endswith(".name")}
    return [
        Change(path, old.get(path), new.get(path))
        for path in sorted({*old, *new})
        if path.startswith(_SHOWN)
        and not path.endswith(_HIDDEN)
        and _differ(old.get(path), new.get(path))
        and (path.endswith(".name") or not path.startswith(tuple(news)))
    ]


def _differ(old: Any, new: Any) -> bool:
    nothing = (None, (), "", False)
    if isinstance(old, tuple) and isinstance(new, tuple):
        return set(old) != set(new)
    return old != new and not (old in nothing and new in nothing)


def node_name() -> str:
    """Return the name of this machine, for the record."""
    return os.uname().nodename


def write_reading(name: str, content: dict[str, Any]) -> None:
    """Write this person's limits of a cluster, whole or not at all."""
    path = limits_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "# Written by `forgia cluster refresh`. Remove it to go back to the limits that were shipped.\n"
    write_text(path, head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))
