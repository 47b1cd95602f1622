"""The processes below one: found in /proc, whatever session or group they went into."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def descendants(root: int) -> dict[int, str]:
    """Return every process below `root` that has not ended, with its name."""
    children: dict[int, list[tuple[int, str, str]]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - a path object for each process costs ten times as much
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
            name, _, rest = stat.partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            children.setdefault(int(parent), []).append((int(entry), name, state))
    found: dict[int, str] = {}
    waiting = [root]
    while waiting:
        for pid, name, state in children.get(waiting.pop(), ()):
            waiting.append(pid)
            if state not in "ZX":
                found[pid] = name
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to all of them that are still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue  # it ended meanwhile, or became another user's (sudo): nothing that we could do


def end_marked(marks: Mapping[str, str], seconds: float = 10.0) -> None:
    """Kill every process of this machine whose environment has all these marks, until none is left.

    What somebody started may have left its session, and its parent may be gone; and it may fork while we look.
    """
    wanted = [f"{name}={value}".encode() for name, value in marks.items()]
    until = time.monotonic() + seconds
    while (found := _marked(wanted)) and time.monotonic() < until:
        send(found, signal.SIGKILL)
        time.sleep(0.02)


def _marked(wanted: Sequence[bytes]) -> list[int]:
    own = str(os.getpid())
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - as above
        try:
            if entry.isdigit() and entry != own:
                words = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
                if all(one in words for one in wanted):
                    found.append(int(entry))
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return found
