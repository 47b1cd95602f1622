"""What this process touches, for `forgia check --offline`: files, hosts, libraries, and the stack that led there.

Standard library only: it also runs inside a user's own program, which need not know us. Python's own audit events
are all it sees; what C code opens by itself is strace's to see, where there is one.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

SETTING = "FORGIA_AUDIT"  # path of the JSON file that says what is declared and where to write
_FILES = {"open": "open", "os.listdir": "list", "os.scandir": "list", "ctypes.dlopen": "load"}
_HOSTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
_FRAMES = 12
_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120 - compared as text, hundreds of times a second


class Audit:
    """The hook and what it has seen; each thing once."""

    def __init__(self, setting: Path) -> None:
        """Read what is declared."""
        told = json.loads(setting.read_text(encoding="utf-8"))
        self._declared = tuple(told["declared"])
        self._own_hosts = {*told["hosts"], socket.gethostname()}
        self._since: float = told["since"]
        self._temporary: str = told["temporary"]
        self._out = Path(told["out"]) / f"{os.getpid()}.jsonl"
        self._seen: set[tuple[str, str]] = set()
        self._busy = threading.local()

    def __call__(self, event: str, words: tuple[Any, ...]) -> None:
        """Note one audit event of Python; what we do ourselves meanwhile is not noted."""
        if (event not in _FILES and event not in _HOSTS) or getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            if event in _FILES:
                self._file(_FILES[event], words)
            else:
                self._host(event, words)
        finally:
            self._busy.now = False

    def _file(self, what: str, words: tuple[Any, ...]) -> None:
        if not words or not isinstance(words[0], str | bytes | os.PathLike):
            return  # a descriptor that is open already
        path = os.path.realpath(os.fsdecode(words[0]))
        if what == "load" and "/" not in os.fsdecode(words[0]):
            return  # found by the system's own loader; /proc/self/maps names it
        if what == "list" and path in map(os.path.realpath, sys.path):
            return  # Python looks for packages; what it takes is opened
        flags = words[2] if what == "open" and len(words) > 2 and isinstance(words[2], int) else 0
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if not self.declares(path, writes=writes) and (writes or Path(path).exists()):
            self.note("write" if writes else what, path)

    def _host(self, event: str, words: tuple[Any, ...]) -> None:
        where = words[1] if event in ("socket.connect", "socket.sendto") else words[0]
        host = where[0] if isinstance(where, tuple) else where
        if isinstance(where, str | bytes) and event in ("socket.connect", "socket.sendto"):
            return  # a Unix socket
        name = os.fsdecode(host) if isinstance(host, str | bytes) else ""
        if name and not _local(name) and name not in self._own_hosts:
            port = where[1] if isinstance(where, tuple) else words[1] if len(words) > 1 else None
            self.note("host", f"{name}:{port}" if port else name)

    def declares(self, path: str, *, writes: bool) -> bool:
        """Whether a path is one that the job may touch; of the temporary folder only what is this job's own."""
        if path.startswith(self._declared):
            return True
        if not f"{path}{os.sep}".startswith(self._temporary):
            return False
        try:
            return writes or Path(path).stat().st_ctime >= self._since
        except OSError:
            return True

    def note(self, what: str, target: str) -> None:
        """Write one line, the first time."""
        if (what, target) in self._seen:
            return
        self._seen.add((what, target))
        rank = os.environ.get("RANK")
        line = {"what": what, "target": target, "stack": _stack(), "rank": rank}
        with self._out.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")

    def libraries(self) -> None:
        """Note every library that is mapped at the end, however it came."""
        self._busy.now = True
        for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
            path = line.partition("/")[1] + line.partition("/")[2]
            if ".so" in path and not self.declares(path, writes=False):
                self.note("load", path)


def _stack() -> list[str]:
    """Return the frames that led here, outermost first; of the standard library's the last only."""
    frames = [
        (frame.filename.startswith(_LIBRARY) and "site-packages" not in frame.filename, frame)
        for frame in traceback.extract_stack()
        if frame.filename != __file__ and not frame.filename.startswith("<frozen")
    ]
    told = [
        frame
        for at, (standard, frame) in enumerate(frames)
        if not standard or at == len(frames) - 1
    ]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in told[-_FRAMES:]]


def _local(name: str) -> bool:
    return name.startswith("127.") or name in ("localhost", "::1", "0.0.0.0", "::", "")


def watch() -> None:
    """Begin to note, where the setting asks for it; never twice in a process."""
    setting = os.environ.get(SETTING)
    if setting is None or getattr(sys, "_forgia_audit", None) is not None:
        return
    audit = Audit(Path(setting))
    sys._forgia_audit = audit  # type: ignore[attr-defined]
    sys.addaudithook(audit)
    atexit.register(close)


def close() -> None:
    """Note what only the end shows; a rank leaves past Python's own exit, so it asks for this."""
    audit = getattr(sys, "_forgia_audit", None)
    if audit is not None:
        audit.libraries()
