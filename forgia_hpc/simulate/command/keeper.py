"""Keeps one member's programs: an order on stdin, an answer on stdout.

A process of its own, of the standard library alone, because of what it must outlive and must not touch: it adopts
whatever its programs fork (PR_SET_CHILD_SUBREAPER) and ends all of it, also when the process that gave the order
dies and closes stdin by that.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from forgia_hpc.simulate.command.log import Log
from forgia_hpc.simulate.command.running import WAKE, Running, prctl

PR_SET_CHILD_SUBREAPER = 36
LINGER_S = 1.0  # who outlives the program by this is left behind: mpirun's own are gone in 0.1 s


def follow(running: Running, deadline: float) -> str:
    """Return one word: why it is over, empty if the program and all that it forked ended by themselves."""
    lingering = float("inf")
    while not running.alone:
        if running.ended and lingering == float("inf"):
            lingering = time.monotonic() + LINGER_S
        running.look(min(deadline, lingering) - time.monotonic())
        if running.stopped:
            return "stopped"
        if running.ended and not running.alone and time.monotonic() >= min(lingering, deadline):
            return "left_behind"
        if not running.ended and time.monotonic() >= deadline:
            return "timeout"
    return ""


def one(argv: list[str], order: dict[str, Any], log: Log, deadline: float) -> dict[str, Any]:
    """Run one command and return what was seen of it; `why` is empty if nothing speaks against it."""
    started = time.monotonic()
    running = Running(argv, order, log)
    why = "not_started" if running.refused else follow(running, deadline)
    left = running.end(polite=why in ("timeout", "stopped"))
    running.close()
    return {
        "program": argv[0],
        "why": why,
        "what": running.refused or ", ".join(left),
        "error_line": log.error,
        "last_line": log.last,
        "seconds": round(time.monotonic() - started, 3),
        **running.ended,
    }


def main() -> None:
    """Read the order, run its commands until one speaks against it, and answer."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    for pipe_end in WAKE:
        os.set_blocking(pipe_end, False)
    signal.set_wakeup_fd(WAKE[1], warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    for ignored in (signal.SIGUSR1, signal.SIGINT):  # Slurm's warning, Ctrl-C: judged above us
        signal.signal(ignored, signal.SIG_IGN)
    order = json.loads(sys.stdin.buffer.readline())
    deadline = time.monotonic() + order["wall_s"]
    seen: list[dict[str, Any]] = []
    for number, argv in enumerate(order["commands"]):
        log = Log(Path(order["logs"], f"command-{number}.log"), order["log_bytes"], order["failed"])
        seen.append(one(argv, order, log, deadline))
        if seen[-1]["why"] or seen[-1].get("code") or seen[-1]["error_line"]:
            break
    os.write(1, json.dumps(seen).encode())


if __name__ == "__main__":
    main()
