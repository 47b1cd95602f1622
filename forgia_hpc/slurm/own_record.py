"""A run by its own record: the seal's facts, and its attempts as its own events tell them."""

from __future__ import annotations

from dataclasses import dataclass

from forgia_hpc.errors import InputError
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.runtime.heartbeat import read_beats
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.accounting import asked
from forgia_hpc.slurm.cluster import load_cluster, read_cluster
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.usage import Allocation


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a receipt needs of the seal."""

    run: RunDir
    cluster: Cluster
    resources: Resources

    @property
    def account(self) -> str:
        """Who pays."""
        return self.resources.account or ""


def sealed_job(run: RunDir) -> Job:
    """Return the seal's facts; of a run sealed with other keys of the profile, today's profile."""
    sealed = read_json(run.job)
    try:
        cluster = read_cluster(run.inputs / "cluster.yaml")
    except InputError:
        cluster = load_cluster(sealed["cluster"])
    return Job(run=run, cluster=cluster, resources=Resources(**sealed["resources"]))


def own_rows(job: Job) -> list[Allocation]:
    """Return the attempts as our own events tell them, in the shape that was asked for."""
    shape, rows = asked(job.resources, job.cluster), []
    ended = {event.facts.get("attempt"): event for event in job.run.events("batch_ended")}
    submitted = job.run.events("submitted")
    begun = job.run.events("batch_started")
    for number, event in enumerate(begun):
        end = ended.get(event.facts["attempt"])
        until = end.time_ns / 1e9 if end else _last_sign(job.run, number, event.time_ns / 1e9)
        started = event.time_ns / 1e9
        before = [one.time_ns / 1e9 for one in submitted if one.time_ns <= event.time_ns]
        code = end.facts.get("exit_code") if end else None
        rows.append(
            Allocation(
                job_id=str(event.facts.get("job_id") or ""),
                state="COMPLETED" if code == 0 else "FAILED",
                submit=int(before[-1]) if before and number == 0 else None,
                start=int(started),
                end=int(until),
                elapsed_s=max(1, round(until - started)),
                limit_s=job.resources.walltime_seconds,
                shape=shape,
            )
        )
    return rows


def _last_sign(run: RunDir, attempt: int, start: float) -> float:
    """Return when an attempt that left no last word was last heard of."""
    return max([start, *(beat.time for beat in read_beats(run, attempt))])
