"""Partition and QOS for a request that leaves them open: the least special that takes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from forgia_hpc.schema.job import Launch
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.asked import Asked, asked_of
from forgia_hpc.slurm.caps import caps
from forgia_hpc.slurm.finding import Finding, Measure
from forgia_hpc.slurm.obstacles import obstacles
from forgia_hpc.slurm.offer import Partition
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.written import holders_of_profile, limits_of_profile


def choose(resources: Resources, cluster: Cluster) -> tuple[Resources, str]:
    """Return the resources with partition and QOS, and one line that says what was chosen and why.

    Nothing is said, and only the default partition filled in, where that takes the job. Where nothing fits the
    same is returned, and the checks say what is wrong. A debug QOS is never chosen: `--debug` asks for it.
    """
    plain = dataclasses.replace(
        resources, partition=resources.partition or cluster.default_partition
    )
    if not cluster.slurm:
        return plain, ""
    needs_qos = cluster.scheduler.qos_required and plain.qos is None
    against = [] if needs_qos else against_profile(asked_of(plain, cluster, Launch.srun), cluster)
    if not needs_qos and (not against or not _by_size(against)):
        return plain, ""
    for partition, qos in _candidates(resources, cluster):
        named = partition.name or None  # "": a site where one names none
        tried = dataclasses.replace(plain, partition=named, qos=qos)
        if not against_profile(asked_of(tried, cluster, Launch.srun), cluster):
            return tried, _said(resources, tried, plain, against)
    return plain, ""


def _by_size(found: list[Finding]) -> bool:
    """Whether another partition or QOS could help: the job is too wide or too long, not misspelt."""
    return {one.problem.field for one in found} <= {"resources.nodes", "resources.walltime"}


def against_profile(asked: Asked, cluster: Cluster) -> list[Finding]:
    """Return what the profile's limits have against a request."""
    return obstacles(asked, measure_of_profile(asked, cluster))


def measure_of_profile(asked: Asked, cluster: Cluster) -> Measure:
    """Return what a request is held against where Slurm can't be asked."""
    return Measure(
        limits=limits_of_profile(cluster, asked.nodes),
        caps=tuple(caps(asked, holders_of_profile(cluster, asked), strict=False)),
        where=f"slurm/clusters/{cluster.name}.yaml",
    )


def _candidates(resources: Resources, cluster: Cluster) -> Iterator[tuple[Partition, str | None]]:
    """Yield partitions and QOS from the ordinary to the special: the order of the profile, its default first."""
    known = [p for p in cluster.partitions if not p.gone and p.name in _open(resources, cluster)]
    for partition in sorted(known, key=lambda p: p.name != cluster.default_partition):
        if resources.qos is not None or (not partition.qos and not cluster.scheduler.qos_required):
            yield partition, resources.qos
            continue
        if not cluster.scheduler.qos_required:
            yield partition, None
        for name in partition.qos:
            qos = cluster.qos_named(name)
            if qos and not qos.debug and not qos.preemptible and not qos.gone:
                yield partition, name


def _open(resources: Resources, cluster: Cluster) -> set[str]:
    """Return the partitions that may be chosen: the one asked for, else those with the default's nodes."""
    if resources.partition:
        return {resources.partition}
    default = cluster.partition(cluster.default_partition or "")
    if default is None:
        return set()
    kind = cluster.node_of(default.name)
    return {
        p.name
        for p in cluster.partitions
        if cluster.node_of(p.name) == kind and p.gpus == default.gpus and not p.free
    }


def _said(asked: Resources, chosen: Resources, plain: Resources, against: list[Finding]) -> str:
    """Return `resources.qos=boost_qos_bprod chosen: 80 nodes need it`."""
    new = [
        f"resources.{name}={getattr(chosen, name)}"
        for name in ("partition", "qos")
        if getattr(chosen, name) not in (getattr(asked, name), getattr(plain, name))
    ]
    if not new:
        return ""
    fields = {one.problem.field for one in against}
    why = [f"{asked.nodes} nodes"] if "resources.nodes" in fields else []
    why += [f"{asked.walltime}"] if "resources.walltime" in fields else []
    needs = f"{' and '.join(why)} need{'' if 'nodes' in ' '.join(why) else 's'} it"
    return f"{' '.join(new)} chosen: {needs if why else 'a QOS is required here'}"
