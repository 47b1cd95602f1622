"""Deal pieces of work over the ranks; the results do not say who did what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from forgia_hpc.errors import StoppedError
from forgia_hpc.metrics import MetricsFile
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import World

Item = TypeVar("Item")


class Dealing:
    """This rank among its peers, the wish to stop, and how far the work is."""

    def __init__(self, world: World, stop: StopFlag, metrics: Path, total: int) -> None:
        """Take where progress is told, and how many units (windows, segments) there are in all."""
        self.world = world
        self._stop = stop
        self._metrics = metrics
        self._total = total
        self._done = 0

    def each(
        self, items: Sequence[Item], work: Callable[[Item], Any], units: Callable[[Item], int]
    ) -> list[Any]:
        """Do every item once over all ranks; return what JSON holds of it on rank 0, in the order of items.

        All ranks walk the same number of rounds, so a wish to stop meets them at the same place.

        Raises:
            StoppedError: some rank was asked to stop; evaluation starts anew next time.
        """
        size, rank, mine = self.world.size, self.world.rank, []
        for first in range(0, len(items), size):
            if self.world.any(self._stop.requested):
                raise StoppedError(
                    f"stopped while judging, {self._done} of {self._total} windows and segments done"
                )
            if first + rank < len(items):
                mine.append((first + rank, work(items[first + rank])))
            self._done += sum(units(item) for item in items[first : first + size])
            self._tell()
        parts = self.world.gather(mine) or []
        ordered = sorted((pair for part in parts for pair in part), key=lambda pair: pair[0])
        return [result for _, result in ordered]

    def _tell(self) -> None:
        if self.world.is_root:
            with MetricsFile(self._metrics) as metrics:
                metrics.append(self._done, phase="evaluate", of=self._total)
