"""Asks Slurm for its limits: the only way from its commands to `Limits`."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from forgia_hpc import process
from forgia_hpc.errors import InputError, Problem, SlurmSilentError
from forgia_hpc.slurm.conf import require_conf
from forgia_hpc.slurm.limits import Association, Limits, NodeState, PartitionLimits, QosLimits
from forgia_hpc.slurm.limits_text import (
    ASSOCIATION_COLUMNS,
    NODE_COLUMNS,
    QOS_COLUMNS,
    count,
    parse_associations,
    parse_config,
    parse_nodes,
    parse_partitions,
    parse_qos,
    words,
)

TIMEOUT_S = 30


def read_limits(
    environment: Mapping[str, str], *, nodes: bool = True, timeout_s: float = TIMEOUT_S
) -> Limits:
    """Ask Slurm: two calls of scontrol, two of sacctmgr, and one of sinfo where `nodes` are wanted.

    Raises:
        InputError: there is no scontrol on this machine.
        SlurmSilentError: scontrol or sinfo gave no answer.
    """

    def ask(*argv: str) -> str:
        return _ask(argv, environment, timeout_s)

    config = parse_config(ask("scontrol", "show", "config"))
    partitions = parse_partitions(ask("scontrol", "show", "partition", "--oneliner"))
    found = parse_nodes(ask("sinfo", "-h", "-N", "-o", NODE_COLUMNS)) if nodes else ()
    own = pwd.getpwuid(os.getuid()).pw_name
    account = f"user={own}", f"cluster={config.get('ClusterName', '')}"
    try:
        qos = ask("sacctmgr", "-nP", "show", "qos", f"format={QOS_COLUMNS}")
        mine = ask("sacctmgr", "-nP", "show", "assoc", *account, f"format={ASSOCIATION_COLUMNS}")
    except (SlurmSilentError, InputError) as error:
        why = f"QOS and associations: {' '.join(str(error).split())}"
        return limits_of(config, partitions, nodes=found, left_out=(why,))
    return limits_of(config, partitions, parse_qos(qos), parse_associations(mine), nodes=found)


def limits_of(
    config: Mapping[str, str],
    partitions: dict[str, PartitionLimits],
    qos: dict[str, QosLimits] | None = None,
    associations: tuple[Association, ...] = (),
    *,
    nodes: tuple[NodeState, ...] = (),
    left_out: tuple[str, ...] = (),
) -> Limits:
    """Put the parts together."""
    return Limits(
        version=config.get("SLURM_VERSION", ""),
        name=config.get("ClusterName", ""),
        enforce_part_limits=config.get("EnforcePartLimits", "NO").upper(),
        enforce=words(config.get("AccountingStorageEnforce", "")),
        max_array_size=count(config.get("MaxArraySize", "")),
        job_requeue=config.get("JobRequeue", "0") == "1",
        min_job_age_s=count(config.get("MinJobAge", "").partition(" ")[0]) or 0,
        partitions=partitions,
        qos=qos or {},
        associations=associations,
        nodes=nodes,
        left_out=left_out,
    )


def _ask(argv: tuple[str, ...], environment: Mapping[str, str], timeout_s: float) -> str:
    # an inherited SINFO_FORMAT or SLURM_TIME_FORMAT would change the answer
    foreign = [
        key for key in os.environ if key.startswith(("SINFO_", "SLURM_TIME", "SLURM_BITSTR"))
    ]
    try:
        require_conf(environment)
        answer = process.run(argv, timeout_s=timeout_s, env=environment, without=foreign)
    except process.ProgramMissingError as error:
        limit, fix = "Slurm's commands are needed", "run this on a login node of the cluster"
        problem = Problem(field="cluster", got=f"no {argv[0]} here", limit=limit, fix=fix)
        raise InputError(problem) from error
    except process.ProgramSilentError as error:
        raise SlurmSilentError(f"Slurm did not answer: {error}") from error
    if answer.returncode:
        raise SlurmSilentError(f"Slurm did not answer: {argv[0]}: {answer.stderr.strip()}")
    return answer.stdout
