"""The launch modes: one argument list each, made of the sealed job and the sealed profile."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.container import sealed_container
from forgia_hpc.schema.job import Launch

_PER_RANK = ("--gpu-bind", "--cpu-bind=mask", "--gpus-per-task", "--ntasks-per-gpu")


def rank_argv(run: RunDir, job: Mapping[str, Any], module: str = "entry") -> list[str]:
    """Return the command of one rank, or of another of our modules for the node, in its container."""
    container = sealed_container(job)
    own = ["-m", f"forgia_hpc.node.{module}", str(run.path)]
    if container is None or container.program_only:
        return [sys.executable, *own]
    return container.wrap([container.python, *own], cwd=run.path)


def rank_variables(launch: Launch, job: Mapping[str, Any]) -> dict[str, str]:
    """Return what the ranks must know of the launch, beside what all modes share."""
    mixed = launch in (Launch.mpirun, Launch.torchrun)  # their ranks share one output
    suffix = job["cluster"]["env"]["master_addr_suffix"]
    return {
        **({"FORGIA_OWN_LOG": "1"} if mixed else {}),
        **({"FORGIA_MASTER_ADDR_SUFFIX": suffix} if suffix else {}),
    }


def srun_argv(run: RunDir, job: Mapping[str, Any]) -> list[str]:
    """One rank a GPU (or a share of the cores) under srun."""
    mpi = job["cluster"]["software"]["mpi"] or "none"
    return _ranks_under_srun(run, job, [f"--mpi={mpi}"])


def srun_mpi_argv(run: RunDir, job: Mapping[str, Any]) -> list[str]:
    """The same, and srun wires the ranks for MPI; without a word in the profile by the site's default."""
    mpi = job["cluster"]["software"]["mpi"]
    return _ranks_under_srun(run, job, [f"--mpi={mpi}"] if mpi else [])


def torchrun_argv(run: RunDir, job: Mapping[str, Any]) -> list[str]:
    """One torch.distributed.run a node; `torchrun` on PATH may be a module's other interpreter."""
    here = rank_argv(run, job, "torchrun")
    if not job["slurm"]:
        return here
    resources = job["resources"]
    cpus = resources["ranks_per_node"] * resources["cpus_per_rank"]
    # the one task of a node holds its ranks: what binds a task to one GPU would take the others from them
    own = [word for word in job["srun_args"] if not word.startswith(_PER_RANK)]
    return [*_srun(job, 1, cpus), "--mpi=none", *own, *here]


def mpirun_argv(run: RunDir, job: Mapping[str, Any]) -> list[str]:
    """MPI ranks under Open MPI's own launcher, which reads the allocation from Slurm."""
    resources = job["resources"]
    per_node, cpus = resources["ranks_per_node"], resources["cpus_per_rank"]
    return [
        "mpirun",
        *("-np", str(resources["nodes"] * per_node)),
        *("--map-by", f"ppr:{per_node}:node:pe={cpus}"),
        *("--bind-to", "core" if job["slurm"] else "none"),
        *rank_argv(run, job),
    ]


ARGV = {
    Launch.srun: srun_argv,
    Launch.srun_mpi: srun_mpi_argv,
    Launch.torchrun: torchrun_argv,
    Launch.mpirun: mpirun_argv,
}


def _ranks_under_srun(run: RunDir, job: Mapping[str, Any], mpi: list[str]) -> list[str]:
    resources = job["resources"]
    return [
        *_srun(job, resources["ranks_per_node"], resources["cpus_per_rank"]),
        *mpi,
        f"--output={str(run.logs).replace('%', '%%')}/rank-%t.log",
        "--open-mode=append",
        *job["srun_args"],
        *_masks(job),
        *rank_argv(run, job),
    ]


def _srun(job: Mapping[str, Any], tasks: int, cpus: int) -> list[str]:
    nodes = job["resources"]["nodes"]
    return [
        "srun",
        "--kill-on-bad-exit=1",
        f"--wait={30 + int(job.get('save_s', 0))}",
        "--unbuffered",
        # the shell of an allocation may be a step itself, and hold all that the ranks need
        *(["--overlap"] if "FORGIA_ALLOCATION" in os.environ else []),
        f"--nodes={nodes}",
        # both: SLURM_NTASKS of the allocation would override the second alone
        f"--ntasks={nodes * tasks}",
        f"--ntasks-per-node={tasks}",
        f"--cpus-per-task={cpus}",
    ]


def _masks(job: Mapping[str, Any]) -> list[str]:
    """Return the profile's CPU mask of each rank; masks name cores of a node, so they hold on whole nodes only."""
    cluster, resources = job["cluster"], job["resources"]
    name = resources["partition"] or cluster["default_partition"] or ""
    partition: Mapping[str, Any] = next(
        (one for one in cluster["partitions"] if one["name"] == name), {}
    )
    kinds = cluster["node_types"]
    node = next((one for one in kinds if one["name"] == partition.get("node_type")), None)
    node = node or (kinds[0] if kinds else {})
    masks = node.get("cpu_bind") or []
    whole = partition.get("exclusive") or cluster["scheduler"]["mem_policy"] == "whole_node"
    fits = whole and resources["ranks_per_node"] == len(masks) == resources["gpus_per_node"]
    return [f"--cpu-bind=mask_cpu:{','.join(masks)}"] if masks and fits else []
