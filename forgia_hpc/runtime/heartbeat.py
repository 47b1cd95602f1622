"""Each rank's sign of life: step, phase and time in one small file, overwritten in place once a second.

A thread of its own writes it, so that a file that stands still means a process that does not run, and a stamp
that stands still under a living thread means a rank that waits. The same thread writes this rank's Python stacks
to logs/rank-<n>.stack when the batch step asks for them: no remote shell is needed.
"""

from __future__ import annotations

import faulthandler
import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from forgia_hpc.rundir import RunDir

_BYTES = 256  # one line of fixed length: overwritten by one pwrite, so a reader meets no mixture
_EVERY_S = 1.0
_LOOK_EVERY = 3  # beats between two looks for the wish to see stacks
_SHARE = 0.2  # of the newest step in the running mean of a rank's own work


@dataclass(frozen=True)
class Beat:
    """What a rank last said. own_s: running mean of its own work in a step, before it waits for others."""

    rank: int
    step: int
    phase: str
    time: float  # seconds since 1970
    node: str = ""
    own_s: float | None = None
    over: bool = False  # it beats no more, and nothing is wrong


def dump_file(run: RunDir, attempt: int) -> Path:
    """Return the file whose presence asks every rank of an attempt for its stacks."""
    return run.path / "heartbeat" / f"dump-{attempt}"


def stack_file(run: RunDir, rank: int) -> Path:
    """Return where a rank writes its stacks."""
    return run.logs / f"rank-{rank}.stack"


class Heartbeat:
    """Written once a second by a thread, and at once where the phase changes by `beat`."""

    def __init__(
        self, run: RunDir, attempt: int, rank: int, *, node: str = "", every_s: float = _EVERY_S
    ) -> None:
        """Make this rank's file."""
        folder = run.path / "heartbeat"
        folder.mkdir(exist_ok=True)
        self._file = os.open(folder / f"{attempt}-{rank}", os.O_WRONLY | os.O_CREAT, 0o640)
        self._dump, self._stack = dump_file(run, attempt), stack_file(run, rank)
        self._node, self._every_s = node, every_s
        self._stamp: tuple[int, str] | None = None
        self._own_s: float | None = None
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        """Begin to beat."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; the last beat stays."""
        self._over.set()
        self._thread.join()
        self._write(over=True)
        os.close(self._file)

    def beat(self, step: int, phase: str) -> None:
        """Say where this rank is, on disk at once where the phase is new: for phases that are long."""
        new = self._stamp is None or self._stamp[1] != phase
        self.stamp(step, phase)
        if new:
            self._write()

    def stamp(self, step: int, phase: str) -> None:
        """Say where this rank is, for the next beat: costs nothing, for the phases of a step."""
        self._stamp = (step, phase)

    def own(self, seconds: float) -> None:
        """Tell how long this rank worked in a step before it waited for others."""
        before = seconds if self._own_s is None else self._own_s
        self._own_s = before + _SHARE * (seconds - before)

    def _live(self) -> None:
        beats = 0
        while not self._over.wait(self._every_s):
            self._write()
            beats += 1
            if beats % _LOOK_EVERY == 0 and self._dump.exists() and not self._stack.exists():
                self._write_stacks()

    def _write(self, *, over: bool = False) -> None:
        with self._writing:
            if self._stamp is None:
                return
            step, phase = self._stamp
            said = {"step": step, "phase": phase[:40], "time": round(time.time(), 3)}
            said |= {"node": self._node[:60]} if self._node else {}
            said |= {} if self._own_s is None else {"own_s": round(self._own_s, 4)}
            said |= {"over": True} if over else {}
            os.pwrite(self._file, json.dumps(said).ljust(_BYTES - 1).encode() + b"\n", 0)

    def _write_stacks(self) -> None:
        with self._stack.open("x", encoding="utf-8") as opened:
            opened.write(f"{self._node} {self._stamp}\n")
            opened.flush()
            faulthandler.dump_traceback(opened, all_threads=True)


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
