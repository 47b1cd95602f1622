"""The wish to stop: a file of the run, or a signal. Ranks act on it together, at a step boundary."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from forgia_hpc.rundir import RunDir

_SIGNALS = (signal.SIGUSR1, signal.SIGTERM)


def stop_file(run: RunDir, attempt: int) -> Path:
    """Return the file whose presence asks this attempt to stop; one left by an earlier attempt means nothing."""
    return run.path / "stop" / str(attempt)


def request_stop(run: RunDir, attempt: int) -> None:
    """Ask all ranks of an attempt to save and stop."""
    path = stop_file(run, attempt)
    path.parent.mkdir(exist_ok=True)
    path.touch()


class StopFlag:
    """Set by SIGUSR1, by SIGTERM, or by the file; once set it stays set."""

    def __init__(self, run: RunDir, attempt: int, *, poll_s: float = 0.5) -> None:
        """Take a run and an attempt; the file is looked for at most every `poll_s` seconds."""
        self._path = stop_file(run, attempt)
        self._poll_s = poll_s
        self._next_look = 0.0
        self._pid = os.getpid()
        self._requested = False
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
        """Whether somebody asked to stop."""
        if not self._requested and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self._poll_s
            self._requested = self._path.exists()
        return self._requested

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._pid:
            self._requested = True
            return
        # A forked child inherits the handler; swallowing its SIGTERM would make it immortal.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
