"""Runs inside `salloc`: the nodes are there already, so the batch step starts at once, in the shell's job."""

from __future__ import annotations

import re
from collections.abc import Mapping

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.control import job_facts
from forgia_hpc.slurm.profile import Cluster

# These bind the shell itself; handed on, they once pinned eight ranks to four cores.
_OWN = ("SLURM_CPU_BIND", "SLURM_MEM_BIND", "SLURM_GPU_BIND")


def allocation_of(environ: Mapping[str, str], cluster: Cluster) -> str | None:
    """Return the job whose shell this is; None outside of one, and where the cluster has no Slurm."""
    return environ.get("SLURM_JOB_ID") if cluster.slurm else None


def shape_of(environ: Mapping[str, str], cluster: Cluster) -> dict[str, int | str]:
    """Return the resources of a job that takes the whole allocation.

    Raises:
        SlurmSilentError, SlurmRefusedError: slurmctld does not say how many GPUs it has.
    """
    cpus = cpus_of(environ.get("SLURM_JOB_CPUS_PER_NODE", "")) or [1]
    each, gpus = min(cpus), _gpus_per_node(environ, cluster, len(cpus))
    tasks = environ.get("SLURM_NTASKS_PER_NODE", "")
    told = int(tasks) if tasks.isdecimal() else gpus
    ranks = min(told or cluster.default_ranks_per_node, each)
    found: dict[str, int | str] = {
        "nodes": len(cpus),
        "ranks_per_node": ranks,
        "cpus_per_rank": each // ranks,
    }
    for name, variable in (("partition", "PARTITION"), ("account", "ACCOUNT"), ("qos", "QOS")):
        if value := environ.get(f"SLURM_JOB_{variable}"):
            found[name] = value
    return {**found, "gpus_per_node": gpus}


def _gpus_per_node(environ: Mapping[str, str], cluster: Cluster, nodes: int) -> int:
    """Return the GPUs of a node; the shell of an salloc on a login node does not know them (seen on 22.05)."""
    told = environ.get("SLURM_GPUS_ON_NODE", "")
    if told.isdecimal():
        return int(told)
    return job_facts(environ["SLURM_JOB_ID"], cluster.environment()).gpus // nodes


def check_allocation(resources: Resources, environ: Mapping[str, str]) -> list[Problem]:
    """Return what the allocation is too small for. srun would start all ranks all the same, crowded on a node."""
    cpus = cpus_of(environ.get("SLURM_JOB_CPUS_PER_NODE", ""))
    needed = (resources.ranks_per_node or 1) * (resources.cpus_per_rank or 1)
    if resources.nodes > len(cpus):
        limit, fix = f"this allocation has {len(cpus)}", f"resources.nodes={len(cpus)}"
        return [Problem(field="resources.nodes", got=resources.nodes, limit=limit, fix=fix)]
    if sum(has >= needed for has in cpus) >= resources.nodes:
        return []
    limit = f"{needed} CPUs a node are needed, and this allocation has {', '.join(map(str, cpus))}"
    fix = f"salloc --ntasks-per-node={resources.ranks_per_node} --cpus-per-task={resources.cpus_per_rank}"
    return [Problem(field="resources.ranks_per_node", got=needed, limit=limit, fix=fix)]


def cpus_of(text: str) -> list[int]:
    """Return the CPUs of each node from Slurm's `32(x2),8`."""
    found: list[int] = []
    for count, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", text):
        found += [int(count)] * int(times or 1)
    return found


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what srun needs to know of the allocation, and a word that we are in one.

    Raises:
        InputError: there is none any more.
    """
    if "SLURM_JOB_ID" not in environ:
        limit = "it ran inside an allocation, and this shell is in none"
        raise InputError(
            Problem(field="RUN", got="no SLURM_JOB_ID", limit=limit, fix="salloc first")
        )
    told = {
        name: value
        for name, value in environ.items()
        if name.startswith("SLURM_") and not name.startswith(_OWN)
    }
    return {**told, "FORGIA_ALLOCATION": environ["SLURM_JOB_ID"]}
