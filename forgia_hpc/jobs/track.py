"""The state of a run: our own record, squeue and sacct together, never one alone."""

from __future__ import annotations

import importlib
import os
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from forgia_hpc.errors import ExitCode, InputError, SealBrokenError, SlurmSilentError
from forgia_hpc.jobs import journal
from forgia_hpc.jobs.ending import ending
from forgia_hpc.jobs.eta import left, starts
from forgia_hpc.jobs.history import history
from forgia_hpc.jobs.members import members_so_far
from forgia_hpc.jobs.record import read_record
from forgia_hpc.jobs.standing import Standing, State, Status, last_word
from forgia_hpc.jobs.submission import alive, is_ours, sealed_record, submitted
from forgia_hpc.jobs.unmet import never_began
from forgia_hpc.metrics import last_row
from forgia_hpc.rundir import RunDir
from forgia_hpc.slurm.control import clear_hold
from forgia_hpc.slurm.reasons import in_words, is_held
from forgia_hpc.slurm.state import GOING, WAITING, SlurmState, states

NO_ROOM = 2**20  # bytes; a file system with less takes no last word


def status_of(runs: Sequence[RunDir], *, strict: bool = False) -> list[Status]:
    """Return the status of each run, with one question to each Slurm; a broken run hides no other.

    Raises:
        InputError: `strict`, and this machine has no way to ask: waiting for an answer would never end.
    """
    facts: dict[RunDir, Facts] = {}
    found: dict[RunDir, Status] = {}
    for run in runs:
        try:
            facts[run] = (sealed_record(run), submitted(run))
        except SealBrokenError as error:
            found[run] = Status(
                run=run, kind="", cluster="", job_id="", state=State.broken, why=str(error)
            )
    wholes = [run for run, (job, _) in facts.items() if job["kind"] in WHOLES]
    found |= {run: _whole(run, facts.pop(run)[0]["kind"]) for run in wholes}
    answers = _ask_each(facts.values(), strict=strict)
    for run, (job, told) in facts.items():
        if not job["slurm"]:
            state = _local(run, told)
        elif told and not journal.in_doubt(run, told):
            state = _slurm(run, told, answers[str(job["slurm_environment"])])
            if state[0] is State.vanished and not _started(run, told["job_id"]):
                state = _lost(run, job["slurm_environment"], told)
        else:
            state = _lost(run, job["slurm_environment"], {})
        found[run] = _status(run, job, submitted(run), state)
    return [found[run] for run in runs]


# runs made of others → who tells their status; they stand on this file, so they are found by name
WHOLES = {
    "sweep": "forgia_hpc.jobs.points:sweep_status",
    "chain": "forgia_hpc.jobs.chain_state:chain_status",
}


def _whole(run: RunDir, kind: str) -> Status:
    module, _, name = WHOLES[kind].partition(":")
    found: Status = getattr(importlib.import_module(module), name)(run)
    return found


Facts = tuple[dict[str, Any], dict[str, Any]]  # the sealed record, and the newest submission
Answer = dict[str, SlurmState] | str  # what Slurm says of its jobs, or why it said nothing


def _ask_each(facts: Collection[Facts], *, strict: bool) -> dict[str, Answer]:
    """Ask each Slurm once for all its jobs."""
    under_slurm = [(job["slurm_environment"], told) for job, told in facts if job["slurm"]]
    asked: dict[str, Answer] = {}
    for key, environment in {str(where): where for where, _ in under_slurm}.items():
        ids = [job for where, told in under_slurm if str(where) == key for job in _ids(told)]
        try:
            asked[key] = states(ids, environment) if ids else {}
        except SlurmSilentError:
            asked[key] = "Slurm did not answer"
        except InputError as error:  # no squeue here: no reason to hide the other runs
            if strict:
                raise
            asked[key] = f"Slurm can't be asked: {error.problems[0].got}"
    return asked


def _lost(run: RunDir, environment: Mapping[str, str], told: Mapping[str, Any]) -> Standing:
    """A run under Slurm whose newest job is not known, or `told` and unknown to Slurm."""
    try:
        why = journal.settled(run, environment)
        newer = submitted(run)
        if newer.get("job_id") != told.get("job_id"):
            return _slurm(run, newer, states(_ids(newer), environment))
    except (SlurmSilentError, InputError) as error:
        return Standing(State.unknown, str(error))
    if not told:
        return Standing(State.sealed, why)
    why = f"Slurm knows no job {told['job_id']} of this run, and it never started"
    return Standing(State.vanished, f"{why}; forgia resume {run.name} sends it again")


def _ids(told: Mapping[str, Any]) -> list[str]:
    """Return the jobs to ask for: the newest, and for the next link of a chain the one before it."""
    return [job for job in (told.get("job_id"), _before(told)) if job]


def _before(told: Mapping[str, Any]) -> str:
    return str(told.get("after", "")).rpartition(":")[2]


def _status(
    run: RunDir, job: Mapping[str, Any], told: Mapping[str, Any], state: Standing
) -> Status:
    try:
        last = last_row(run.metrics) or {}
    except ValueError:
        last = {}  # the report names what is wrong; the state is told all the same
    before = history(run)
    return Status(
        run=run,
        kind=job["kind"],
        cluster=job["cluster"],
        job_id=str(told.get("job_id") or told.get("pid") or ""),
        state=state.state,
        why="; ".join(filter(None, (state.why, *(sentence for sentence, _ in before)))),
        nodes=state.nodes,
        evidence=(*state.evidence, *(line for _, lines in before for line in lines)),
        when=left(last) if state.state is State.running else state.when,
        step=last.get("step"),
        steps=last.get("of"),
        phase=str(last.get("phase", "")),
        members=members_so_far(run, job["kind"], running=state.state is State.running),
    )


def _own(run: RunDir) -> Standing | None:
    """What our own record says of the newest attempt."""
    ended = last_word(run)
    if ended is None:
        return None
    code, why = ended.facts["exit_code"], ended.facts.get("why") or ""
    if code == ExitCode.OK and run.result.exists():
        return Standing(State.completed)
    if code == ExitCode.STOPPED:
        return Standing(State.stopped, why)
    if code == ExitCode.SEAL_BROKEN:
        return Standing(State.failed, f"seal broken: {why}")
    return Standing(State.failed, why or f"exit code {code}")


def _local(run: RunDir, told: Mapping[str, Any]) -> Standing:
    """A run of plain processes on one machine."""
    if not told:
        return Standing(State.sealed)
    own = _own(run)
    living = alive(told)
    if own and not living:
        return own
    if told.get("host") != os.uname().nodename:
        return own or Standing(State.unknown, f"it was started on {told.get('host')}; ask there")
    if living:
        return Standing(State.running, "", told["host"])
    if _asked_to_end(run):  # its SIGTERM came before the batch step listened
        return Standing(State.cancelled, "forgia cancel, before it could say a word")
    why = "its batch step is gone and left no last word: killed, or the machine went down"
    if shutil.disk_usage(run.path).free < NO_ROOM:
        why = (
            f"its batch step is gone, and could leave no last word: the disk of {run.path} is full"
        )
    return Standing(State.failed, why)


def _asked_to_end(run: RunDir) -> bool:
    """Whether `forgia cancel` was called since the newest attempt was started."""
    asked, sent = run.events("cancel_asked"), run.events("submitted")
    return bool(asked) and (not sent or asked[-1].time_ns > sent[-1].time_ns)


def _started(run: RunDir, job_id: str) -> bool:
    return any(event.facts.get("job_id") == job_id for event in run.events("batch_started"))


def _slurm(run: RunDir, told: Mapping[str, Any], answer: Answer) -> Standing:
    """A run under Slurm."""
    own = _own(run)
    if isinstance(answer, str):
        return Standing(State.unknown, answer)
    ours = {key: job for key, job in answer.items() if not job.name or is_ours(job.name, run)}
    before, job = ours.get(_before(told)), ours.get(told["job_id"])
    if before is not None and before.state in GOING:
        return Standing(State.running, "", before.nodes)
    if job is None:
        why = "Slurm no longer knows this job, and it left no last word"
        return own or Standing(State.vanished, why)
    if job.state in WAITING:
        return _waiting(run, job)
    if job.state in GOING:
        return Standing(State.running, "", job.nodes)
    return _ended(run, told, job)


def _waiting(run: RunDir, job: SlurmState) -> Standing:
    if is_held(job.reason):
        why = f"{in_words(job.reason)}; forgia resume {run.name} releases it"
        return Standing(State.held, why)
    return Standing(State.pending, _waits_for(run, job), when=starts(job.start, time.time()))


def _waits_for(run: RunDir, job: SlurmState) -> str:
    """Return Slurm's reason; the hold of two minutes after a requeue is cleared by whoever asks first."""
    gone_before = _started(run, job.job_id) or run.count("released") > 0
    if job.reason == "BeginTime" and gone_before:
        environment = sealed_record(run)["slurm_environment"]
        if clear_hold(job.job_id, environment, now=time.time()):
            return "requeued; it may start now"
    return in_words(job.reason)


def _ended(run: RunDir, told: Mapping[str, Any], job: SlurmState) -> Standing:
    """Slurm says it is over: our own record, its words and the logs together tell how."""
    if job.state == "CANCELLED" and (why := never_began(run, told)):
        return Standing(State.cancelled, f"{why}; forgia resume {run.name}", job.nodes)
    record = read_record(run)
    found = ending(record, job)
    why = found.why
    if found.can_go_on and "forgia resume" not in why:
        resume = f"forgia resume {run.name}"
        why += f"; {resume} starts it again" if record.program else f"; it can go on: {resume}"
    return Standing(found.state, why, job.nodes, found.evidence)
