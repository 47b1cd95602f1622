"""Which values of a profile have a source and a date, and which gaps are owned up to.

A path is dotted, an entry of a list by its name: `partitions.boost_usr_prod.max_time`, `storage.WORK.purge_days`.
A path in `evidence:` or `unknown:` covers all below it, and `*` stands for one part.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from forgia_hpc.slurm.offer import Node, Partition, Qos
from forgia_hpc.slurm.profile import Cluster, Evidence
from forgia_hpc.slurm.site import Area

# Choices of ours, and what describes the profile itself: nobody's facts.
CHOICES = (
    "name",
    "title",
    "site",
    "enabled",
    "disabled_because",
    "slurm",
    "verified_on",
    "sources",
    "evidence",
    "unknown",
    "limits_as_of",
    "facts",
    "default_partition",
    "ranks_per_node",
    "roots",
    "notes",
    "health",
    "detect.yields_to",
    "scheduler.slurm_conf",
    "scheduler.extra",
    "scheduler.wckey",
    "scheduler.export_srun_cpus",
    "software.launch",
    "software.init",
    "software.modules",
    "software.mpi",
    "env.offline",
    "env.debug",
    "accounting.source",
    "*.*.name",
    "*.*.note",
    "*.*.gone",
    "partitions.*.node_type",
    "qos.*.debug",
    "qos.*.strict",
    "storage.*.var",
    "storage.*.role",
    "storage.*.scope",
)
# A default here would be taken for a fact, so these are sourced even where they equal it.
STATED = (
    "arch",
    "accelerator",
    "scheduler.gpu_syntax",
    "scheduler.mem_policy",
    "scheduler.account_required",
)
# What a submission relies on: a null here is told in `unknown`, with what is assumed instead.
EXPECTED = (
    "country",
    "scheduler.version",
    "scheduler.resubmit",
    "scheduler.max_array_size",
    "scheduler.max_submit",
    "scheduler.mail",
    "scheduler.enforce_part_limits",
    "partitions.*.max_time",
    "partitions.*.default_time",
    "partitions.*.max_nodes",
    "node_types.*.mem_mb",
    "node_types.*.gpu_model",
    "node_types.*.gpu_mem_gb",
    "node_types.*.cpus_per_gpu",
    "node_types.*.mem_mb_per_gpu",
    "node_types.*.numa_nodes",
    "node_types.*.local_tmp_gb",
    "topology.group_size",
    "topology.nics",
    "topology.ifname",
    "accounting.formula",
    "accounting.balance_cmd",
    "accounting.account_pattern",
    "network.compute_online",
    "network.login_online",
    "software.driver",
    "software.max_cuda",
    "software.container.runtime",
    "storage",
    "detect.hostname",
)
_NOTHING: tuple[Any, ...] = (None, "", (), {})
_OF_GPUS = ("gpu_model", "gpu_mem_gb", "cpus_per_gpu", "mem_mb_per_gpu")


def leaves(cluster: Cluster) -> dict[str, Any]:
    """Return every value of a profile by its path."""
    return dict(_leaves(cluster, ""))


def _leaves(value: Any, at: str) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(value):
        for entry in dataclasses.fields(value):
            yield from _leaves(getattr(value, entry.name), _join(at, entry.name))
    elif isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, _join(at, key))
    elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        for i, inner in enumerate(value):
            yield from _leaves(inner, _join(at, _named(inner, i)))
    else:
        yield at, value


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def _named(entry: Any, number: int) -> str:
    if getattr(entry, "name", None) == "":
        return "unnamed"  # the partition of a job that names none
    name = (
        getattr(entry, "name", None) or getattr(entry, "var", None) or getattr(entry, "path", None)
    )
    return str(name or number).lstrip("$").replace(".", "_")


def covers(pattern: str, path: str) -> bool:
    """Whether a path of `evidence:` or `unknown:` covers this value."""
    wanted, parts = pattern.split("."), path.split(".")
    return len(wanted) <= len(parts) and all(map(fnmatchcase, parts, wanted))


def source_of(cluster: Cluster, path: str) -> Evidence | None:
    """Return where a value comes from: the most exact entry of `evidence:`, else the QOS's own."""
    found = _most_exact(cluster, path)
    if found:
        return found[1]
    block, _, rest = path.partition(".")
    qos = cluster.qos_named(rest.rpartition(".")[0]) if block == "qos" else None
    if qos and qos.source and qos.as_of:
        return Evidence(fields=(path,), source=qos.source, as_of=qos.as_of)
    return None


def _most_exact(cluster: Cluster, path: str) -> tuple[int, Evidence] | None:
    """Return the entry whose path says most, the last of equals: a reading stands below what it overwrites."""
    found = [
        (pattern.count("."), entry)
        for entry in cluster.evidence
        for pattern in entry.fields
        if covers(pattern, path)
    ]
    return max(reversed(found), key=lambda one: one[0], default=None)


def unsourced(cluster: Cluster) -> list[str]:
    """Return the values that are facts and have no source."""
    return [
        path
        for path, value in leaves(cluster).items()
        if _is_fact(path, value)
        and not any(covers(pattern, path) for pattern in (*CHOICES, *cluster.unknown))
        and source_of(cluster, path) is None
    ]


def _is_fact(path: str, value: Any) -> bool:
    if path in STATED:
        return True
    return value not in (*_NOTHING, 0, _DEFAULTS.get(_shape(path)))


def _shape(path: str) -> str:
    """Return a path with the name of a list's entry taken out."""
    block, *rest = path.split(".")
    return f"{block}.*.{rest[-1]}" if block in _LISTS and len(rest) > 1 else path


def silent_gaps(cluster: Cluster) -> list[str]:
    """Return the nulls that a submission meets and `unknown:` does not own up to."""
    if not cluster.slurm or not cluster.enabled:
        return []
    return [
        path
        for path, value in leaves(cluster).items()
        if value in _NOTHING
        and any(covers(one, path) and one.count(".") == path.count(".") for one in EXPECTED)
        and not _without_gpus(cluster, path)
        and not any(covers(pattern, path) for pattern in cluster.unknown)
    ]


def stale_unknowns(cluster: Cluster) -> list[str]:
    """Return the paths of `unknown:` where nothing is missing: each value has a source at least as exact."""
    return [
        pattern
        for pattern in cluster.unknown
        if not any(_is_open(cluster, pattern, *leaf) for leaf in leaves(cluster).items())
    ]


def _is_open(cluster: Cluster, pattern: str, path: str, value: Any) -> bool:
    if not covers(pattern, path):
        return False
    found = _most_exact(cluster, path)
    return value in _NOTHING or found is None or found[0] < pattern.count(".")


def _without_gpus(cluster: Cluster, path: str) -> bool:
    """Whether this gap is of a GPU that the node does not have."""
    if path in ("software.driver", "software.max_cuda"):
        return cluster.accelerator != "cuda"
    block, _, rest = path.partition(".")
    name, _, field = rest.rpartition(".")
    if block != "node_types" or field not in _OF_GPUS:
        return False
    node = next((each for each in cluster.node_types if _named(each, 0) == name), None)
    return node is not None and not node.gpus


_LISTS = {"partitions", "qos", "node_types", "storage", "evidence", "facts"}


def _defaults() -> dict[str, Any]:
    """Return what a silent field says, by shape: equal to it, a value states nothing."""
    plain = leaves(Cluster(name="", title=""))
    for block, kind in (
        ("partitions", Partition),
        ("qos", Qos),
        ("node_types", Node),
        ("storage", Area),
    ):
        plain |= {
            f"{block}.*.{entry.name}": entry.default
            for entry in dataclasses.fields(kind)
            if entry.default is not dataclasses.MISSING
        }
    return plain


_DEFAULTS = _defaults()
