"""Every check on an sbatch script that somebody wrote by hand, against one cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from forgia_hpc.config.places import place_problems
from forgia_hpc.config.program import LONG_S, LOUD, ONLINE
from forgia_hpc.config.secret_words import in_text
from forgia_hpc.config.secrets import untold
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.slurm.choice import against_profile
from forgia_hpc.slurm.foreign import (
    Foreign,
    asked_by,
    body_problems,
    header_problems,
    names_gpus,
    read_script,
)
from forgia_hpc.slurm.foreign_values import line_problems, value_problems, value_warnings
from forgia_hpc.slurm.profile import Cluster

_ITS_WORDS = {  # what a script calls our fields
    "resources.walltime": "--time",
    "resources.nodes": "--nodes",
    "resources.partition": "--partition",
    "resources.qos": "--qos",
    "resources.account": "--account",
    "resources.mem_gb": "--mem",
    "resources.gpus_per_node": "GPUs",
    "resources.cpus_per_rank": "cores",
}


def check_script(path: Path, cluster: Cluster | None) -> tuple[list[Problem], list[Problem]]:
    """Return what is wrong and what is unwise in a script; without a cluster only what holds everywhere.

    Raises:
        InputError: the file can't be read as text.
    """
    try:
        script, text = read_script(path), path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Problem(field="script", got=str(path), limit=str(error))) from error
    wrong = [
        *line_problems(path.name, text),
        *header_problems(script),
        *value_problems(script),
        *body_problems(script),
        *_secrets(path.name, text),
    ]
    if cluster is not None:
        wrong += _on(script, cluster)
    return [untold(one) for one in wrong], [*value_warnings(script), *_unwise(script)]


def _on(script: Foreign, cluster: Cluster) -> list[Problem]:
    """What the limits, the network and the storage of a cluster have against it."""
    where = f"slurm/clusters/{cluster.name}.yaml"
    options, asked = script.options, asked_by(script)
    found = [
        one.problem
        for one in against_profile(asked, cluster)
        if not (one.problem.field == "resources.walltime" and "time" not in options)
        and not (one.problem.field == "resources.partition" and asked.partition is None)
    ]
    found = _in_its_words(found)
    node = cluster.node_of(asked.partition)
    partition = cluster.partition(asked.partition or cluster.default_partition or "")
    if node and asked.cpus > node.cpus:
        limit = f"{asked.cpus} cores a node are asked for, a node has {node.cpus}"
        found.append(Problem(field="#SBATCH", got="--cpus-per-task", limit=limit, where=where))
    if node and node.mem_mb and asked.mem_mb and asked.mem_mb > node.mem_mb:
        limit = f"a node has {node.mem_mb} MB"
        found.append(
            Problem(field="#SBATCH", got=f"--mem={options['mem']}", limit=limit, where=where)
        )
    if node and asked.gpus > node.gpus:
        limit = f"a node has {node.gpus} GPUs"
        got = f"{asked.gpus} GPUs a node"
        found.append(Problem(field="#SBATCH", got=got, limit=limit, where=where))
    if cluster.scheduler.account_required and "account" not in options:
        limit, fix = "an account is charged on this cluster", "#SBATCH --account=…"
        found.append(
            Problem(field="#SBATCH", got="no --account", limit=limit, where=where, fix=fix)
        )
    if partition and partition.gpus and node and node.gpus and not names_gpus(options):
        limit = f"{partition.name} is a partition of GPUs, and they would idle"
        found.append(
            Problem(field="#SBATCH", got="no GPU", limit=limit, where=where, fix="--gres=gpu:N")
        )
    if not cluster.network.compute_online and not (partition and partition.online):
        found += _online(script, where)
    paths = {
        f"command line {one.number}": word for one in script.commands for word in one.text.split()
    }
    return [
        *found,
        *place_problems({k: v for k, v in paths.items() if v[:1] in "/$"}, cluster, where),
    ]


def _in_its_words(problems: Sequence[Problem]) -> list[Problem]:
    """Name the fields as the script does."""
    told = []
    for one in problems:
        fix = one.fix
        for ours, its in _ITS_WORDS.items():
            fix = fix.replace(f"{ours}=", f"{its}=")
        told.append(replace(one, field=_ITS_WORDS.get(one.field, one.field), fix=fix))
    return told


def _online(script: Foreign, where: str) -> list[Problem]:
    limit, fix = "compute nodes reach no internet", "do it on the login node before"
    return [
        Problem(
            field=f"{script.path.name}:{line.number}", got=what, limit=limit, where=where, fix=fix
        )
        for line in script.commands
        for what, pattern in ONLINE.items()
        if pattern.search(line.text)
    ]


def _secrets(name: str, text: str) -> list[Problem]:
    """Lines that hold a secret, the header's and comments too; the lines are not told."""
    fix = "keep it in a file that only you can read"
    return [
        Problem(
            field=f"{name}:{number}",
            got="hidden",
            limit=f"{what} stands in the script for others to read",
            fix=fix,
        )
        for number, line in enumerate(text.splitlines(), 1)
        if (what := in_text(line))
    ]


def _unwise(script: Foreign) -> list[Problem]:
    """What works, but wastes hours or clashes."""
    found, long = [], asked_by(script).seconds > LONG_S
    for line in script.commands:
        here = f"{script.path.name}:{line.number}"
        for name, levels in LOUD.items():
            if long and any(f"{name}={level}" in line.text for level in levels):
                limit = "debug logging slows a long run and fills the disk"
                found.append(Problem(field=here, got=name, limit=limit, fix=f"leave {name} out"))
        if "MASTER_PORT=" in line.text and "$" not in line.text.partition("MASTER_PORT=")[2]:
            limit = "a fixed port clashes with another job on a shared node"
            fix = "MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))"
            found.append(Problem(field=here, got="MASTER_PORT", limit=limit, fix=fix))
    return found
