"""The last act of an attempt that goes on: the requeue, or the next link of a chain."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence

from forgia_hpc import process
from forgia_hpc.errors import ForgiaError, SlurmSilentError
from forgia_hpc.node.progress import Start
from forgia_hpc.node.sequel import Way
from forgia_hpc.rundir import RunDir
from forgia_hpc.slurm.control import SlurmRefusedError, exclude, job_facts, requeue
from forgia_hpc.sweepdir import asked_as

PAUSES_S = (0, 3, 9)  # slurmctld may be changing over; the walltime's margin allows no more
LINK_S = 90  # for the next link's sbatch, which is bounded by 60 s itself


def act(start: Start, way: Way, *, without: Sequence[str] = ()) -> None:
    """Requeue, or submit the next link, as the last act; an event tells how it went.

    Args:
        start: what was true when the attempt began.
        way: what was decided.
        without: nodes that a requeued job must not get again.
    """
    if start.job is None or way not in (Way.requeue, Way.link):
        return
    run, job = start.run, start.job
    told = {"attempt": start.attempt, "job_id": job, "way": way.value}
    # slurmd sends SIGTERM to every process of the job as soon as the requeue is accepted
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        if way is Way.requeue:
            _patiently(lambda: requeue(job, {}))
            _exclude(job, without)
        else:
            _next_link(run)
    except ForgiaError as error:
        run.event("not_resubmitted", **told, why=str(error))
        sys.stderr.write(f"forgia: {error}; it can go on: forgia resume {asked_as(run)}\n")
    else:
        run.event("resubmitted", **told)


def _exclude(job: str, nodes: Sequence[str]) -> None:
    """Keep a requeued job off some nodes: Slurm 22.05 takes it after the requeue, not before."""
    if nodes:
        known = job_facts(job, {}).excluded
        exclude(job, ",".join([known, *nodes] if known else nodes), {})


def _patiently(ask: Callable[[], None]) -> None:
    for pause, last in zip(PAUSES_S, (False, False, True), strict=True):
        time.sleep(pause)
        try:
            ask()
        except SlurmSilentError:
            if last:
                raise
        else:
            break


def _next_link(run: RunDir) -> None:
    argv = [sys.executable, "-m", "forgia_hpc.cli.main", "resume", str(run.path), "--next-link"]
    answer = process.run(argv, timeout_s=LINK_S)
    if answer.returncode:
        said = (answer.stderr or answer.stdout).strip().splitlines()[-1:]
        raise SlurmRefusedError(f"the next link was not submitted: {' '.join(said)}")
