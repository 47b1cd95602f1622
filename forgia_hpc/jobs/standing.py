"""The words of where a run stands."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from forgia_hpc.errors import ExitCode
from forgia_hpc.rundir import Event, RunDir


class State(Enum):
    """Where a run stands."""

    sealed = "sealed"  # never submitted
    pending = "pending"
    held = "held"  # Slurm has it, and starts it no more before its owner releases it
    running = "running"
    completed = "completed"
    failed = "failed"
    stopped = "stopped"  # it left when asked to, and can go on; what a program saved it knows alone
    cancelled = "cancelled"
    timeout = "timeout"
    preempted = "preempted"
    node_failed = "node_failed"
    out_of_memory = "out_of_memory"
    over_budget = "over_budget"
    vanished = "vanished"  # Slurm no longer knows it, and it left no last word
    unknown = "unknown"  # Slurm did not answer
    broken = "broken"  # its own record can't be read


class Standing(NamedTuple):
    """Where a run stands, why, on which nodes, and what shows how it ended."""

    state: State
    why: str = ""
    nodes: str = ""
    evidence: tuple[str, ...] = ()
    when: str = ""


LIVE = frozenset({State.pending, State.held, State.running})  # Slurm has its job
ENDED = frozenset(State) - LIVE - {State.sealed, State.unknown}


@dataclass(frozen=True, kw_only=True)
class Status:
    """One run as `forgia status` shows it."""

    run: RunDir
    kind: str
    cluster: str
    job_id: str
    state: State
    why: str = ""
    step: int | None = None
    steps: int | None = None
    phase: str = ""  # whose step: a train job judges its model at the end
    nodes: str = ""
    evidence: tuple[str, ...] = ()  # of how it ended: Slurm's words, ours, lines of the logs
    when: str = ""  # when a waiting run should start, how long a running one should still take
    members: dict[str, Any] = field(default_factory=dict)  # of a campaign: jobs/members.py

    @property
    def ended(self) -> bool:
        """No more will happen by itself."""
        return self.state in ENDED

    @property
    def rests(self) -> bool:
        """It has ended, or waits for a person: to wait for it is in vain."""
        return self.ended or self.state is State.held

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that tells this state."""
        if self.state is State.unknown:
            return ExitCode.SLURM_SILENT
        if self.state is State.broken:
            return ExitCode.SEAL_BROKEN
        word = last_word(self.run) if self.state is State.failed else None
        if word and word.facts["exit_code"] in (ExitCode.INPUT, ExitCode.SEAL_BROKEN):
            return ExitCode(word.facts["exit_code"])
        if self.state in (State.stopped, State.held):
            return ExitCode.STOPPED
        return ExitCode.OK if self.state is State.completed else ExitCode.JOB_FAILED

    def as_json(self) -> dict[str, Any]:
        """Return the status for `--json`."""
        plain = asdict(self)
        return {
            **plain,
            "run": self.run.name,
            "path": str(self.run.path),
            "state": self.state.value,
        }


def last_word(run: RunDir) -> Event | None:
    """Return the end of the newest attempt as the batch step told it, or None while there is none."""
    started, ended = run.events("batch_started"), run.events("batch_ended")
    newest = started[-1].facts["attempt"] if started else None
    # an earlier attempt that lost its node may have lived on, and said its last word late
    own = [one for one in ended if newest is None or one.facts["attempt"] == newest]
    return own[-1] if own else None
