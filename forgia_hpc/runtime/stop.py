"""The wish to stop: a file of the run, or a signal. Ranks act on it together, at a step boundary."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from forgia_hpc.errors import SupersededError
from forgia_hpc.rundir import RunDir

SUPERSEDED = "superseded"  # in the file: a later attempt has begun, so leave and save nothing
_SIGNALS = (signal.SIGUSR1, signal.SIGTERM)


def stop_file(run: RunDir, attempt: int) -> Path:
    """Return the file whose presence asks this attempt to stop; one left by an earlier attempt means nothing."""
    return run.path / "stop" / str(attempt)


def request_stop(run: RunDir, attempt: int) -> None:
    """Ask all ranks of an attempt to save and stop."""
    path = stop_file(run, attempt)
    path.parent.mkdir(exist_ok=True)
    path.touch()


def is_superseded(run: RunDir, attempt: int) -> bool:
    """Whether a later attempt of this run has begun: its processes would write beside ours."""
    return _word(stop_file(run, attempt)) == SUPERSEDED


def _word(path: Path) -> str | None:
    """Return what the file holds; None: nobody asks."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


class StopFlag:
    """Set by SIGUSR1, by SIGTERM, or by the file; once set it stays set."""

    def __init__(self, run: RunDir, attempt: int, *, poll_s: float = 0.5) -> None:
        """Take a run and an attempt; the file is looked for at most every `poll_s` seconds."""
        self._path = stop_file(run, attempt)
        self._poll_s = poll_s
        self._next_look = 0.0
        self._pid = os.getpid()
        self._requested = self._signalled = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopFlag:
        """Listen to the signals."""
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def requested(self) -> bool:
        """Whether somebody asked to stop.

        Raises:
            SupersededError: a later attempt has begun; what this one would save is not wanted any more.
        """
        news = self._signalled and not self._requested
        if news or time.monotonic() >= self._next_look:
            # also once it is set: whoever was asked to stop may be superseded while it saves
            self._next_look = time.monotonic() + self._poll_s
            word = self._still_wanted()
            self._requested = self._requested or self._signalled or word is not None
        return self._requested

    def check_wanted(self) -> None:
        """Look now, whatever was seen before: for whoever is about to commit what it saved.

        Raises:
            SupersededError: a later attempt has begun, and would read or write beside it.
        """
        self._still_wanted()

    def _still_wanted(self) -> str | None:
        """Return what the file holds now; None: nobody asks."""
        word = _word(self._path)
        if word == SUPERSEDED:
            raise SupersededError("a later attempt of this run has begun")
        return word

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._pid:
            self._signalled = True
            return
        # A forked child inherits the handler; swallowing its SIGTERM would make it immortal.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
