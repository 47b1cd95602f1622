"""One attempt's watch: the ranks, the signals, the walltime; what asks for a stop becomes the stop flag."""

from __future__ import annotations

import signal
import time
from types import FrameType

from forgia_hpc.errors import ExitCode, SupersededError
from forgia_hpc.node.deadline import Deadline
from forgia_hpc.node.launch import Ranks
from forgia_hpc.node.sequel import Cause
from forgia_hpc.node.stall import Stall, StallWatch
from forgia_hpc.rundir import RunDir, write_text
from forgia_hpc.runtime.stop import is_superseded, stop_file

POLL_S = 0.2
LOOK_S = 2.0  # between two looks whether a later attempt has begun
LEAVE_S = 20.0  # for ranks of an attempt that was superseded: they see it themselves


class Ear:
    """Hears SIGUSR1 from the first moment: checking the seal takes minutes, and the script's shell ignores it."""

    def __init__(self) -> None:
        """Listen."""
        self.heard: str | None = None
        signal.signal(signal.SIGUSR1, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.heard = signal.Signals(number).name


class Watch:
    """Waits for the ranks, and asks them to stop once."""

    def __init__(
        self,
        run: RunDir,
        attempt: int,
        deadline: Deadline | None = None,
        stalls: StallWatch | None = None,
        ear: Ear | None = None,
    ) -> None:
        """Install the signal handlers; they only note, the loop acts. `ear` may have heard one before."""
        self._run, self._attempt = run, attempt
        self._deadline, self._stalls = deadline, stalls
        self._signal: str | None = None
        self._next_look = 0.0
        self.told: Cause | None = None
        self.stall: Stall | None = None
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        self._signal = self._signal or (ear.heard if ear else None)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        # a warning must not hide behind another, nor a cancel behind a warning
        self._signal = name if self._signal in (None, "SIGUSR1") else self._signal

    def wait(self, ranks: Ranks) -> int:
        """Return the launcher's exit code once all ranks have ended, or were ended because of a stall.

        Raises:
            SupersededError: a later attempt of this run has begun.
        """
        while (code := ranks.poll()) is None:
            self.look(time.time())
            self._give_way(ranks)
            if self._stalled():
                ranks.terminate()
                return ExitCode.JOB_FAILED
            time.sleep(POLL_S)
        if code:
            self._next_look = 0.0  # they may have left because of that
            self._give_way(ranks)
        return code

    def _give_way(self, ranks: Ranks) -> None:
        """Let the ranks leave, and leave, where a later attempt has begun: slurmctld gave this node up."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_S
        if not is_superseded(self._run, self._attempt):
            return
        until = time.monotonic() + LEAVE_S
        while ranks.poll() is None and time.monotonic() < until:
            time.sleep(POLL_S)
        raise SupersededError("a later attempt of this run has begun elsewhere; this one gives way")

    def _stalled(self) -> bool:
        """Tell of a stall, with every rank's stacks; whether it ends the job."""
        found = self._stalls.look() if self._stalls else None
        if found is None or self._stalls is None:
            return False
        facts = {
            "attempt": self._attempt,
            "verdict": found.kind.value,
            "ranks": found.ranks,
            "nodes": found.nodes,
            "evidence": found.evidence,
        }
        if not found.ends:
            self._run.event("straggler", **facts)
            return False
        self._run.event("stalled", **facts, stacks=self._stalls.stacks())
        self.told, self.stall = Cause.stalled, found
        return True

    def look(self, now: float) -> None:
        """Ask the ranks to stop if it is time or somebody wishes it."""
        if self.told is not None:
            return
        wish, by = self._wish(now)
        if wish is not None:
            self._tell(wish, by)

    def _wish(self, now: float) -> tuple[Cause | None, str]:
        by, self._signal = self._signal, None
        if by == "SIGUSR1" and self._deadline:
            return self._warned(self._deadline, now), by
        if by:
            return Cause.asked, by
        if self._deadline and self._deadline.due(now):
            return Cause.walltime, ""
        if self._deadline and self._deadline.given_up:
            return Cause.node_failure, ""
        return None, ""

    def _warned(self, deadline: Deadline, now: float) -> Cause | None:
        """Slurm's own warning is early by up to a minute: where we know better, we go on until then."""
        meaning = deadline.warned(now)
        if meaning == "later":
            self._run.event("warned", attempt=self._attempt, **deadline.facts())
            return None
        return Cause(meaning)

    def _tell(self, wish: Cause, by: str) -> None:
        self.told = wish
        flag = stop_file(self._run, self._attempt)
        flag.parent.mkdir(exist_ok=True)
        write_text(flag, f"{by or wish.value}\n")
        known = self._deadline.facts() if self._deadline else {}
        self._run.event(
            "stop_asked", attempt=self._attempt, cause=wish.value, signal=by or None, **known
        )
