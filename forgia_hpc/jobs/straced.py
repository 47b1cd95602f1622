"""strace(1)'s lines → what was touched below Python: C code, and programs that are not Python."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from forgia_hpc.jobs.touched import Touch

# --seccomp-bpf stops at these calls only; the others run at full speed
STRACE = (
    "strace",
    "--follow-forks",
    "--seccomp-bpf",
    "--quiet=all",
    "-s",
    "4096",
    "-e",
    "trace=openat,open,creat,connect,execve",
    "-e",
    "signal=none",
)
_OPENED = re.compile(
    r'^(?P<pid>\d+) +(?:openat\(\S+, |open\(|creat\()"(?P<path>(?:[^"\\]|\\.)*)"(?:, (?P<flags>[\w|]+))?.*= \d+'
)
_STARTED = re.compile(r'^(?P<pid>\d+) +execve\("(?P<path>[^"]*)".*= 0')
_CONNECT = re.compile(
    r"^(?P<pid>\d+) +connect\(.*sin6?_port=htons\((?P<port>\d+)\).*?"
    r'(?:inet_addr\("(?P<v4>[^"]+)"\)|inet_pton\(AF_INET6, "(?P<v6>[^"]+)")'
)
_LOCAL = ("127.", "::1", "0.0.0.0")
_WRITES = ("O_WRONLY", "O_RDWR", "O_CREAT")


def read_trace(calls: Path, declared: Sequence[str], folder: Path, since: float) -> list[Touch]:
    """Return the undeclared things of a trace. Relative paths are taken from `folder`, where the job runs."""
    found: list[Touch] = []
    programs: dict[str, str] = {}
    for line in calls.read_text(errors="replace").splitlines():
        if started := _STARTED.match(line):
            programs[started["pid"]] = started["path"]
        elif (opened := _OPENED.match(line)) and (touch := _file(opened, declared, folder, since)):
            found.append(_by(touch, programs.get(opened["pid"], "")))
        elif called := _CONNECT.match(line):
            host = called["v4"] or called["v6"]
            host = host.removeprefix("::ffff:")
            # our own name server stands in for the machine's, and notes the names itself
            if called["port"] != "53" and not host.startswith(_LOCAL):
                touch = Touch(what="host", target=f"{host}:{called['port']}", seen_by="strace")
                found.append(_by(touch, programs.get(called["pid"], "")))
    return found


def _by(touch: Touch, program: str) -> Touch:
    return Touch(**{**vars(touch), "program": program})


def _file(
    opened: re.Match[str], declared: Sequence[str], folder: Path, since: float
) -> Touch | None:
    path = os.path.realpath(folder / opened["path"])
    flags = opened["flags"] or "O_CREAT"
    writes = any(word in flags for word in _WRITES)
    if f"{path}{os.sep}".startswith(tuple(declared)) or "O_DIRECTORY" in flags:
        return None
    if f"{path}{os.sep}".startswith(os.path.realpath(os.environ.get("TMPDIR", "/tmp")) + os.sep):
        try:
            if writes or Path(path).stat().st_ctime >= since - 1:
                return None
        except OSError:
            return None  # made and taken away by the job itself
    return Touch(what="write" if writes else "open", target=path, seen_by="strace")
