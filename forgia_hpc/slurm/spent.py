"""The energy of a run by the best source that there is: plugin, counters, model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from forgia_hpc.runtime.energy import Energy, by_counters, by_model, by_plugin
from forgia_hpc.slurm.own_record import Job
from forgia_hpc.slurm.usage import Allocation


def energy(job: Job, rows: Sequence[Allocation]) -> Energy:
    """Return the energy by the best source that there is: plugin, counters, model."""
    if rows and all(row.energy_j for row in rows):
        return by_plugin(sum(row.energy_j or 0.0 for row in rows), shared=_shared(job, rows))
    measured: dict[str, float] = {}
    for event in job.run.events("energy"):
        for name, joules in event.facts.get("joules", {}).items():
            measured[name] = measured.get(name, 0.0) + joules
    without = {name[:3] for name, joules in measured.items() if joules > 0}
    modelled = _modelled(job, rows, without)
    if without:
        nodes = max((row.shape.nodes for row in rows), default=1)
        return by_counters(measured, modelled, nodes=nodes)
    return modelled


def _modelled(job: Job, rows: Sequence[Allocation], without: set[str]) -> Energy:
    """Return the model's energy of all attempts, without the parts that were measured."""
    node, whole = job.cluster.node_of(job.resources.partition), None
    for row in rows:
        held = row.shape
        one = by_model(
            gpus=held.gpus * held.nodes if job.cluster.accelerator != "cpu" and "gpu" not in without else 0.0,
            gpu_model=node.gpu_model if node else None,
            cores=0.0 if "cpu" in without else held.cpus * held.nodes,
            mem_gb=held.mem_mb * held.nodes / 1024,
            seconds=row.elapsed_s,
        )  # fmt: skip
        whole = one if whole is None else replace(
            one, kwh=whole.kwh + one.kwh, low_kwh=whole.low_kwh + one.low_kwh,
            high_kwh=whole.high_kwh + one.high_kwh,
        )  # fmt: skip
    nothing = Energy(kwh=0.0, low_kwh=0.0, high_kwh=0.0, source="none", note="nothing has run")
    return whole or nothing


def _shared(job: Job, rows: Sequence[Allocation]) -> bool:
    node = job.cluster.node_of(job.resources.partition)
    return node is None or any(row.shape.cpus < (node.usable_cpus or node.cpus) for row in rows)
