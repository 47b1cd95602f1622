"""How a cluster's profile looks on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from forgia_hpc.cli.cluster_tables import columns, gigabytes, tables
from forgia_hpc.slurm.age import limits_age_days
from forgia_hpc.slurm.evidence import covers, stale_unknowns
from forgia_hpc.slurm.profile import Cluster, Evidence
from forgia_hpc.slurm.refresh import Change

FIELDS = 36  # characters of the column that names the values of a source


def overview(clusters: Sequence[Cluster], here: str | None) -> Table:
    """Return the table of `cluster list`: only the machine's name wraps, where a terminal is narrow."""
    table = columns("cluster", "machine", "node", "GPU", "verified", "limits")
    for column in table.columns:
        column.no_wrap = column.header != "machine"
    for entry in clusters:
        node = entry.node
        size = f"{node.cpus} CPUs {gigabytes(node.mem_mb)}" if node else ""
        gpus = f"{node.gpus} x {_model(node.gpu_model)}" if node and node.gpus else ""
        mark = "here" if entry.name == here else "" if entry.enabled else "disabled"
        age = limits_age_days(entry) if entry.slurm and entry.enabled else None
        told = ", ".join(part for part in ("" if age is None else f"{age} d", mark) if part)
        style = "green" if mark == "here" else "dim" if mark else ""
        # the columns say what stands in brackets, and nobody looks for the town
        machine = ",".join(entry.title.partition(" (")[0].split(",")[:2])
        row = (entry.name, machine, size, gpus, entry.verified_on, told)
        table.add_row(*row, style=style)
    return table


def _model(name: str | None) -> str:
    """Return a GPU's model without its maker's name."""
    return (name or "?").removeprefix("NVIDIA ").removeprefix("AMD ")


def blocks(entry: Cluster, *, sources: bool = False) -> Iterator[Any]:
    """Yield the parts of `cluster show`: each block, its sources where they are asked for, then the gaps."""
    yield Text(f"{entry.name}  {entry.title}", style="bold")
    if not entry.enabled:
        yield Text(f"disabled: {entry.disabled_because}", style="yellow")
    read = f"limits read on {entry.limits_as_of}" if entry.limits_as_of else "limits as shipped"
    yield Text(
        f"{entry.site}  {entry.arch}  ranks on {entry.accelerator}  verified {entry.verified_on}, {read}"
    )
    for title, table, paths in tables(entry):
        if table.row_count:
            yield Text(f"\n{title}", style="bold")
            yield table
            if sources:
                yield from _sources(entry, paths)
    closed = stale_unknowns(entry)
    if set(entry.unknown) - set(closed):
        gaps = columns("not established", "assumed instead")
        for path, assumed in entry.unknown.items():
            if path not in closed:  # a refresh or a probe may have filled it
                gaps.add_row(path, assumed)
        yield Text("\nGaps", style="bold")
        yield gaps
    for line in entry.notes:
        yield Text(f"* {line}")


def changed(found: Sequence[Change]) -> Table:
    """Return the table of what a refresh changed."""
    table = columns("value", "was", "is")
    for one in found:
        table.add_row(one.path.removesuffix(".name"), _value(one.old), _value(one.new))
    return table


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return " ".join(map(str, value)) or "none"
    return "-" if value is None else str(value)


def _sources(entry: Cluster, paths: tuple[str, ...]) -> Iterator[Any]:
    """Yield where a block's values come from: the values in one column, their source beside it."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0), style="dim")
    table.add_column(min_width=12, max_width=FIELDS, overflow="fold")
    table.add_column(overflow="fold")
    for one in entry.evidence:
        mine = [field for field in one.fields if any(covers(path, field) for path in paths)]
        if mine:
            table.add_row(", ".join(mine), _cited(one))
    for qos in entry.qos if "qos" in paths else ():
        table.add_row(qos.name, f"{qos.source} ({qos.as_of})")
    if table.row_count:
        yield Padding(table, (0, 0, 0, 2))


def _cited(one: Evidence) -> str:
    doubt = "" if one.confidence == "high" else f", {one.confidence} confidence"
    return f"{one.source} ({one.as_of}{doubt})" + (f"; {one.note}" if one.note else "")
