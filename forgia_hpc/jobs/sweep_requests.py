"""The distinct requests of a sweep as plans of single jobs, for the verdict: Slurm is asked once for each."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from forgia_hpc.config.check import warn
from forgia_hpc.jobs.package import Plan
from forgia_hpc.jobs.roots import roots
from forgia_hpc.jobs.sweep import SweepPlan
from forgia_hpc.schema.resources import Resources


def requests(plan: SweepPlan) -> dict[str, Plan]:
    """Return each distinct request by the points that make it; the only one has no name."""
    if plan.allocation:
        return {"": _request(plan, plan.allocation)}
    if len(plan.groups) == 1:
        return {"": _request(plan, plan.groups[0])}
    count = Counter(point.group for point in plan.points)
    return {
        f"{count[number]} points of {_shape(one, plan.groups)}": _request(plan, one)
        for number, one in enumerate(plan.groups)
    }


def _request(plan: SweepPlan, resources: Resources) -> Plan:
    job = replace(plan.first, resources=resources)
    return Plan(
        job=job,
        cluster=plan.cluster,
        run=plan.run,
        data={},
        launch=plan.launch,
        container=plan.container,
        warnings=tuple(warn(job, plan.cluster, roots(plan.cluster))),
    )


def _shape(one: Resources, others: tuple[Resources, ...]) -> str:
    """Return what tells a request apart from the others of its sweep."""
    return " ".join(
        f"{name}={value}"
        for name, value in vars(one).items()
        if any(getattr(other, name) != value for other in others)
    )
