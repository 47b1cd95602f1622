"""What a user's own program would do wrong on this cluster, as far as its command line shows."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import PARTING_S, CommandJob, Job, Launch
from forgia_hpc.slurm.profile import Cluster

LONG_S = 3600  # a run of more than an hour is no search for a fault
ONLINE = {
    "pip install": re.compile(r"\bpip3?\s+install\b|-m\s+pip\s+install\b"),
    "conda install": re.compile(r"\b(conda|mamba)\s+(install|create)\b"),
    "git clone": re.compile(r"\bgit\s+(clone|pull|fetch)\b"),
    "a download": re.compile(r"\b(wget|curl)\b|\b(huggingface-cli|hf)\s+download\b"),
}
ONLINE_VARIABLES = {
    "WANDB_MODE": "online",
    "HF_HUB_OFFLINE": "0",
    "HF_DATASETS_OFFLINE": "0",
    "TRANSFORMERS_OFFLINE": "0",
}
LOUD = {
    "NCCL_DEBUG": ("INFO", "TRACE"),
    "TORCH_DISTRIBUTED_DEBUG": ("DETAIL",),
    "TORCH_CPP_LOG_LEVEL": ("INFO",),
}
LOCAL_TRAINERS = re.compile(r"(^|/)(torchrun|torch\.distributed\.run|accelerate|deepspeed)$")
_PORT = re.compile(r"--(?:master|rdzv|main_process)[-_](?:port|endpoint)(?:=|\s+)(\S*\d{2,5})")
_PER_NODE = re.compile(r"--(?:nproc[-_]per[-_]node|num_processes|num_gpus)(?:=|\s+)(\d+)")


def network_problems(job: Job, cluster: Cluster, where: str) -> list[Problem]:
    """The network is needed where compute nodes have none; not established counts as none."""
    partition = cluster.partition(job.resources.partition or "")
    online = cluster.network.compute_online or (partition is not None and partition.online)
    if not isinstance(job, CommandJob) or not cluster.slurm or online:
        return []
    staging = cluster.network.staging_partition
    fix = "do it on the login node before" + (
        f", or in resources.partition={staging}" if staging else ""
    )
    line = " ".join(job.command.argv)
    found = [("command.argv", what) for what, pattern in ONLINE.items() if pattern.search(line)]
    found += [
        (f"command.env.{name}", f"{name}={value}")
        for name, value in ONLINE_VARIABLES.items()
        if job.command.env.get(name, "").lower() == value
    ]
    limit = f"compute nodes of {cluster.name} reach no internet"
    return [
        Problem(field=field, got=what, limit=limit, where=where, fix=fix) for field, what in found
    ]


def launcher_problems(job: Job, cluster: Cluster, where: str) -> list[Problem]:
    """A launcher inside a rank: started once a rank, or with another count than the GPUs asked for."""
    if not isinstance(job, CommandJob) or not _own_launcher(job.command.argv):
        return []
    asked, problems = job.resources, []
    launch = job.launch or cluster.software.launch
    ranks, gpus = asked.ranks_per_node or 1, asked.gpus_per_node or 0
    if ranks > 1 or launch is Launch.torchrun:
        limit = (
            f"it would start once in each of {ranks} rank(s) a node, each starting ranks of its own"
        )
        fix = "launch=torchrun and the script alone, or launch=srun resources.ranks_per_node=1"
        problems.append(_problem("command.argv", job.command.argv[0], limit, where, fix))
    told = _PER_NODE.search(" ".join(job.command.argv))
    if told and gpus and int(told[1]) not in (gpus, gpus * asked.nodes):
        limit = f"{gpus} GPUs a node are asked for, and all are billed"
        fix = f"resources.gpus_per_node={told[1]}, or --nproc-per-node={gpus}"
        problems.append(_problem("command.argv", told[0], limit, where, fix))
    return problems


def saving_problems(job: Job, where: str) -> list[Problem]:
    """A program that would be asked to stop before it has done anything, and again after every requeue."""
    seconds = job.resources.walltime_seconds
    if not isinstance(job, CommandJob) or not seconds:
        return []
    asked_before_s = job.command.save_s + PARTING_S
    if asked_before_s < -(-seconds // 60) * 60:  # Slurm counts in whole minutes
        return []
    limit = (
        f"it is asked to stop {asked_before_s} s before the end, and the whole job has {seconds} s"
    )
    return [
        _problem("command.save_s", str(job.command.save_s), limit, where, "more resources.walltime")
    ]


def _own_launcher(argv: Sequence[str]) -> bool:
    """Whether the program itself starts ranks: torchrun, accelerate, deepspeed or their module forms."""
    return any(LOCAL_TRAINERS.search(word) for word in argv[:4])


def program_warnings(job: Job, cluster: Cluster, where: str) -> list[Problem]:
    """Return what works, but badly: loud logs, a fixed port, another environment's torchrun, one GPU for all."""
    if not isinstance(job, CommandJob):
        return []
    found = [
        *_loud(job.command.env, job.resources.walltime_seconds),
        *_left_behind(job.command.argv, job.command.source),
    ]
    if not _whole_nodes(job, cluster):
        found += _fixed_port(job.command.argv, job.command.env)
    return [*found, *_foreign_torchrun(job.command.argv), *_all_on_one_gpu(job, cluster, where)]


def _loud(env: Mapping[str, str], seconds: int) -> Iterator[Problem]:
    for name, levels in LOUD.items():
        if env.get(name, "").upper() in levels and seconds > LONG_S:
            limit = "debug logging slows a long run and fills the disk"
            yield _problem(f"command.env.{name}", env[name], limit, "", f"leave {name} out")


def _left_behind(argv: Sequence[str], source: str) -> Iterator[Problem]:
    """Files that the program would not find: it starts in its copy of the source, not where one submits."""
    for word in argv:
        path = Path(word)
        script = path.suffix in (".py", ".sh") and not path.is_absolute()
        if not source and script and path.is_file():
            limit = "it lies here, and the job takes no files along without a source"
            yield _problem("command.argv", word, limit, "", "command.source=.")
        elif source and word in argv[:2] and script and not Path(source, path).exists():
            limit = f"no such file in command.source ({source}), where the program starts"
            yield _problem("command.argv", word, limit, "")


def _fixed_port(argv: Sequence[str], env: Mapping[str, str]) -> Iterator[Problem]:
    told = _PORT.search(" ".join(argv))
    port = env.get("MASTER_PORT") or (told[1] if told else None)
    if port:
        field = "command.env.MASTER_PORT" if "MASTER_PORT" in env else "command.argv"
        limit = "nodes are shared here, and another job may hold that port"
        yield _problem(field, port, limit, "", "leave it out: MASTER_PORT is set for each job")


def _whole_nodes(job: Job, cluster: Cluster) -> bool:
    partition, node = (
        cluster.partition(job.resources.partition or ""),
        cluster.node_of(job.resources.partition),
    )
    if (partition and partition.exclusive) or node is None:
        return True
    return bool(node.gpus) and job.resources.gpus_per_node == node.gpus


def _foreign_torchrun(argv: Sequence[str]) -> Iterator[Problem]:
    """The torchrun on PATH is a module's, and runs the module's interpreter."""
    if not argv or PurePath(argv[0]).name != "torchrun":
        return
    found = argv[0] if "/" in argv[0] else shutil.which("torchrun")
    if found and not Path(found).resolve().is_relative_to(Path(sys.prefix).resolve()):
        limit = f"it belongs to another environment than {sys.prefix}"
        yield _problem("command.argv", found, limit, "", "python -m torch.distributed.run")


def _all_on_one_gpu(job: CommandJob, cluster: Cluster, where: str) -> Iterator[Problem]:
    """A program that knows nothing of LOCAL_RANK puts all ranks of a node on GPU 0."""
    ranks, gpus = job.resources.ranks_per_node or 1, job.resources.gpus_per_node or 0
    script = any(word.endswith(".py") or word.startswith("python") for word in job.command.argv)
    per_task = cluster.scheduler.gpu_syntax == "gpus_per_task"
    if (
        ranks > 1
        and gpus > 1
        and not script
        and not per_task
        and not _own_launcher(job.command.argv)
    ):
        limit = (
            f"{ranks} ranks of a node see all {gpus} GPUs; each must take the one of its LOCAL_RANK"
        )
        yield _problem("command.argv", job.command.argv[:1], limit, where)


def _problem(field: str, got: object, limit: str, where: str, fix: str = "") -> Problem:
    return Problem(field=field, got=got, limit=limit, where=where, fix=fix)
