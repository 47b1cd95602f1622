"""How a run under Slurm ended, told apart by evidence: our own record, Slurm's state, and what stands in the logs.

Slurm's state alone misleads: a job whose account ran dry is a TIMEOUT, one that outgrew its memory without
cgroups is FAILED, and COMPLETED says nothing of the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from forgia_hpc.errors import ExitCode
from forgia_hpc.jobs.record import Record, memory_line, named_nodes, used_up, why_cancelled
from forgia_hpc.jobs.standing import State
from forgia_hpc.slurm.state import SlurmState


class Word(Enum):
    """How it ended."""

    completed = "completed"
    stopped = "stopped"  # for the walltime, with everything saved
    preempted = "preempted"
    cancelled = "cancelled"
    timeout = "timeout"  # the ranks had not saved when the walltime came
    over_budget = "over_budget"
    node_failed = "node_failed"
    out_of_memory = "out_of_memory"
    seal_broken = "seal_broken"
    failed = "failed"  # a rank, and it said which
    killed = "killed"  # the batch step itself: no last word
    no_result = "no_result"


_STATES = {
    Word.completed: State.completed,
    Word.stopped: State.stopped,
    Word.preempted: State.preempted,
    Word.cancelled: State.cancelled,
    Word.timeout: State.timeout,
    Word.over_budget: State.over_budget,
    Word.node_failed: State.node_failed,
    Word.out_of_memory: State.out_of_memory,
}  # the rest is failed
_RESUMABLE = {
    Word.preempted,
    Word.cancelled,
    Word.timeout,
    Word.over_budget,
    Word.node_failed,
    Word.killed,
}


@dataclass(frozen=True)
class Ending:
    """How it ended, in a word and a sentence, and what shows it. saved: it can go on without loss."""

    word: Word
    why: str
    evidence: tuple[str, ...] = ()
    saved: bool = False
    can_go_on: bool = False

    @property
    def state(self) -> State:
        """The state of a run that ended so."""
        return State.stopped if self.saved else _STATES.get(self.word, State.failed)


def ending(record: Record, job: SlurmState) -> Ending:
    """Tell the ending of a job that Slurm calls ended; the surest evidence first."""
    said = _evidence(record, _spoken(job))
    # the batch step's word weighs more than the ranks': it knows whether anything new was saved
    saved = record.saved if record.code is None else record.code == ExitCode.STOPPED
    if job.state == "COMPLETED":
        return _completed(record, said)
    refused = record.code in (ExitCode.SEAL_BROKEN, ExitCode.INPUT)
    found = None if refused else _by_force(record, job)
    if found is None and not saved:
        return _by_itself(record, job, said)
    word, why = found or (Word.stopped, record.why or "its ranks stopped, and said so")
    if word is Word.timeout and saved:
        word, why = Word.stopped, f"stopped for the walltime ({_spoken(job)})"
    if found and saved:
        why += "; its program ended when asked to" if record.program else "; everything was saved"
    goes_on = saved or (record.begun and word in _RESUMABLE)
    return Ending(word, why, said, saved, goes_on)


def _by_itself(record: Record, job: SlurmState, said: tuple[str, ...]) -> Ending:
    """Nobody ended it, and it is no success."""
    if record.code == ExitCode.SEAL_BROKEN:
        return Ending(Word.seal_broken, f"seal broken: {record.why}", said)
    if record.code in (None, ExitCode.OK):
        why = f"its batch step ended without a last word ({_spoken(job)})"
        return Ending(Word.killed, why, said, can_go_on=record.begun)
    return Ending(Word.failed, record.why or f"exit code {record.code}", said)


def _by_force(record: Record, job: SlurmState) -> tuple[Word, str] | None:
    """Return who ended it from outside, or None."""
    if job.state == "OUT_OF_MEMORY" or memory_line(record.lines):
        return Word.out_of_memory, _words("it needed more memory than resources.mem_gb", record)
    if job.state in ("NODE_FAIL", "BOOT_FAIL") or why_cancelled(record.lines) == "NODE FAILURE":
        node = next(iter(named_nodes(record.lines)), job.nodes)
        return Word.node_failed, f"a node failed ({node or 'Slurm does not say which'})"
    if job.state in ("TIMEOUT", "DEADLINE"):
        return _timed_out(record, job)
    if job.state == "PREEMPTED" or why_cancelled(record.lines) == "PREEMPTION":
        return Word.preempted, "a job of higher priority took its nodes"
    if job.state == "CANCELLED" or record.cancel_asked:
        return Word.cancelled, _who_cancelled(record, job)
    return None


def _who_cancelled(record: Record, job: SlurmState) -> str:
    if record.cancel_asked:
        return "forgia cancel"
    return (
        f"scancel ({_spoken(job)})"
        if record.begun
        else f"scancel, before it began ({_spoken(job)})"
    )


def _timed_out(record: Record, job: SlurmState) -> tuple[Word, str]:
    """Tell the walltime from a budget that ran out: Slurm calls both TIMEOUT, with exit code 0:0."""
    told = used_up(record.lines)
    if job.elapsed_s is None or job.limit_s is None or job.state == "DEADLINE":
        early = ""
    else:
        early = f"{job.elapsed_s} s into a limit of {job.limit_s} s"
        early = early if job.elapsed_s < job.limit_s else ""
    if told or early:
        shown = "; ".join(words for words in (early, told) if words)
        return Word.over_budget, f"the minutes of its account or QOS were used up ({shown})"
    return Word.timeout, f"the walltime came before the ranks had saved ({_spoken(job)})"


def _completed(record: Record, said: tuple[str, ...]) -> Ending:
    if record.code == ExitCode.OK and record.result:
        return Ending(Word.completed, "", said)
    why = record.why or "COMPLETED for Slurm, but it left no result"
    return Ending(Word.no_result, why, said)


def _words(sentence: str, record: Record) -> str:
    line = memory_line(record.lines)
    return f"{sentence} ({line.strip()})" if line else sentence


def _evidence(record: Record, slurm: str) -> tuple[str, ...]:
    own = "no last word" if record.code is None else f"last word: exit {record.code} {record.why}"
    asked = ("cancel_asked",) if record.cancel_asked else ()
    return (f"Slurm: {slurm}", own.strip(), *asked, *(line.strip() for line in record.lines))


def _spoken(job: SlurmState) -> str:
    return f"{job.state} {job.exit_code or 0}:{job.signal or 0}" + (
        f" {job.reason}" if job.reason not in ("", "None") else ""
    )
