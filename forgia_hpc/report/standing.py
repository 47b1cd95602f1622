"""Where a run stands, as far as its own directory tells."""

from __future__ import annotations

from dataclasses import dataclass

from forgia_hpc.errors import ExitCode
from forgia_hpc.report.facts import RunFacts
from forgia_hpc.report.figures import number
from forgia_hpc.rundir import Event

# What an event says of the whole run. Events that are not here (a checkpoint, a notice) say nothing about it.
_TELLING = {
    "sealed": "sealed",
    "submitting": "submitting",
    "submission_refused": "failed",
    "submitted": "submitted",
    "cancel_asked": "cancelled",
    "batch_started": "started",
    "seal_checked": "started",
    "rank_failed": "failed",
    "rank_stopped": "stopped",
}
_ENDINGS: dict[int, str] = {ExitCode.OK: "finished", ExitCode.STOPPED: "stopped"}
_OPEN = ("sealed", "submitting", "submitted", "started", "unknown")
_CAUSES = ("why", "error", "cause", "reason")


@dataclass(frozen=True)
class Standing:
    """One word for a badge, and what it rests on."""

    word: str  # of a badge: finished, failed, cancelled, stopped, started, submitted, sealed, unknown …
    because: str

    @property
    def is_trouble(self) -> bool:
        """Whether somebody has to do something."""
        return self.word in ("failed", "cancelled", "timeout", "vanished", "unknown")


def standing(facts: RunFacts, told: str = "") -> Standing:
    """Return where the run stands: its last telling event, and a result where it says finished.

    What the directory leaves open is decided by `told`, the state that jobs/track found by asking Slurm too.
    """
    found = _by_itself(facts)
    if told and found.word in _OPEN and told != found.word:
        return Standing(told, f"{found.because}; Slurm and the files together say {told}")
    return found


def _by_itself(facts: RunFacts) -> Standing:
    last = next((event for event in reversed(facts.events) if _word(event)), None)
    word = _word(last) if last else ""
    because = f"The last telling event is {last.what}" if last else ""
    if facts.result and _may_have_finished(word, last, facts.result):
        return Standing("finished", "result.json is there")
    if word == "finished":
        return Standing("failed", f"{because} with exit code 0, but there is no result.json")
    if word:
        return Standing(word, because)
    if facts.rows:
        return Standing("started", "There are metrics, but no event and no result")
    return Standing("unknown", "There is no event, no metric and no result in this directory")


def error_of(facts: RunFacts) -> str:
    """Return the last error that an event tells, or an empty string."""
    said = (event.facts.get(key) for event in reversed(facts.events) for key in _CAUSES)
    return next((str(words) for words in said if words), "")


def trace_of(facts: RunFacts) -> str:
    """Return the last traceback that an event tells, or an empty string."""
    said = (event.facts.get("trace") for event in reversed(facts.events))
    return next((str(words) for words in said if words), "")


def _word(event: Event) -> str:
    if event.what == "batch_ended":
        code = number(event.facts.get("exit_code"))
        return "failed" if code is None else _ENDINGS.get(int(code), "failed")
    return _TELLING.get(event.what, "")


def _may_have_finished(word: str, last: Event | None, result: dict[str, object]) -> bool:
    """Say whether the result is of the last attempt: an older one may lie there while another computes."""
    if word in ("failed", "stopped", "cancelled"):
        return False
    if word != "started" or last is None:
        return True
    mine, running = number(result.get("attempt")), number(last.facts.get("attempt"))
    return mine is None or running is None or mine >= running
