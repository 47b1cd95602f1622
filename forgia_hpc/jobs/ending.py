"""How a run under Slurm ended, told apart by evidence: our own record, Slurm's state, and what stands in the logs.

Slurm's state alone misleads: a job whose account ran dry is a TIMEOUT, one that outgrew its memory without
cgroups is FAILED, and COMPLETED says nothing of the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from forgia_hpc.errors import ExitCode
from forgia_hpc.rundir import Event, RunDir
from forgia_hpc.slurm.state import SlurmState

LOGS = ("batch.err", "launcher.log")
_TAIL = 2**16  # bytes
# Slurm's own lines only: a rank's "CUDA out of memory" is another memory
_MEMORY = re.compile(
    r"^(?:slurmstepd|srun).*(?:xceeded (?:job )?memory limit|oom[-_ ]?kill|Out [Oo]f [Mm]emory)"
)
_CANCELLED = re.compile(
    r"^slurmstepd.*\*\*\* (?:JOB|STEP) .* CANCELLED AT \S+(?: DUE TO (?P<why>[A-Z ]+))?"
)
_BUDGET = re.compile(r"^slurmstepd.*REASON: Job is at or exceeds (?P<what>.*minutes of \d+)")
_NODE = re.compile(r"^srun: error: Node failure on (?P<node>\S+)")


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


_RESUMABLE = {
    Word.preempted,
    Word.cancelled,
    Word.timeout,
    Word.over_budget,
    Word.node_failed,
    Word.killed,
}


@dataclass(frozen=True, kw_only=True)
class Record:
    """What the newest attempt left: its last word, its ranks' words, and telling lines of its logs."""

    begun: bool = False  # there was an attempt
    code: int | None = None  # of batch_ended; None: it left no last word
    why: str = ""
    cause: str = ""  # walltime | preemption | asked, where it stopped
    result: bool = False
    saved: bool = False  # its ranks stopped together, everything saved
    cancel_asked: bool = False
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How it ended, in a word and a sentence, and what shows it. saved: it can go on without loss."""

    word: Word
    why: str
    evidence: tuple[str, ...] = ()
    saved: bool = False
    can_go_on: bool = False


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
    word, why = found or (Word.stopped, record.why or "its ranks stopped and said so")
    if word is Word.timeout and saved:
        word, why = Word.stopped, f"stopped for the walltime ({_spoken(job)})"
    if found and saved:
        why += "; it stopped when asked to"
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
    if job.state == "OUT_OF_MEMORY" or _first(_MEMORY, record.lines):
        return Word.out_of_memory, _words("it needed more memory than resources.mem_gb", record)
    if job.state in ("NODE_FAIL", "BOOT_FAIL") or _why(record) == "NODE FAILURE":
        node = next((m["node"] for line in record.lines if (m := _NODE.search(line))), job.nodes)
        return Word.node_failed, f"a node failed ({node or 'Slurm does not say which'})"
    if job.state in ("TIMEOUT", "DEADLINE"):
        return _timed_out(record, job)
    if job.state == "PREEMPTED" or _why(record) == "PREEMPTION":
        return Word.preempted, "a job of higher priority took its nodes"
    if job.state == "CANCELLED" or record.cancel_asked:
        return Word.cancelled, "forgia cancel" if record.cancel_asked else f"Slurm: {_spoken(job)}"
    return None


def _timed_out(record: Record, job: SlurmState) -> tuple[Word, str]:
    """Tell the walltime from a budget that ran out: Slurm calls both TIMEOUT, with exit code 0:0."""
    told = next((m["what"] for line in record.lines if (m := _BUDGET.search(line))), "")
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
    line = _first(_MEMORY, record.lines)
    return f"{sentence} ({line.strip()})" if line else sentence


def _why(record: Record) -> str:
    """Return what slurmstepd gave as its reason, PREEMPTION or NODE FAILURE; nothing for a plain cancel."""
    found = [m["why"] or "" for line in record.lines if (m := _CANCELLED.search(line))]
    return found[-1].strip() if found else ""


def _evidence(record: Record, slurm: str) -> tuple[str, ...]:
    own = "no last word" if record.code is None else f"last word: exit {record.code} {record.why}"
    asked = ("cancel_asked",) if record.cancel_asked else ()
    return (f"Slurm: {slurm}", own.strip(), *asked, *(line.strip() for line in record.lines))


def _spoken(job: SlurmState) -> str:
    return f"{job.state} {job.exit_code}:{job.signal}" + (
        f" {job.reason}" if job.reason not in ("", "None") else ""
    )


def _first(pattern: re.Pattern[str], lines: Iterable[str]) -> str:
    return next((line for line in lines if pattern.search(line)), "")


def read_record(run: RunDir) -> Record:
    """Read what the newest attempt of a run left."""
    attempt = _newest_attempt(run.events())
    started = next((e.facts for e in attempt if e.what == "batch_started"), {})
    ended = next((e.facts for e in reversed(attempt) if e.what == "batch_ended"), {})
    words = {event.what for event in attempt}
    refused = next((e.facts for e in attempt if e.what == "not_resubmitted"), None)
    why = (
        f"stopped ({ended.get('cause')}); it was not resubmitted: {refused['why']}"
        if refused
        else ""
    )
    return Record(
        begun=bool(attempt),
        code=ended.get("exit_code"),
        why=why or ended.get("why") or "",
        cause=ended.get("cause") or "",
        result=run.result.exists(),
        saved="rank_stopped" in words and "rank_failed" not in words,
        cancel_asked="cancel_asked" in words,
        lines=_telling_lines(run, started.get("logs") or {}),
    )


def _newest_attempt(events: list[Event]) -> list[Event]:
    begun = [place for place, event in enumerate(events) if event.what == "batch_started"]
    return events[begun[-1] :] if begun else []


def _telling_lines(run: RunDir, begun: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the lines in which Slurm says why it ended something, from where the attempt began to write."""
    found: list[str] = []
    for name in LOGS:
        path = run.logs / name
        if not path.exists():
            continue
        with path.open("rb") as opened:
            begin = max(int(begun.get(name, 0)), path.stat().st_size - _TAIL)
            opened.seek(begin)
            lines = opened.read().decode(errors="replace").splitlines()
        found += [
            line
            for line in lines
            if any(p.search(line) for p in (_MEMORY, _CANCELLED, _BUDGET, _NODE))
        ]
    return tuple(dict.fromkeys(found[-20:]))
