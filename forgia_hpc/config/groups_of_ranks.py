"""The ranks of a job against the groups that its ensemble asks for, and a member's time against the walltime."""

from __future__ import annotations

from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import PARTING_S, Job, SimulateJob

_FIELD = "ensemble.ranks_per_member"


def group_problems(job: Job) -> list[Problem]:
    """Return why no group would ever solve a member. `job.resources` is complete."""
    if not isinstance(job, SimulateJob):
        return []
    problems = []
    ranks, each = job.resources.world_size, job.ensemble.ranks_per_member
    if each > ranks:
        limit, fix = f"the job has {ranks} rank(s)", "raise resources.ranks_per_node, or lower it"
        problems.append(Problem(field=_FIELD, got=each, limit=limit, where="resources", fix=fix))
    seconds, longest = job.resources.walltime_seconds, job.ensemble.member_s
    if longest > seconds - PARTING_S:
        limit = f"the job ends after {seconds} s, {PARTING_S} of them to leave; a member could never finish"
        fix = "raise resources.walltime, or lower it"
        problems.append(
            Problem(field="ensemble.member_s", got=longest, limit=limit, where="resources", fix=fix)
        )
    return problems


def group_warnings(job: Job) -> list[Problem]:
    """Return what is paid for and idle: ranks beyond the last whole group."""
    if not isinstance(job, SimulateJob):
        return []
    ranks, each = job.resources.world_size, job.ensemble.ranks_per_member
    idle = ranks % each
    if not idle or each > ranks:
        return []
    limit = f"{ranks} ranks make {ranks // each} groups, and {idle} of them would be idle"
    return [Problem(field=_FIELD, got=each, limit=limit, where="resources")]
