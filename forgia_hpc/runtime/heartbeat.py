"""Each rank's sign of life: step, phase and time in one small file, overwritten in place."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from types import TracebackType

from forgia_hpc.rundir import RunDir

_BYTES = 128  # one line of fixed length: overwritten by one pwrite, so a reader meets no mixture
_EVERY_S = 1.0


@dataclass(frozen=True)
class Beat:
    """What a rank last said."""

    rank: int
    step: int
    phase: str
    time: float  # seconds since 1970


class Heartbeat:
    """Written at most once a second, unless the phase changes."""

    def __init__(self, run: RunDir, attempt: int, rank: int) -> None:
        """Make this rank's file."""
        folder = run.path / "heartbeat"
        folder.mkdir(exist_ok=True)
        self._file = os.open(folder / f"{attempt}-{rank}", os.O_WRONLY | os.O_CREAT, 0o640)
        self._last = 0.0
        self._phase = ""

    def __enter__(self) -> Heartbeat:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; the last beat stays."""
        os.close(self._file)

    def beat(self, step: int, phase: str) -> None:
        """Say where this rank is."""
        now = time.time()
        if phase == self._phase and now - self._last < _EVERY_S:
            return
        self._last, self._phase = now, phase
        line = json.dumps({"step": step, "phase": phase[:40], "time": round(now, 3)})
        os.pwrite(self._file, line.ljust(_BYTES - 1).encode() + b"\n", 0)


def read_beats(run: RunDir, attempt: int) -> list[Beat]:
    """Return the last beat of every rank of an attempt, by rank."""
    beats = []
    for path in (run.path / "heartbeat").glob(f"{attempt}-*"):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # not written yet
        beats.append(Beat(int(path.name.partition("-")[2]), **said))
    return sorted(beats, key=lambda beat: beat.rank)
