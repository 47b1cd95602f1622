"""From a job and a cluster to what Slurm is asked: a pure value, no Slurm needed."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import Launch
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.health import excluded_nodes
from forgia_hpc.slurm.offer import Partition
from forgia_hpc.slurm.profile import Cluster

SBATCH_TIMEOUT_S = 60
KILL_AFTER_S = 5  # for an sbatch that ignores SIGTERM
WARNING_S = 60  # --signal; sbatch(1): it may arrive up to 60 s earlier still (seen on 22.05)

# What the batch step may inherit from the shell that submits. Everything else stays behind: an inherited
# SLURM_CPU_BIND once pinned eight ranks to four cores.
INHERITED = ("HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LC_ALL", "TERM", "TZ", "TMPDIR")
INHERITED_PREFIXES = ("FORGIA_",)

# The caches that fill a home directory, by their place under the profile's roots.caches.
CACHES = {
    "HF_HOME": "huggingface",
    "MPLCONFIGDIR": "matplotlib",
    "PIP_CACHE_DIR": "pip",
    "TORCH_HOME": "torch",
    "TRITON_CACHE_DIR": "triton",
    "XDG_CACHE_HOME": "",
}

# The first line: a SIGUSR1 that comes before Python has its handler ended the job with "FAILED 0:10". What is
# ignored stays so over exec; the batch step then listens (node/watch.py), and its ranks begin with the default.
DEAF = "trap '' USR1"

_SITE_VARIABLE = re.compile(r"(\$[A-Za-z_]\w*|\$\{[A-Za-z_]\w*\})")
_REQUIRED = ':?}"'  # bash ends the script where the variable is not set
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Directives = dict[str, str | int | bool]


@dataclass(frozen=True, kw_only=True)
class SbatchRequest:
    """Everything sbatch is told.

    directives: option without dashes → value; True for a flag.
    setup: shell lines before the batch step, each already quoted.
    argv: the batch step itself; started with `exec`, so that Slurm's warning signal reaches it and not a shell.
    """

    name: str
    folder: Path
    directives: Directives
    setup: tuple[str, ...]
    argv: tuple[str, ...]
    environment: dict[str, str]  # for sbatch and squeue themselves, e.g. SLURM_CONF
    takes_arguments: bool = False  # the words after the script on sbatch's command line

    @property
    def command(self) -> str:
        """The last line of the script."""
        return f"exec {shlex.join(self.argv)}" + (' "$@"' if self.takes_arguments else "")


@dataclass(frozen=True, kw_only=True)
class BatchStep:
    """How the batch step starts: by which interpreter, for which job digest, and how it starts the ranks."""

    python: str
    digest: str
    launch: Launch


def tasks(resources: Resources, launch: Launch) -> tuple[int, int]:
    """Return Slurm's tasks a node and CPUs a task.

    Under torchrun a node has one task. It gets the CPUs of all its ranks: with those of one, four ranks shared
    8 of 32 paid cores.
    """
    ranks, cpus = resources.ranks_per_node or 1, resources.cpus_per_rank or 1
    return (1, ranks * cpus) if launch is Launch.torchrun else (ranks, cpus)


def gpu_directives(resources: Resources, cluster: Cluster, launch: Launch) -> Directives:
    """Return exactly one form of the GPU request, as this cluster wants it."""
    count, syntax = resources.gpus_per_node, cluster.scheduler.gpu_syntax
    if not count or syntax == "none":
        return {}
    kind = f"{cluster.scheduler.gpu_type}:" if cluster.scheduler.gpu_type else ""
    per_task, rest = divmod(count, tasks(resources, launch)[0])
    if syntax == "gpus":
        return {"gpus": f"{kind}{count * resources.nodes}"}
    if syntax == "gpus_per_task" and not rest:
        return {"gpus-per-task": f"{kind}{per_task}"}
    if syntax in ("gpus_per_node", "gpus_per_task"):
        return {"gpus-per-node": f"{kind}{count}"}
    return {"gres": f"gpu:{kind}{count}"}


def memory(resources: Resources, cluster: Cluster) -> str | None:
    """Return --mem: in GiB, 0 for the whole node, or None where the site forbids the option."""
    policy = cluster.scheduler.mem_policy
    if policy == "whole_node":
        return "0"
    return f"{resources.mem_gb}G" if policy == "required" and resources.mem_gb else None


def charged_account(resources: Resources, cluster: Cluster) -> str | None:
    """Return the account as this cluster's Slurm knows it: some sites tell machines apart by its ending."""
    account, suffix = resources.account, cluster.accounting.account_suffix or ""
    return account + suffix if account and not account.endswith(suffix) else account


def directives(
    resources: Resources, cluster: Cluster, *, name: str, run: Path, launch: Launch
) -> Directives:
    """Return the sbatch options of a job whose resources are complete."""
    a_node, cpus = tasks(resources, launch)
    partition = cluster.partition(resources.partition or "") or Partition(name="")
    logs = str(run / "logs").replace("%", "%%")  # sbatch(1): % begins a pattern
    asked: dict[str, str | int | bool | None] = {
        "job-name": name,
        "partition": resources.partition,
        "qos": resources.qos,
        "account": charged_account(resources, cluster),
        "constraint": cluster.scheduler.constraint,
        "wckey": cluster.scheduler.wckey,
        "time": resources.walltime,
        "nodes": resources.nodes,
        "ntasks-per-node": a_node,
        "cpus-per-task": cpus,
        "mem": memory(resources, cluster),
        "exclusive": True if partition.exclusive else None,
        "output": f"{logs}/batch.out",
        "error": f"{logs}/batch.err",
        "open-mode": "append",
        "signal": f"B:USR1@{WARNING_S}",
        "requeue": True if cluster.scheduler.resubmit == "requeue" else None,
        "chdir": str(run),
    }
    plain = {key: value for key, value in asked.items() if value is not None}
    gpus = gpu_directives(resources, cluster, launch)
    kept_off = excluded_nodes(cluster)
    last: Directives = {"exclude": kept_off} if kept_off else {}
    return {**plain, **gpus, **cluster.scheduler.extra, **last}


def exports(resources: Resources, cluster: Cluster, *, run: Path, launch: Launch) -> dict[str, str]:
    """Return what the script exports, by name, quoted for the shell."""
    base = cluster.roots.caches
    caches = {key: f"{base}/{place}".rstrip("/") for key, place in CACHES.items()} if base else {}
    site = {**caches, **cluster.variables()}
    # 22.05 to 23.02: srun stopped inheriting --cpus-per-task, and every rank got one core
    srun = {"SRUN_CPUS_PER_TASK": str(tasks(resources, launch)[1])}
    own = {
        **cluster.environment(),
        **(srun if cluster.scheduler.export_srun_cpus else {}),
        # without PYTHONSAFEPATH, `python -m` puts the working directory first and runs a checkout
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": str(run / "code"),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    quoted = {key: shlex.quote(value) for key, value in own.items()}
    return {**{key: _with_variables(value) for key, value in site.items()}, **quoted}


def setup_lines(exported: dict[str, str], cluster: Cluster) -> tuple[str, ...]:
    """Return the shell lines before the batch step: the site's own, modules, environment."""
    software = cluster.software
    modules = [f"module load {shlex.quote(name)} || exit 2" for name in software.modules]
    conflicts = [_refusal(name) for name in software.module_conflicts]
    own = [*software.init, *modules, *conflicts]
    # The submitter's environment stays behind, and with it the function `module` and the site's variables.
    # A login shell has them from here.
    site = own or any(_REQUIRED in value for value in exported.values())
    lines = [f"export {key}={value}" for key, value in sorted(exported.items())]
    return (*(["source /etc/profile"] if site else []), *own, *lines)


def sbatch_request(
    resources: Resources,
    cluster: Cluster,
    step: BatchStep,
    *,
    run: Path,
    dependency: str | None = None,
) -> SbatchRequest:
    """Return the whole request for the run directory `run`.

    Raises:
        InputError: a value that would end its line, and with it the directives.
    """
    name = f"forgia-{run.name}"
    # a job whose predecessor failed would wait for ever without the second
    waits = {"dependency": dependency, "kill-on-invalid-dep": "yes"} if dependency else {}
    asked = {**directives(resources, cluster, name=name, run=run, launch=step.launch), **waits}
    exported = exports(resources, cluster, run=run, launch=step.launch)
    _refuse_control({**asked, **exported})
    return SbatchRequest(
        name=name,
        folder=run / "logs",
        directives=asked,
        setup=(DEAF, *setup_lines(exported, cluster)),
        argv=(step.python, "-m", "forgia_hpc.node.batch", str(run), "--digest", step.digest),
        environment=cluster.environment(),
    )


def _refuse_control(values: Directives) -> None:
    problems = [
        Problem(field=key, got=value, limit="no line breaks and other control characters")
        for key, value in values.items()
        if isinstance(value, str) and _CONTROL.search(value)
    ]
    if problems:
        raise InputError(problems)


def _refusal(module: str) -> str:
    """Return the line that ends the job where a module is loaded that shadows ours, e.g. another torch."""
    words = shlex.quote(f"forgia: module {module} is loaded, and must not be")
    pattern = f"*:{shlex.quote(module)}[:/]*"
    return f'case ":${{LOADEDMODULES:-}}:" in {pattern}) echo {words} >&2; exit 2;; esac'


def _with_variables(value: str) -> str:
    """Quote for the shell; a site's own $VARIABLE is expanded on the node, and must be set there."""
    parts = _SITE_VARIABLE.split(value)  # text, $NAME, text, $NAME, …, text
    quoted = [
        '"${' + part.strip("${}") + _REQUIRED if number % 2 else shlex.quote(part)
        for number, part in enumerate(parts)
        if part
    ]
    return "".join(quoted) or "''"
