"""Where the points of a sweep stand; what is missing, sent again; cancelled."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from forgia_hpc.errors import InputError, Problem, SlurmSilentError
from forgia_hpc.jobs import journal
from forgia_hpc.jobs.feed import Fed, feed, feed_quietly, order
from forgia_hpc.jobs.held_job import release as release_job
from forgia_hpc.jobs.local import start_local
from forgia_hpc.jobs.package import Sealed, seal
from forgia_hpc.jobs.payer import Payer
from forgia_hpc.jobs.point_states import PointStatus, point_states
from forgia_hpc.jobs.standing import State, Status
from forgia_hpc.jobs.submission import sealed_record, submitted
from forgia_hpc.jobs.submit import ask_to_stop
from forgia_hpc.jobs.sweep import SweepPlan
from forgia_hpc.jobs.sweep_budget import held_missing, held_sweep, release
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.slurm.executor import require_slurm
from forgia_hpc.slurm.state import cancel
from forgia_hpc.sweepdir import SweepDir

LIVE = frozenset({State.pending, State.held, State.running, State.unknown})
# what a sweep is called that holds these, the first that is there
_SWEEP = (State.unknown, State.running, State.pending, State.held)
_WORDS = {State.completed: "done", State.sealed: "not sent"}


def submit_sweep(plan: SweepPlan, payer: Payer) -> tuple[Sealed, Fed]:
    """Seal a sweep and submit what Slurm takes of it now; without Slurm start it as a process.

    Raises:
        InputError: Slurm or the budget refused it, or there is no Slurm on this machine.
        SlurmSilentError: no answer; the sweep stays, and `forgia status` goes on with it.
    """
    if plan.cluster.slurm:
        require_slurm(plan.cluster.environment())
    with held_sweep(plan.run, plan.price(), payer):
        sealed = seal(plan)
        return sealed, send(SweepDir(sealed.run.path), tuple(range(len(plan.points))))


def send(sweep: SweepDir, points: tuple[int, ...]) -> Fed:
    """Order these points and submit what can be."""
    order(sweep, points)
    if sealed_record(sweep)["slurm"]:
        return feed(sweep)
    facts = start_local(sweep, read_json(sweep.manifest)["digest"], detached=True)
    return Fed(sent=[{**facts, "points": len(points)}])


def counts(states: Sequence[PointStatus]) -> dict[State, int]:
    """Return how many points stand where, in the order of the states."""
    found = Counter(one.state for one in states)
    return {state: found[state] for state in (State.completed, *State) if found[state]}


def counted(numbers: Mapping[State, int]) -> str:
    """Return the counts as one line: 4,812 done, 3 failed, 12 running."""
    return ", ".join(
        f"{count:,} {_WORDS.get(state, state.value.replace('_', ' '))}"
        for state, count in numbers.items()
    )


def sweep_status(run: RunDir) -> Status:
    """Return a sweep as one line of `forgia status`; where points wait for room, it is fed."""
    sweep = SweepDir(run.path)
    record = sealed_record(sweep)
    told = submitted(sweep)
    base = Status(
        run=run,
        kind="sweep",
        cluster=record["cluster"],
        job_id=str(told.get("job_id") or told.get("pid") or ""),
        state=State.unknown,
        steps=record["points"],
    )
    try:
        fed = feed_quietly(sweep) if record["slurm"] and sweep.waiting() else Fed()
        numbers = counts(point_states(sweep))
    except (SlurmSilentError, InputError) as error:
        return replace(base, why=str(error).splitlines()[0])
    state = _whole(numbers)
    if fed.left and not fed.refused and state not in LIVE:
        state = State.pending
    if state not in LIVE:
        release(sweep)
    why = counted(numbers) + (f"; {fed.left} wait: {fed.why}" if fed.left else "")
    if State.stopped in numbers and state not in LIVE:
        why += f"; forgia resume {run.name} sends what is missing"
    if state is State.held:
        why += f"; forgia resume {run.name} releases what Slurm holds"
    return replace(base, state=state, why=why, step=numbers.get(State.completed, 0))


def _whole(numbers: Mapping[State, int]) -> State:
    """Return the state of a sweep from those of its points."""
    live = next((state for state in _SWEEP if state in numbers), None)
    if live is not None:
        return live
    if {*numbers} == {State.completed}:
        return State.completed
    if {*numbers} == {State.sealed}:
        return State.sealed
    ends = {*numbers} - {State.completed, State.sealed}
    return next(iter(ends)) if len(ends) == 1 else State.failed if ends else State.stopped


def resume_sweep(sweep: SweepDir) -> Fed:
    """Send again what is missing: the points that failed, vanished or were never started.

    Tasks that Slurm holds are released.

    Raises:
        InputError: nothing is missing, or packed points still run.
    """
    states = point_states(sweep)
    missing = tuple(
        one.index for one in states if one.state is not State.completed and one.state not in LIVE
    )
    live = sum(one.state in LIVE for one in states)
    packed = bool(read_json(sweep.manifest)["start"]["allocation"])
    held = sorted({one.job for one in states if one.state is State.held})
    released = [release_job(sweep, job) for job in held]
    if released and (packed or not missing):
        return Fed(released=released)
    if not missing or (live and (packed or not sealed_record(sweep)["slurm"])):
        limit = (
            f"{live} of its points are still queued or running" if live else "all points are done"
        )
        fix = f"forgia wait {sweep.name}" if live else "nothing to resume"
        raise InputError(Problem(field="RUN", got=sweep.name, limit=limit, fix=fix))
    with held_missing(sweep, missing):
        return replace(send(sweep, missing), released=released)


def cancel_sweep(sweep: SweepDir) -> None:
    """Cancel what is queued or running, and send nothing more.

    Raises:
        InputError: it was never submitted.
        SlurmSilentError: scancel gave no answer; the jobs may still run.
    """
    order(sweep, ())
    record = sealed_record(sweep)
    if not record["slurm"]:
        ask_to_stop(sweep)
        return
    environment = record["slurm_environment"]
    sweep.event("cancel_asked", by=os.environ.get("USER", ""), host=os.uname().nodename)
    names = {entry.name for entry in journal.entries(sweep)}
    found = journal.find(sweep, names, environment, accounting=False) if names else []
    if live := [job.job_id for job in found if job.live]:
        cancel(live, environment)
