"""Account, time, nodes and QOS of a job against the profile's limits."""

from __future__ import annotations

import dataclasses
import re

from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import Job
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.asked import Asked, asked_of
from forgia_hpc.slurm.choice import against_profile, choose
from forgia_hpc.slurm.finding import Finding
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.request import charged_account


def limit_problems(job: Job, cluster: Cluster, where: str) -> list[Problem]:
    """Return what the profile's limits of partition and QOS refuse."""
    asked = asked_of(job.resources, cluster, job.launch or cluster.software.launch)
    found = against_profile(asked, cluster)
    if cluster.partition(asked.partition or "") is None:
        found += _in_the_widest(asked, cluster)
    gone = _gone(job.resources, cluster, where)
    by_field = {one.problem.field: one for one in reversed(found)}
    return [*gone, *(_mended(one, job.resources, cluster) for one in reversed(by_field.values()))]


def _in_the_widest(asked: Asked, cluster: Cluster) -> list[Finding]:
    """A misspelt partition hides no other problem: the rest is held against the widest one."""
    widest = max(cluster.partitions, key=lambda p: p.max_nodes or 0, default=None)
    if widest is None:
        return []
    return against_profile(dataclasses.replace(asked, partition=widest.name), cluster)


def _mended(found: Finding, resources: Resources, cluster: Cluster) -> Problem:
    """Add the QOS or partition that would take the job as it is."""
    problem = found.problem
    if problem.field not in ("resources.nodes", "resources.walltime"):
        return problem
    free = dataclasses.replace(resources, partition=None, qos=None)
    chosen, said = choose(free, cluster)
    if said:
        instead = said.partition(" chosen")[0]
    elif (resources.partition, resources.qos) != (chosen.partition, None) and not against_profile(
        asked_of(chosen, cluster, cluster.software.launch), cluster
    ):
        instead = f"resources.qos=null resources.partition={chosen.partition}"
    else:
        return problem
    return dataclasses.replace(problem, fix=f"{problem.fix}, or {instead}")


def _gone(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    """A partition or QOS that the last refresh did not find any more."""
    entries = {
        "partition": cluster.partition(resources.partition or ""),
        "qos": cluster.qos_named(resources.qos or ""),
    }
    return [
        Problem(
            field=f"resources.{name}",
            got=entry.name,
            limit=f"Slurm no longer has it (limits of {cluster.limits_as_of or 'the last refresh'})",
            where=where,
            fix=f"forgia cluster show {cluster.name}",
        )
        for name, entry in entries.items()
        if entry is not None and entry.gone
    ]


def account_problems(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    """An account is missing where one is charged."""
    if resources.account or not cluster.scheduler.account_required:
        return []
    return [
        Problem(
            field="resources.account",
            got=None,
            limit="an account is charged on this cluster",
            where=where,
            fix="resources.account=… or account: in ~/.config/forgia/config.yaml",
        )
    ]


def account_warnings(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    """An account that does not look like those of this site."""
    account, pattern = charged_account(resources, cluster), cluster.accounting.account_pattern
    if not account or not pattern or re.fullmatch(pattern, account):
        return []
    limit = f"accounts of this site look like {pattern}"
    return [Problem(field="resources.account", got=account, limit=limit, where=where)]


def qos_problems(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    """No QOS where one is needed, and none could be chosen."""
    if resources.qos is not None or not cluster.slurm or not cluster.scheduler.qos_required:
        return []
    known = ", ".join(entry.name for entry in cluster.qos) or "named like the account"
    limit = f"a QOS is needed on this cluster ({known})"
    return [Problem(field="resources.qos", got=None, limit=limit, where=where)]


def walltime_problems(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    """No walltime where one is charged for: the site's default ended many a job after 30 minutes."""
    if (
        resources.walltime is not None
        or not cluster.slurm
        or not cluster.scheduler.account_required
    ):
        return []
    return [
        Problem(
            field="resources.walltime",
            got=None,
            limit="a walltime is needed where hours are charged",
            where=where,
            fix="resources.walltime=01:00:00 for an hour",
        )
    ]


def memory_problems(resources: Resources, cluster: Cluster, where: str) -> list[Problem]:
    """Memory asked for where the site forbids the option."""
    if resources.mem_gb is None or not cluster.slurm or cluster.scheduler.mem_policy != "forbidden":
        return []
    return [
        Problem(
            field="resources.mem_gb",
            got=resources.mem_gb,
            limit="this site does not let jobs ask for memory",
            where=where,
            fix="resources.mem_gb=null",
        )
    ]
