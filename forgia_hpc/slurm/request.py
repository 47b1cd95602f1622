"""From a job and a cluster to what Slurm is asked: a pure value, no Slurm needed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.profile import Cluster

WARNING_S = 60  # --signal; sbatch(1): it may arrive up to 60 s earlier still (seen on 22.05)

# What the batch step may inherit from the shell that submits. Everything else stays behind: an inherited
# SLURM_CPU_BIND once pinned eight ranks to four cores.
INHERITED = ("HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LC_ALL", "TERM", "TZ", "TMPDIR")
INHERITED_PREFIXES = ("FORGIA_",)


@dataclass(frozen=True, kw_only=True)
class SbatchRequest:
    """Everything sbatch is told.

    directives: option without dashes → value; True for a flag.
    setup: shell lines before the batch step, each already quoted.
    argv: the batch step itself; started with `exec`, so that Slurm's warning signal reaches it and not a shell.
    """

    name: str
    folder: Path
    directives: dict[str, str | int | bool]
    setup: tuple[str, ...]
    argv: tuple[str, ...]
    environment: dict[str, str]  # for sbatch and squeue themselves, e.g. SLURM_CONF

    @property
    def command(self) -> str:
        """The last line of the script."""
        return f"exec {shlex.join(self.argv)}"


def gpu_directives(resources: Resources, cluster: Cluster) -> dict[str, str | int | bool]:
    """Return exactly one form of the GPU request, as this cluster wants it."""
    count = resources.gpus_per_node
    if not count or cluster.scheduler.gpu_syntax == "none":
        return {}
    kind = f"{cluster.scheduler.gpu_type}:" if cluster.scheduler.gpu_type else ""
    if cluster.scheduler.gpu_syntax == "gpus_per_node":
        return {"gpus-per-node": f"{kind}{count}"}
    return {"gres": f"gpu:{kind}{count}"}


def directives(
    resources: Resources, cluster: Cluster, *, name: str, run: Path
) -> dict[str, str | int | bool]:
    """Return the sbatch options of a job whose resources are complete."""
    asked: dict[str, str | int | bool | None] = {
        "job-name": name,
        "partition": resources.partition,
        "qos": resources.qos,
        "account": resources.account,
        "time": resources.walltime,
        "nodes": resources.nodes,
        "ntasks-per-node": resources.ranks_per_node,
        "cpus-per-task": resources.cpus_per_rank,
        "mem": f"{resources.mem_gb}G"
        if cluster.scheduler.mem_policy == "required" and resources.mem_gb
        else None,
        "output": str(run / "logs" / "batch.out"),
        "error": str(run / "logs" / "batch.err"),
        "open-mode": "append",
        "signal": f"B:USR1@{WARNING_S}",
        "requeue": True if cluster.scheduler.resubmit == "requeue" else None,
        "chdir": str(run),
    }
    plain = {key: value for key, value in asked.items() if value is not None}
    return {**plain, **gpu_directives(resources, cluster), **cluster.scheduler.extra}


def setup_lines(resources: Resources, cluster: Cluster, *, run: Path) -> tuple[str, ...]:
    """Return the shell lines before the batch step: modules, environment, the seal."""
    exports = {
        **cluster.variables(),
        **cluster.environment(),
        # 22.05 to 23.02: srun stopped inheriting --cpus-per-task, and every rank got one core
        "SRUN_CPUS_PER_TASK": str(resources.cpus_per_rank),
        # without PYTHONSAFEPATH, `python -m` puts the working directory first and runs a checkout
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": str(run / "code"),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    modules = [f"module load {shlex.quote(name)}" for name in cluster.software.modules]
    lines = [f"export {key}={_quoted(value)}" for key, value in sorted(exports.items())]
    return (*cluster.software.init, *modules, *lines)


def sbatch_request(
    resources: Resources,
    cluster: Cluster,
    *,
    run: Path,
    python: str,
    digest: str,
    dependency: str | None = None,
) -> SbatchRequest:
    """Return the whole request for the run directory `run`, started by the interpreter `python`."""
    name = f"forgia-{run.name}"
    # a job whose predecessor failed would wait for ever without the second
    waits = {"dependency": dependency, "kill-on-invalid-dep": "yes"} if dependency else {}
    return SbatchRequest(
        name=name,
        folder=run / "logs",
        directives={**directives(resources, cluster, name=name, run=run), **waits},
        setup=setup_lines(resources, cluster, run=run),
        argv=(python, "-m", "forgia_hpc.node.batch", str(run), "--digest", digest),
        environment=cluster.environment(),
    )


def _quoted(value: str) -> str:
    """Quote for the shell, leaving a site's own $VARIABLES to be expanded on the node."""
    return f'"{value}"' if "$" in value else shlex.quote(value)
