"""Every question of `forgia cluster probe`, and those that it can't ask."""

from __future__ import annotations

from forgia_hpc.slurm import probe_edges, probe_jobs
from forgia_hpc.slurm.profile import Fact

ROWS = {
    "dependents": probe_edges.dependents,
    "rewire": probe_edges.rewire,
    "unknown_predecessor": probe_edges.unknown_predecessor,
    "cycle": probe_edges.cycle,
    "singleton": probe_edges.singleton,
    "after_plus": probe_edges.after_plus,
    "aftercorr": probe_edges.aftercorr,
    "requeue": probe_jobs.requeue,
    "early_signal": probe_jobs.early_signal,
    "stored": probe_jobs.stored,
    "over_limit": probe_jobs.over_limit,
    "memory": probe_jobs.memory,
    "inherited_cpus": probe_jobs.inherited_cpus,
    "from_the_node": probe_jobs.from_the_node,
}
JOBS = 25  # of all rows together, tasks counted; each asks for two minutes and two CPUs at most

# A plain user alone can't bring these about, so the worst case is assumed.
_ADMINISTRATOR = "it takes an administrator, who stops slurmctld"
NOT_ASKED = {
    "edge_survives_lost_record": (
        "Does a dependent wait on when the record of its predecessor vanishes?",
        _ADMINISTRATOR,
    ),
    "job_survives_crash": (
        "Is a job kept that was accepted in the second before slurmctld crashed?",
        _ADMINISTRATOR,
    ),
    "edge_across_users": (
        "May a job depend on another user's?",
        "it takes a second user, whose job must be queued at the same time",
    ),
}


def not_asked(today: str) -> list[Fact]:
    """Return the questions that stay open."""
    return [
        Fact(
            name=name,
            question=question,
            holds="unclear",
            observed=f"not asked: {why}; the worst case is assumed",
            as_of=today,
        )
        for name, (question, why) in NOT_ASKED.items()
    ]
