"""Pure parsers of what scontrol, sacctmgr and sinfo say of limits."""

from __future__ import annotations

import re
from collections.abc import Mapping

from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.slurm.limits import Association, NodeState, PartitionLimits, QosLimits

UNLIMITED = frozenset({"", "UNLIMITED", "INFINITE", "NONE", "N/A", "(NULL)", "NOT_SET", "-1"})
QOS_COLUMNS = (
    "Name,Priority,Flags,MaxWall,MaxTRES,MaxTRESPU,MaxTRESPA,MinTRES,GrpTRES,GrpTRESMins,"
    "MaxJobsPU,MaxSubmitPU,MaxJobsPA,MaxSubmitPA,GrpJobs,GrpSubmit,Preempt,PreemptMode"
)
ASSOCIATION_COLUMNS = (
    "Account,User,Partition,QOS,DefaultQOS,MaxJobs,MaxSubmit,MaxWall,MaxTRES,"
    "GrpTRES,GrpTRESMins,GrpJobs,GrpSubmit"
)
NODE_COLUMNS = "%N|%R|%c|%m|%G|%T|%E"
_TIME = re.compile(r"(?:(?P<days>\d+)-)?(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+)")
_AMOUNT = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[KMGTP]?)B?")
_GPUS = re.compile(r"gpu:(?:[\w.-]+:)?(\d+)")


def parse_config(text: str) -> dict[str, str]:
    """Return `Key = value` lines; the first of a key counts (plug-ins repeat theirs below)."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            found.setdefault(key.strip(), value.strip())
    return found


def parse_partitions(text: str) -> dict[str, PartitionLimits]:
    """Return the partitions of `scontrol show partition --oneliner` by name."""
    found = {}
    for line in text.splitlines():
        facts = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if "PartitionName" in facts:
            found[facts["PartitionName"]] = _partition(facts)
    return found


def _partition(facts: Mapping[str, str]) -> PartitionLimits:
    def get(key: str) -> str:
        return facts.get(key, "")

    return PartitionLimits(
        name=facts["PartitionName"],
        default=get("Default") == "YES",
        state=get("State") or "UP",
        max_time_s=seconds(get("MaxTime")),
        default_time_s=seconds(get("DefaultTime")),
        min_nodes=count(get("MinNodes")) or 0,
        max_nodes=count(get("MaxNodes")),
        max_cpus_per_node=count(get("MaxCPUsPerNode")),
        max_mem_per_node_mb=count(get("MaxMemPerNode")),
        def_mem_per_cpu_mb=count(get("DefMemPerCPU")),
        def_mem_per_node_mb=count(get("DefMemPerNode")),
        exclusive=get("OverSubscribe") == "EXCLUSIVE",
        qos=None if get("QoS").upper() in UNLIMITED else get("QoS"),
        allow_qos=_allowed(get("AllowQos")),
        deny_qos=words(get("DenyQos")),
        allow_accounts=_allowed(get("AllowAccounts")),
        deny_accounts=words(get("DenyAccounts")),
        nodes=get("Nodes") if get("Nodes") != "(null)" else "",
        total_nodes=count(get("TotalNodes")) or 0,
        total_cpus=count(get("TotalCPUs")) or 0,
        billing_weights=dict(
            part.split("=", 1) for part in words(get("TRESBillingWeights")) if "=" in part
        ),
    )


def parse_qos(text: str) -> dict[str, QosLimits]:
    """Return the QOS of `sacctmgr -nP show qos format=<QOS_COLUMNS>` by name."""
    return {row["Name"]: _qos(row) for row in _rows(text, QOS_COLUMNS)}


def _qos(row: Mapping[str, str]) -> QosLimits:
    return QosLimits(
        name=row["Name"],
        priority=count(row["Priority"]) or 0,
        flags=words(row["Flags"]),
        max_wall_s=seconds(row["MaxWall"]),
        max_tres_per_job=tres(row["MaxTRES"]),
        max_tres_per_user=tres(row["MaxTRESPU"]),
        max_tres_per_account=tres(row["MaxTRESPA"]),
        min_tres_per_job=tres(row["MinTRES"]),
        group_tres=tres(row["GrpTRES"]),
        group_tres_mins=tres(row["GrpTRESMins"]),
        max_jobs_per_user=count(row["MaxJobsPU"]),
        max_submit_per_user=count(row["MaxSubmitPU"]),
        max_jobs_per_account=count(row["MaxJobsPA"]),
        max_submit_per_account=count(row["MaxSubmitPA"]),
        group_jobs=count(row["GrpJobs"]),
        group_submit=count(row["GrpSubmit"]),
        preempts=words(row["Preempt"]),
        preempt_mode=row["PreemptMode"].lower(),
    )


def parse_associations(text: str) -> tuple[Association, ...]:
    """Return the rows of `sacctmgr -nP show assoc user=… format=<ASSOCIATION_COLUMNS>`."""
    return tuple(
        Association(
            account=row["Account"],
            user=row["User"],
            partition=row["Partition"] or None,
            qos=words(row["QOS"]),
            default_qos=row["DefaultQOS"] or None,
            max_jobs=count(row["MaxJobs"]),
            max_submit=count(row["MaxSubmit"]),
            max_wall_s=seconds(row["MaxWall"]),
            max_tres_per_job=tres(row["MaxTRES"]),
            group_tres=tres(row["GrpTRES"]),
            group_tres_mins=tres(row["GrpTRESMins"]),
            group_jobs=count(row["GrpJobs"]),
            group_submit=count(row["GrpSubmit"]),
        )
        for row in _rows(text, ASSOCIATION_COLUMNS)
    )


def parse_nodes(text: str) -> tuple[NodeState, ...]:
    """Return the nodes of `sinfo -h -N -o <NODE_COLUMNS>`: a line a node and partition, one node each."""
    found: dict[str, list[str]] = {}
    partitions: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, partition, *facts = line.split("|", 6)  # the reason is free text, bars among it
        if len(facts) == 5:
            found[name] = facts
            partitions.setdefault(name, []).append(partition)
    return tuple(_node(name, partitions[name], facts) for name, facts in found.items())


def _node(name: str, partitions: list[str], facts: list[str]) -> NodeState:
    cpus, mem, gres, state, reason = facts
    bare = state.rstrip("*~#!%$@^-+").lower()
    return NodeState(
        name=name,
        partitions=tuple(partitions),
        cpus=count(cpus.rstrip("+")) or 0,
        mem_mb=count(mem.rstrip("+")) or 0,
        gpus=sum(int(number) for number in _GPUS.findall(gres)),
        state=bare,
        marks=state[len(bare) :],
        reason="" if reason == "none" else reason,
    )


def seconds(text: str) -> int | None:
    """Return the seconds of Slurm's `[D-]HH:MM:SS`, `MM:SS`; None where there is no limit."""
    if text.upper() in UNLIMITED:
        return None
    found = _TIME.fullmatch(text)
    if not found:
        raise _odd("time", text)
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def count(text: str) -> int | None:
    """Return a number; None where there is no limit."""
    if text.upper() in UNLIMITED:
        return None
    if not text.isdecimal():
        raise _odd("count", text)
    return int(text)


def words(text: str) -> tuple[str, ...]:
    """Return the words between commas."""
    return tuple(word for word in text.split(",") if word and word.upper() not in UNLIMITED)


def tres(text: str) -> dict[str, int]:
    """Return `cpu=256,mem=2T,gres/gpu=32` as counts; memory in MB."""
    return {
        name: _amount(name, value) for name, _, value in (w.partition("=") for w in words(text))
    }


def _amount(name: str, text: str) -> int:
    found = _AMOUNT.fullmatch(text)
    if not found:
        raise _odd(name, text)
    power = "KMGTP".index(found["unit"]) + 1 if found["unit"] else 0
    if name == "mem":  # bare or M is MB already
        return round(float(found["number"]) * 1024.0 ** (power - 2 if power else 0))
    return round(float(found["number"]) * 1024.0**power)


def _allowed(text: str) -> tuple[str, ...] | None:
    return None if text in ("", "ALL") else words(text)


def _rows(text: str, columns: str) -> list[dict[str, str]]:
    """Return the lines of `sacctmgr -nP` as mappings."""
    names = columns.split(",")
    rows = [line.split("|") for line in text.splitlines() if line]
    for row in rows:
        if len(row) != len(names):
            raise SlurmSilentError(f"sacctmgr: {len(row)} columns, asked for {len(names)}: {row}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _odd(what: str, text: str) -> SlurmSilentError:
    """Slurm said something that we can't read: nothing may be concluded."""
    return SlurmSilentError(f"Slurm's answer can't be read: {what} {text!r}")
