"""What follows an attempt that stopped with everything saved: a requeue, the next link of a chain, or nothing.

Decided from what made it stop, from the progress it made and from what the sealed profile allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from forgia_hpc import process
from forgia_hpc.errors import ExitCode, SlurmSilentError
from forgia_hpc.node.lost import failed_nodes
from forgia_hpc.node.progress import Start, last_place, mark_of, progress
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.schema.job import Kind
from forgia_hpc.slurm.control import JobFacts, SlurmRefusedError, job_facts
from forgia_hpc.sweepdir import asked_as, sweep_of


class Cause(Enum):
    """What made an attempt stop."""

    walltime = "walltime"
    preemption = "preemption"
    asked = "asked"  # by a person: `forgia cancel`, scancel, Ctrl-C
    stalled = "stalled"
    node_failure = "node failure"  # Slurm has given the node up, and its processes live on


class Way(Enum):
    """How a run goes on by itself."""

    requeue = "requeue"
    link = "link"  # another job of the same sealed script, which waits for this one's end
    slurm = "slurm"  # Slurm has requeued it already
    nothing = "nothing"


@dataclass(frozen=True)
class Sequel:
    """What follows, and why."""

    way: Way
    why: str
    code: ExitCode = ExitCode.STOPPED


def conclude(start: Start, word: str | None, told: Cause | None) -> tuple[Cause, Sequel]:
    """Tell why an attempt stopped with everything saved, and what follows by the profile's `word`."""
    facts = _facts(start.job)
    cause = _cause(start, told, facts)
    if start.job is None:
        code = ExitCode.JOB_FAILED if cause is Cause.stalled else ExitCode.STOPPED
        return cause, Sequel(Way.nothing, "", code)
    made = progress(start)
    sequel = follow(cause, facts, progress=made, word=word, restarts=start.restarts)
    if sequel.way is Way.link and "point" in read_json(start.run.job):
        # the next link is a submission of the whole sweep, and that is its feeder's to make
        sequel = Sequel(Way.nothing, "a point does not go on by another job (scheduler.resubmit)")
    return cause, replace(sequel, code=ExitCode.JOB_FAILED) if cause is Cause.stalled else sequel


def _cause(start: Start, told: Cause | None, facts: JobFacts | None) -> Cause:
    """Tell the cause; where a node has failed, slurmd's SIGTERM on the others looks like anybody's."""
    cancelled = _cancelled(start.run)
    cause = cause_of(told, facts, cancelled=cancelled, restarts=start.restarts)
    known = cancelled or start.job is None or (facts is not None and facts.preempted)
    if known or told not in (None, Cause.asked):
        return cause
    return Cause.node_failure if failed_nodes(start.run) else cause


def sentence(run: RunDir, cause: Cause, sequel: Sequel) -> str:
    """Return what the person reads after the attempt's own words."""
    follows = {
        Way.requeue: "it goes on by requeue",
        Way.link: "it goes on with the next link",
        Way.slurm: "it goes on: Slurm has requeued it",
    }.get(sequel.way)
    if follows is None and sequel.code == ExitCode.STOPPED:
        follows = _by_hand(run)
    said = sequel.why if sequel.way is Way.nothing else ""
    return "; ".join(words for words in (f"({cause.value})", said, follows) if words)


def _by_hand(run: RunDir) -> str:
    """Return what a person may do; of a program that says nothing of it, we can't promise that it goes on."""
    resume = f"forgia resume {asked_as(run)}"
    if read_json(run.job)["kind"] == Kind.command.value and mark_of(run) is None:
        return f"what it saved, it knows alone; {resume} starts it again"
    return f"it can go on: {resume}"


def _facts(job: str | None) -> JobFacts | None:
    try:
        return job_facts(job, {}) if job else None
    except (SlurmSilentError, SlurmRefusedError, process.ProgramMissingError):
        return None


def _cancelled(run: RunDir) -> bool:
    """Whether `forgia cancel` was called since the newest attempt began, of a point for its sweep."""
    words = [event.what for event in run.events()]
    if "cancel_asked" in words[last_place(words, "batch_started") :]:
        return True
    begun = run.events("batch_started")
    sweep = sweep_of(run)
    asked = sweep.events("cancel_asked") if sweep and begun else []
    return any(event.time_ns > begun[-1].time_ns for event in asked)


def resubmit_word(scheduler: Mapping[str, Any]) -> str | None:
    """Return the sealed profile's word: requeue, singleton, none, or None where nobody has established it."""
    if "resubmit" in scheduler:
        word: str | None = scheduler["resubmit"]
        return word
    return (
        "requeue" if scheduler.get("requeue_allowed") else None
    )  # runs sealed before there was a word


def cause_of(
    told: Cause | None, facts: JobFacts | None, *, cancelled: bool, restarts: int
) -> Cause:
    """Tell what made the attempt stop: a user's own wish weighs more than any other sign.

    Args:
        told: what the stop flag was set for; None: a rank stopped by itself, on a signal of its own.
        facts: what slurmctld holds of the job now; None: it did not answer.
        cancelled: `forgia cancel` was called in this attempt.
        restarts: how often Slurm had restarted the job when this attempt began.
    """
    if cancelled:
        return Cause.asked
    if facts and (facts.preempted or (facts.state == "COMPLETING" and facts.restarts > restarts)):
        return Cause.preemption
    return told or Cause.asked


def follow(
    cause: Cause,
    facts: JobFacts | None,
    *,
    progress: bool | None,
    word: str | None,
    restarts: int,
) -> Sequel:
    """Decide what follows.

    Args:
        cause: what made it stop.
        facts: what slurmctld holds of the job now; None: it did not answer.
        progress: whether this attempt saved something new; None: nobody can know.
        word: the profile's word.
        restarts: how often Slurm had restarted the job when this attempt began.
    """
    if cause is Cause.asked:
        return Sequel(Way.nothing, "")
    if facts and facts.restarts > restarts:
        return Sequel(Way.slurm, "Slurm has requeued it")
    if _ended_by_slurm(facts):
        return Sequel(Way.nothing, "Slurm is ending the job already")
    if not progress:
        return _no_progress(cause, progress)
    return _allowed(word)


def _allowed(word: str | None) -> Sequel:
    """Return the way that the profile gives."""
    way = {"requeue": Way.requeue, "singleton": Way.link}.get(word or "", Way.nothing)
    why = "the profile forbids it" if word == "none" else "the profile does not say how"
    return Sequel(way, f"it does not go on by itself: {why} (scheduler.resubmit)")


def _no_progress(cause: Cause, progress: bool | None) -> Sequel:
    """Bounded by progress: an attempt without a new step would be repeated for ever."""
    if progress is None:
        why = "whether the program saved anything is not known to us (command.resumable)"
        return Sequel(Way.nothing, why)
    if cause is Cause.preemption:
        return Sequel(Way.nothing, "preempted before this attempt saved anything new")
    return Sequel(
        Way.nothing,
        "this attempt saved nothing new, so another would end the same; ask for more resources.walltime, "
        "or save more often",
        ExitCode.JOB_FAILED,
    )


def _ended_by_slurm(facts: JobFacts | None) -> bool:
    """Whether the job ends without our doing: scancel, a node that failed, a limit."""
    return facts is not None and facts.state != "RUNNING"
