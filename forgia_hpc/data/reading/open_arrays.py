"""The arrays that are open: each from its first touch, only so many at once.

A dataset may have ten thousand shards and a process 1,024 descriptors: those not used for longest are
let go, and opened again when they are touched again.
"""

from __future__ import annotations

import resource
import threading
from collections import OrderedDict

from forgia_hpc.data.reading.arrays import Array, Place, open_array

MOST_MAPPED = 1 << 15  # half of vm.max_map_count as Linux ships it


def most_files() -> int:
    """Return how many shards may be open: half of what `ulimit -n` says, the rest is for others."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_MAPPED
    return min(max(soft // 2, 8), MOST_MAPPED)


class OpenArrays:
    """The arrays of a dataset that were read last. Safe between threads."""

    def __init__(self, most: int | None = None) -> None:
        """Take how many stay open."""
        self._most = most or most_files()
        self._lock = threading.Lock()
        self._open: OrderedDict[Place, Array] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def get(self, place: Place, io: str) -> Array:
        """Return an array, opened now if need be."""
        with self._lock:
            found = self._open.get(place)
            if found is None:
                found = self._open[place] = open_array(place, io)
                if len(self._open) > self._most:
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end(place)
        return found

    def clear(self) -> None:
        """Let all go; what a thread still reads closes behind it."""
        with self._lock:
            self._open.clear()
