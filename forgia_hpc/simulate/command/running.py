"""One program of a member and everything that it forks. Standard library alone, for the keeper."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import select
import signal
import time
from typing import Any, NoReturn

from forgia_hpc.simulate.command.log import Log
from forgia_hpc.simulate.command.tree import descendants, send

PR_SET_PDEATHSIG = 1
F_SETPIPE_SZ = 1031
CHUNK = 1 << 20
POLITE_S = 3.0  # between SIGTERM and SIGKILL: srun and mpirun need the first to end ranks elsewhere
STUCK_S = 10.0  # a process in an uninterruptible wait outlives SIGKILL; nobody can wait for ever
PAUSE_S = 0.02
WAKE = os.pipe()  # a signal makes it readable
prctl = ctypes.CDLL(None, use_errno=True).prctl


class Running:
    """One program and everything that it forks."""

    def __init__(self, argv: list[str], order: dict[str, Any], log: Log) -> None:
        """Start it; `refused` says why it did not."""
        self._log = log
        self.ended: dict[str, Any] = {}  # how the program itself ended
        self.alone = False  # nobody is left
        self.stopped = False  # the order was taken back
        self._output, said = os.pipe()
        with_room(self._output)
        trouble, tell = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            become(argv, order, said, tell)
        os.close(said)
        os.close(tell)
        self.refused = os.read(trouble, 4096).decode(errors="replace")
        os.close(trouble)
        os.set_blocking(self._output, False)

    def look(self, seconds: float) -> None:
        """Wait until something happens, `seconds` at most, and take note of it."""
        watched = [0, WAKE[0], *([self._output] if self._output >= 0 else [])]
        readable = select.select(watched, [], [], min(max(seconds, 0.0), 3600.0))[0]
        if WAKE[0] in readable and b"%c" % signal.SIGTERM in os.read(WAKE[0], 4096):
            self.stopped = True
        if 0 in readable:  # nothing is ever said there after the order: it was closed
            self.stopped = True
        if self._output in readable:
            self._read()
        self._reap()

    def end(self, *, polite: bool) -> list[str]:
        """End every process that is left; return their names."""
        if polite and not self.ended:
            send([self._pid], signal.SIGTERM)
            until = time.monotonic() + POLITE_S
            while not self.ended and time.monotonic() < until:
                self._pause()
        names: list[str] = []
        until = time.monotonic() + STUCK_S
        while not self.alone and time.monotonic() < until:
            living = descendants(os.getpid())
            names = names or sorted(living.values())
            send(living, signal.SIGSTOP)  # none may fork while its parent is being killed
            send({**living, **descendants(os.getpid())}, signal.SIGKILL)
            self._pause()
        return names

    def close(self) -> None:
        """Take what is still in the pipe: nobody is left who could say more."""
        while self._output >= 0 and self._read():
            pass
        self._close_output()
        self._log.close()

    def _pause(self) -> None:
        """Wait a little. Not in `look`: a stdin that was closed is readable for ever."""
        time.sleep(PAUSE_S)
        if self._output >= 0:
            self._read()
        self._reap()

    def _read(self) -> bool:
        try:
            data = os.read(self._output, CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._log.add(data)
        else:
            self._close_output()
        return bool(data)

    def _close_output(self) -> None:
        if self._output >= 0:
            os.close(self._output)
        self._output = -1

    def _reap(self) -> None:
        """Take leave of those that ended: the program, and the orphans that became ours."""
        while not self.alone:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                self.alone = True
                return
            if pid == 0:
                return
            if pid == self._pid:
                self.ended = {
                    "code": os.waitstatus_to_exitcode(status),
                    "cpu_s": round(used.ru_utime + used.ru_stime, 3),
                    "peak_mb": round(used.ru_maxrss / 1024, 1),
                }


def become(argv: list[str], order: dict[str, Any], said: int, tell: int) -> NoReturn:
    """Turn this fork into the program: its own session, its limits, its end when the keeper is killed."""
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (
            signal.SIGPIPE,
            signal.SIGXFSZ,
            signal.SIGUSR1,
            signal.SIGTERM,
            signal.SIGCHLD,
        ):
            signal.signal(number, signal.SIG_DFL)  # what is ignored stays so over exec
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a segfault of 100 GB need not be kept
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"], order["file_bytes"]))
        nothing = os.open(os.devnull, os.O_RDONLY)
        for ours, theirs in ((nothing, 0), (said, 1), (said, 2)):
            os.dup2(ours, theirs)
        os.chdir(order["directory"])
        os.execvpe(argv[0], argv, order["environment"])
    except OSError as error:
        os.write(tell, (error.strerror or str(error)).encode())
    os._exit(127)


def with_room(pipe: int) -> None:
    """Widen a pipe, where this machine allows it: 64 KiB otherwise."""
    try:
        fcntl.fcntl(pipe, F_SETPIPE_SZ, CHUNK)
    except PermissionError:
        return
