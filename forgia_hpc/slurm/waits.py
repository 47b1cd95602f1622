"""How long a run waited, and for what: the cluster, a predecessor, a hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from forgia_hpc.slurm.usage import Allocation

# What Slurm last gave as the reason of a pending job → whom the time before it was eligible belongs to. Of a
# dependent job Slurm sets Eligible at the end of its predecessor, so that its queue is counted from there.
_CAUSES = {
    "Dependency": "dependency_s",
    "DependencyNeverSatisfied": "dependency_s",
    "BeginTime": "begin_s",
    "JobArrayTaskLimit": "array_limit_s",
    "JobHeldUser": "held_s",
    "JobHeldAdmin": "held_s",
}
CAUSES = (
    "queue_s",
    "dependency_s",
    "requeue_hold_s",
    "begin_s",
    "array_limit_s",
    "held_s",
    "other_s",
)


def waits(rows: Sequence[Allocation]) -> dict[str, Any]:
    """Return the seconds by cause, summed over attempts, and the reasons that Slurm gave.

    queue_s: eligible to start, for lack of resources or priority. requeue_hold_s: Slurm's hold of about two
    minutes after a requeue (seen on 22.05: BeginTime). known: false where only the submission is known.
    """
    spent = dict.fromkeys(CAUSES, 0)
    reasons: list[str] = []
    seen: set[str] = set()
    for row in rows:
        again, eligible = row.job_id in seen, row.eligible
        seen.add(row.job_id)
        begun = row.start if row.elapsed_s or row.state == "RUNNING" else row.end
        if row.submit is None or begun is None:
            continue
        ready = min(eligible if eligible is not None else begun, begun)
        before, cause = max(0, ready - row.submit), _CAUSES.get(row.reason, "other_s")
        spent["requeue_hold_s" if again and cause == "begin_s" else cause] += before
        spent["queue_s"] += max(0, begun - ready)
        if row.reason:
            reasons.append(row.reason)
    known = any(row.eligible is not None for row in rows)
    return {**spent, "reasons": sorted(set(reasons)), "known": known}
