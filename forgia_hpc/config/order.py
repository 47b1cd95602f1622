"""Warnings about the order of the data: what a block shuffle costs is measured, not guessed."""

from __future__ import annotations

from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import Job, TrainJob

_LONGEST = 4  # windows of a run that was measured to cost less than a hundredth of the loss
_FEWEST = 8  # runs that the windows of a step should be of
_WHERE = "benchmarks/data/README.md"


def order_warnings(job: Job) -> list[Problem]:
    """Return what a block shuffle may do to a model."""
    if not isinstance(job, TrainJob) or job.data.run == 1:
        return []
    run, batch = job.data.run, job.train.global_batch
    found = []
    if run > _LONGEST:
        limit = f"runs of {_LONGEST} cost 0.7 % of the loss in a short training, longer ones more"
        fix = f"at most data.run={_LONGEST}, or 1 where the job does not wait for the disk"
        found.append(Problem(field="data.run", got=run, limit=limit, where=_WHERE, fix=fix))
    if batch < _FEWEST:
        limit = f"windows of {_FEWEST} different runs a step, or the steps are too much alike"
        fix = "a larger batch, or data.run=1"
        found.append(
            Problem(field="train.global_batch", got=batch, limit=limit, where=_WHERE, fix=fix)
        )
    return found
