"""Slurm's edge from a run to the one that it comes after (`forgia submit --after RUN`)."""

from __future__ import annotations

from pathlib import Path

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.find import find_run
from forgia_hpc.jobs.standing import State
from forgia_hpc.jobs.submission import submitted
from forgia_hpc.jobs.track import status_of
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.sweepdir import SweepDir


def dependency(after: str, cluster: Cluster, runs: Path) -> str | None:
    """Return Slurm's dependency on another run; a run that has completed needs none.

    Raises:
        InputError: that run can't be waited for.
    """
    before = find_run(after, runs)
    if before.result.exists():
        return None
    (status,) = status_of([before])
    if status.state is State.completed:  # a sweep or a chain has no result of its own
        return None
    # Slurm would cancel the follower, or start it at once where it has forgotten the job
    if status.ended:
        limit, fix = f"it has not completed: {status.state.value}", f"forgia resume {before.name}"
        raise InputError(Problem(field="--after", got=before.name, limit=limit, fix=fix))
    told, sealed = submitted(before), read_json(before.job)
    here = cluster.slurm and sealed["cluster"] == cluster.name
    if here and told.get("job_id") and not _is_many(before):
        return f"afterok:{told['job_id']}"
    limit = "it has not completed, and Slurm can't wait for it"
    raise InputError(
        Problem(field="--after", got=before.name, limit=limit, fix=f"forgia wait {before.name}")
    )


def _is_many(run: RunDir) -> bool:
    """Whether more than one job makes a run up: a sweep that is sent bit by bit, or was resumed."""
    sweep = SweepDir(run.path)
    return bool(sweep.orders()) and (bool(sweep.waiting()) or run.count("submitted") > 1)
