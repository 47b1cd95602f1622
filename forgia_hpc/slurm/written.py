"""The limits of a profile in Slurm's terms, so that one judge serves a profile and a live Slurm."""

from __future__ import annotations

from forgia_hpc.schema.resources import parse_walltime
from forgia_hpc.slurm.asked import Asked
from forgia_hpc.slurm.caps import Bound, Holder, bounds_of
from forgia_hpc.slurm.limits import Limits, PartitionLimits, QosLimits
from forgia_hpc.slurm.offer import Partition, Qos
from forgia_hpc.slurm.profile import Cluster

MANY = 10**9  # a profile does not say how many nodes a partition has


def limits_of_profile(cluster: Cluster, nodes: int) -> Limits:
    """Return the limits that the profile gives a job of so many nodes. What it doesn't know is no limit."""
    return Limits(
        version=cluster.scheduler.version or "",
        name=cluster.name,
        enforce_part_limits=cluster.scheduler.enforce_part_limits or "NO",
        enforce=("limits", "qos"),
        max_array_size=cluster.scheduler.max_array_size,
        job_requeue=cluster.scheduler.resubmit == "requeue",
        min_job_age_s=0,
        partitions={
            p.name: _partition(p, cluster, nodes) for p in cluster.partitions if not p.gone
        },
        qos={q.name: _qos(q) for q in cluster.qos if not q.gone},
    )


def _partition(partition: Partition, cluster: Cluster, nodes: int) -> PartitionLimits:
    return PartitionLimits(
        name=partition.name,
        default=partition.name == cluster.default_partition,
        max_time_s=longest(partition, nodes),
        min_nodes=partition.min_nodes or 0,
        max_nodes=partition.max_nodes,
        exclusive=partition.exclusive,
        allow_qos=partition.qos or None,
        total_nodes=MANY,
        total_cpus=MANY,
    )


def longest(partition: Partition, nodes: int) -> int | None:
    """Return the longest walltime of so many nodes, in seconds. On Frontier it grows with them."""
    bins = sorted(partition.walltime_bins, key=lambda entry: entry.nodes)
    text = next((entry.max_time for entry in bins if nodes <= entry.nodes), partition.max_time)
    return parse_walltime(text) if text else None


def _qos(qos: Qos) -> QosLimits:
    """Return what is certain of a QOS; a doubtful limit warns, it does not refuse."""
    most = {
        "node": qos.max_nodes_per_user,
        "gres/gpu": qos.max_gpus_per_user,
        "cpu": qos.max_cpus_per_user,
    }
    each = {name: limit for name, limit in most.items() if limit is not None}
    flags = ("PartitionMaxNodes",) if qos.max_nodes else ()
    return QosLimits(
        name=qos.name,
        priority=qos.priority or 0,
        flags=(*flags, "PartitionTimeLimit") if qos.exceeds_partition else flags,
        max_wall_s=parse_walltime(qos.max_time) if qos.max_time else None,
        max_tres_per_job={"node": qos.max_nodes} if qos.max_nodes else {},
        min_tres_per_job={"node": qos.min_nodes} if qos.min_nodes and qos.strict else {},
        max_tres_per_user=each if qos.scope == "user" else {},
        max_tres_per_account=each if qos.scope == "account" else {},
        max_jobs_per_user=qos.max_jobs_per_user,
        max_submit_per_user=qos.max_submit_per_user,
    )


def holders_of_profile(cluster: Cluster, asked: Asked) -> tuple[Holder, ...]:
    """Return the QOS of the request with the limits that the profile gives it."""
    qos = cluster.qos_named(asked.qos or "")
    if qos is None:
        return ()
    hours = qos.max_node_hours
    minutes = {"MaxTRESMinsPJ/node": Bound(int(hours * 60))} if hours else {}
    return (Holder(name=qos.name, scope="QOS", bounds=bounds_of(_qos(qos)) | minutes),)
