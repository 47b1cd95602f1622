"""The journals of living groups, read in turn: a look opens a file, at the cluster's one metadata server."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

from forgia_hpc.rundir import RunDir
from forgia_hpc.simulate.journal import Line, Reader, file_of

# Journals a look: 50 a second, so each of 512 groups is read every 10 s. Not kept open: by close-to-open
# consistency a file that is opened shows what another node wrote before (nfs(5)), and one that is held need not.
AT_ONCE = 10


class Journals:
    """What each group has written since we looked last."""

    def __init__(self, run: RunDir) -> None:
        """Begin with none."""
        self._run = run
        self._readers: dict[str, Reader] = {}
        self._grown: dict[str, float] = {}  # launch → when its journal last grew, to our knowledge
        self._line: deque[str] = deque()

    def add(self, launch: str) -> None:
        """Follow a start of a group from now on."""
        self._readers[launch] = Reader(file_of(self._run, launch))
        self._grown[launch] = time.monotonic()
        self._line.append(launch)

    def drop(self, launch: str) -> None:
        """Follow it no more."""
        self._line.remove(launch)
        del self._readers[launch], self._grown[launch]

    def due(self) -> list[str]:
        """Return whose turn it is now."""
        due = [self._line[at] for at in range(min(AT_ONCE, len(self._line)))]
        self._line.rotate(-len(due))
        return due

    def news(self, launch: str) -> Iterator[Line]:
        """Yield what one has written since."""
        for line in self._readers[launch]:
            yield line
            self._grown[launch] = time.monotonic()

    def still_s(self, launch: str) -> float:
        """Return for how many seconds nothing new was seen; worth asking right after a look."""
        return time.monotonic() - self._grown[launch]
