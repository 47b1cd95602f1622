"""What a program says: its beginning and its end on disk, every line searched as it passes."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

_LONGEST_LINE = 1 << 16
_LAST = 400


class Log:
    """The beginning and the end of what a program says, on disk; every line is searched as it passes."""

    def __init__(self, path: Path, cap: int, failed: str) -> None:
        """Keep at most `cap` bytes; `failed` is the regular expression of an error."""
        self._file = path.open("wb")
        self._head, self._room = cap // 2, cap - cap // 2
        self._tail: deque[bytes] = deque()
        self._held = self._dropped = 0
        self._failed = re.compile(failed.encode(), re.MULTILINE) if failed else None
        self._line = self._end = b""
        self.error = ""  # the first line that is one
        self.last = ""  # the last one that holds words

    def add(self, data: bytes) -> None:
        """Take what was said."""
        self._search(data)
        self._end = (self._end + data[-_LAST:])[-_LAST:]
        self._file.write(data[: self._head])
        self._head, data = max(0, self._head - len(data)), data[self._head :]
        if data:
            self._tail.append(data)
            self._held += len(data)
        while self._tail and self._held - len(self._tail[0]) >= self._room:
            self._held -= len(self._tail[0])
            self._dropped += len(self._tail.popleft())

    def close(self) -> None:
        """Write the end of it."""
        lines = self._end.decode(errors="replace").splitlines()
        self.last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        self._search(b"\n")
        tail = b"".join(self._tail)
        self._dropped += max(0, len(tail) - self._room)
        if self._dropped:
            self._file.write(b"\n... %d bytes left out ...\n" % self._dropped)
        self._file.write(tail[-self._room :])
        self._file.close()

    def _search(self, data: bytes) -> None:
        if self._failed is None or self.error:
            return
        whole, end, self._line = (self._line + data).rpartition(b"\n")
        if len(self._line) > _LONGEST_LINE:
            whole, self._line = whole + end + self._line, b""
        if hit := self._failed.search(whole):
            begin = whole.rfind(b"\n", 0, hit.start()) + 1
            line = whole[begin:].partition(b"\n")[0][:500]
            self.error = line.decode(errors="replace").strip() or hit[0].decode(errors="replace")
