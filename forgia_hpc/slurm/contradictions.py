"""What a cluster profile may not say: unknown words, names that lead nowhere, times and dates that are none."""

from __future__ import annotations

import re
from collections.abc import Iterator

from forgia_hpc.errors import Problem
from forgia_hpc.schema.resources import parse_walltime
from forgia_hpc.slurm.profile import Cluster

WORDS = {
    "accelerator": ("cuda", "rocm", "cpu"),
    "arch": ("x86_64", "aarch64"),
    "scheduler.gpu_syntax": ("gres", "gpus", "gpus_per_node", "gpus_per_task", "none"),
    "scheduler.mem_policy": ("required", "forbidden", "whole_node", "site"),
    "scheduler.resubmit": ("requeue", "singleton", "none"),
    "scheduler.enforce_part_limits": ("NO", "ANY", "ALL"),
    "accounting.formula": ("max_share", "node_hours"),
    "software.container.runtime": ("apptainer", "singularity"),
    "software.container.build_where": ("login", "staging", "elsewhere"),
}
ROLES = ("home", "work", "fast", "scratch", "tmp", "archive", "public")
_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")

Fault = tuple[str, object, str]  # field, got, limit


def contradictions(cluster: Cluster, where: str) -> list[Problem]:
    """Return every contradiction in a profile whose keys and types are right."""
    faults = [
        *_words(cluster),
        *_names(cluster),
        *_times(cluster),
        *_dates(cluster),
        *_rest(cluster),
    ]
    return [Problem(field=at, got=got, limit=limit, where=where) for at, got, limit in faults]


def _words(cluster: Cluster) -> Iterator[Fault]:
    for path, known in WORDS.items():
        value: object = cluster
        for part in path.split("."):
            value = getattr(value, part)
        if value is not None and value not in known:
            yield path, value, f"one of {', '.join(known)}"
    for i, area in enumerate(cluster.storage):
        yield from _word(f"storage[{i}].role", area.role, ROLES)
        yield from _word(f"storage[{i}].scope", area.scope, ("user", "project", "node"))
    for i, qos in enumerate(cluster.qos):
        yield from _word(f"qos[{i}].scope", qos.scope, ("user", "account"))
    for i, entry in enumerate(cluster.evidence):
        yield from _word(f"evidence[{i}].confidence", entry.confidence, ("high", "medium", "low"))
    for i, fact in enumerate(cluster.facts):
        yield from _word(f"facts[{i}].holds", fact.holds, ("yes", "no", "unclear"))


def _word(at: str, value: str, known: tuple[str, ...]) -> Iterator[Fault]:
    if value not in known:
        yield at, value, f"one of {', '.join(known)}"


def _names(cluster: Cluster) -> Iterator[Fault]:
    """Names that lead to another block of the profile."""
    partitions = [entry.name for entry in cluster.partitions]
    qos, nodes = [entry.name for entry in cluster.qos], [entry.name for entry in cluster.node_types]
    for block, names in (("partitions", partitions), ("qos", qos), ("node_types", nodes)):
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield block, name, "stands there twice"
    for field, wanted in (
        ("default_partition", cluster.default_partition),
        ("network.staging_partition", cluster.network.staging_partition),
    ):
        if wanted and wanted not in partitions:
            yield field, wanted, f"no such partition here: {', '.join(partitions)}"
    for i, entry in enumerate(cluster.partitions):
        if entry.node_type and entry.node_type not in nodes:
            yield f"partitions[{i}].node_type", entry.node_type, f"one of {', '.join(nodes)}"
        for name in entry.qos:
            if name not in qos:
                yield f"partitions[{i}].qos", name, f"no such QOS here: {', '.join(qos)}"
    if cluster.enabled and cluster.slurm and not cluster.partitions:
        yield "partitions", [], "a Slurm cluster has at least one"


def _times(cluster: Cluster) -> Iterator[Fault]:
    times = [
        (f"{block}[{i}].{key}", getattr(entry, key, None))
        for block, entries in (("partitions", cluster.partitions), ("qos", cluster.qos))
        for i, entry in enumerate(entries)
        for key in ("max_time", "default_time")
    ]
    times += [
        (f"partitions[{i}].walltime_bins[{j}].max_time", bin_.max_time)
        for i, entry in enumerate(cluster.partitions)
        for j, bin_ in enumerate(entry.walltime_bins)
    ]
    for at, value in times:
        if value is not None and parse_walltime(value) is None:
            yield at, value, "a time as [D-]HH:MM:SS is needed"


def _dates(cluster: Cluster) -> Iterator[Fault]:
    dates = [("verified_on", cluster.verified_on), ("limits_as_of", cluster.limits_as_of)]
    dates += [(f"evidence[{i}].as_of", entry.as_of) for i, entry in enumerate(cluster.evidence)]
    dates += [(f"qos[{i}].as_of", entry.as_of) for i, entry in enumerate(cluster.qos)]
    dates += [
        (f"health.exclude[{i}].until", entry.until)
        for i, entry in enumerate(cluster.health.exclude)
    ]
    for at, value in dates:
        if value and not _DATE.fullmatch(value):
            yield at, value, "a date as YYYY, YYYY-MM or YYYY-MM-DD is needed"


def _rest(cluster: Cluster) -> Iterator[Fault]:
    pattern = cluster.accounting.account_pattern
    try:
        re.compile(pattern or "")
    except re.error as error:
        yield "accounting.account_pattern", pattern, f"no regular expression: {error}"
    if not cluster.enabled and not cluster.disabled_because:
        yield "disabled_because", "", "say why, in one sentence"
    for i, entry in enumerate(cluster.partitions):
        nodes = [bin_.nodes for bin_ in entry.walltime_bins]
        if nodes != sorted(set(nodes)):
            yield (
                f"partitions[{i}].walltime_bins",
                nodes,
                "each bin has more nodes than the one before",
            )
        if entry.min_nodes and entry.max_nodes and entry.min_nodes > entry.max_nodes:
            yield f"partitions[{i}].min_nodes", entry.min_nodes, f"max_nodes is {entry.max_nodes}"
    for i, node in enumerate(cluster.node_types):
        if node.usable_cpus and node.usable_cpus > node.cpus:
            yield f"node_types[{i}].usable_cpus", node.usable_cpus, f"the node has {node.cpus}"
        if node.cpu_bind and node.gpus and len(node.cpu_bind) != node.gpus:
            yield f"node_types[{i}].cpu_bind", len(node.cpu_bind), f"one mask a GPU: {node.gpus}"
