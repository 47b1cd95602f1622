"""The tables of `cluster show`: one a block of the profile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from forgia_hpc.slurm.offer import Partition
from forgia_hpc.slurm.profile import Cluster, Fact


def tables(entry: Cluster) -> Iterator[tuple[str, Table, tuple[str, ...]]]:
    """Yield title, table and paths of every block."""
    yield "Partitions", _partitions(entry), ("partitions",)
    yield "QOS", _qos(entry), ("qos",)
    yield "Nodes", _nodes(entry), ("node_types", "topology")
    yield "Scheduler", _scheduler(entry), ("scheduler",)
    yield "Accounting", _accounting(entry), ("accounting",)
    yield "Storage", _storage(entry), ("storage",)
    yield "Network and software", _software(entry), ("network", "software", "env", "detect")
    yield "Established by probing", facts_table(entry.facts), ()


def _partitions(entry: Cluster) -> Table:
    table = columns("partition", "walltime", "default", "nodes", "kind", "QOS", "")
    for one in entry.partitions:
        bins = "; ".join(f"to {each.nodes} nodes {each.max_time}" for each in one.walltime_bins)
        name = (one.name or "(none named)") + (" *" if one.name == entry.default_partition else "")
        kind = one.node_type or ""
        row = (
            name,
            bins or _word(one.max_time),
            _word(one.default_time),
            _range(one.min_nodes, one.max_nodes),
        )
        table.add_row(*row, kind, " ".join(one.qos), _remarks(one), style="red" if one.gone else "")
    return table


def _remarks(one: Partition) -> str:
    marks = {
        "gone": one.gone,
        "whole nodes": one.exclusive,
        "free": one.free,
        "online": one.online,
        "no GPU": not one.gpus,
        f"{one.cpus} CPUs": bool(one.cpus),
    }
    said = ", ".join(mark for mark, holds in marks.items() if holds)
    return "; ".join(part for part in (said, one.note) if part)


def _qos(entry: Cluster) -> Table:
    table = columns("QOS", "walltime", "nodes", "per user", "priority", "")
    for one in entry.qos:
        each = {
            "nodes": one.max_nodes_per_user,
            "GPUs": one.max_gpus_per_user,
            "CPUs": one.max_cpus_per_user,
            "running": one.max_jobs_per_user,
            "queued": one.max_submit_per_user,
        }
        limits = ", ".join(
            f"{amount} {word}" for word, amount in each.items() if amount is not None
        )
        marks = {
            "gone": one.gone,
            "debug": one.debug,
            "doubtful": not one.strict,
            "preemptible": one.preemptible,
            "beyond the partition": one.exceeds_partition,
            "shared by the account": one.scope == "account",
        }
        said = ", ".join(mark for mark, holds in marks.items() if holds)
        row = (
            one.name,
            _word(one.max_time),
            _range(one.min_nodes, one.max_nodes),
            limits,
            _word(one.priority),
        )
        table.add_row(*row, said, style="red" if one.gone else "")
    return table


def _nodes(entry: Cluster) -> Table:
    table = columns("kind", "CPUs", "memory", "GPUs", "a GPU's share", "NUMA", "local disk")
    for one in entry.node_types:
        usable = f" ({one.usable_cpus} usable)" if one.usable_cpus else ""
        gpus = (
            f"{one.gpus} x {_word(one.gpu_model)}, {_word(one.gpu_mem_gb)} GB" if one.gpus else ""
        )
        share = (
            f"{_word(one.cpus_per_gpu)} CPUs, {gigabytes(one.mem_mb_per_gpu)}" if one.gpus else ""
        )
        disk = f"{one.local_tmp_gb} GB" if one.local_tmp_gb else "?"
        row = (
            one.name,
            f"{one.cpus}{usable}",
            gigabytes(one.mem_mb),
            gpus,
            share,
            _word(one.numa_nodes),
            disk,
        )
        table.add_row(*row)
    return table


def _scheduler(entry: Cluster) -> Table:
    one = entry.scheduler
    return _pairs(
        {
            "Slurm": one.version,
            "GPU request": " ".join(part for part in (one.gpu_syntax, one.gpu_type) if part),
            "memory": one.mem_policy,
            "account": "needed" if one.account_required else "not needed",
            "QOS": "needed" if one.qos_required else "not needed",
            "constraint": one.constraint or "none",
            "after a walltime": one.resubmit,
            "beyond limits, sbatch": one.enforce_part_limits,
            "largest array": one.max_array_size,
            "jobs at once": one.max_submit,
        }
    )


def _accounting(entry: Cluster) -> Table:
    one = entry.accounting
    price = f"{one.per_node_hour:g} {one.unit} a node-hour" if one.per_node_hour else None
    rule = " ".join(part for part in (one.formula, f"({one.source})" if one.source else "") if part)
    return _pairs(
        {
            "rule": rule or None,
            "price": price,
            "balance": " ".join(one.balance_cmd) or None,
            "monthly share": "has its own priority" if one.linearised else None,
            "account": one.account_pattern,
        }
    )


def _storage(entry: Cluster) -> Table:
    table = columns("area", "path", "for", "of", "quota", "purged", "backup", "")
    for one in entry.storage:
        quota = f"{one.quota_gb} GB" if one.quota_gb else ""
        purged = f"after {one.purge_days} days" if one.purge_days else ""
        backup = {True: "yes", False: "no", None: "?"}[one.backup]
        rest = "; ".join(
            p for p in ("" if one.on_compute else "not on compute nodes", one.note) if p
        )
        table.add_row(
            _word(one.var), one.path or "", one.role, one.scope, quota, purged, backup, rest
        )
    return table


def _software(entry: Cluster) -> Table:
    reach = {True: "online", False: "offline", None: None}
    box = entry.software.container
    return _pairs(
        {
            "compute nodes": reach[entry.network.compute_online],
            "login nodes": reach[entry.network.login_online],
            "staging partition": entry.network.staging_partition or "none known",
            "data mover": entry.network.data_mover or "none known",
            "ranks started by": entry.software.launch.value,
            "modules": " ".join(entry.software.modules) or "none",
            "driver": entry.software.driver,
            "container": " ".join(p for p in (box.runtime, box.gpu_flag) if p) or None,
            "variables": " ".join(f"{k}={v}" for k, v in entry.variables().items()) or "none",
        }
    )


def facts_table(facts: Sequence[Fact]) -> Table:
    """Return the answers of a probe."""
    table = columns("question", "", "observed", "on")
    colours = {"yes": "green", "no": "yellow", "unclear": "dim"}
    for one in facts:
        table.add_row(one.question, Text(one.holds, colours[one.holds]), one.observed, one.as_of)
    return table


def columns(*names: str) -> Table:
    """Return an empty table."""
    return Table(*names, box=None, pad_edge=False)


def _pairs(rows: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for key, value in rows.items():
        table.add_row(key, _word(value))
    return table


def _word(value: Any) -> str:
    return "?" if value is None else str(value)


def _range(least: int | None, most: int | None) -> str:
    if least and most:
        return f"{least} to {most}"
    return f"from {least}" if least else f"to {most}" if most else "?"


def gigabytes(mem_mb: int | None) -> str:
    """Return Slurm's MB as people say them."""
    return f"{mem_mb / 1024:.0f} GB" if mem_mb else "? GB"
