"""The common list of a packed sweep as one allocation sees it: what is to be done, and who holds the rest."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from forgia_hpc.claims import Claim, Holder, claims, end, take
from forgia_hpc.errors import ExitCode
from forgia_hpc.node.evidence import lives
from forgia_hpc.node.room import needs
from forgia_hpc.sweepdir import SweepDir, completed

TRIES = 3  # of one point that fails, in one order


class Share:
    """The points that this allocation may still take, and what it has learnt of them."""

    def __init__(self, sweep: SweepDir, here: Holder, order: tuple[int, ...]) -> None:
        """Take the sweep, who we are, and the points of the newest order."""
        self._sweep, self._here, self._order = sweep, here, order
        self.todo: list[int] = []
        self._numbers: dict[int, int] = {}
        self._failures: dict[int, int] = {}
        self._longest: dict[int, float] = {}  # by the group of resources

    @property
    def spent(self) -> list[int]:
        """The points that have failed too often."""
        return [index for index in self._order if self._failures.get(index, 0) >= TRIES]

    def look(self, running: Collection[int]) -> None:
        """Read who holds what; heaviest first, what nobody holds and nobody has finished is to be done."""
        taken = claims(self._sweep)
        known: dict[tuple[str, int, int], bool] = {}
        self.todo = []
        for index in self._order:
            own = taken.get(index, [])
            self._numbers[index] = len(own)
            self._failures[index] = sum(map(self._failed_here, own))
            newest = own[-1] if own else None
            if index in running or (newest and (_spent(newest) or self._held(newest, known))):
                continue
            self.todo.append(index)
        self.todo.sort(key=self._weight, reverse=True)

    def _failed_here(self, claim: Claim) -> bool:
        """Whether a claim counts against the tries of this order."""
        return claim.holder.chunk == self._here.chunk and bool((claim.ended or {}).get("failed"))

    def _held(self, claim: Claim, known: dict[tuple[str, int, int], bool]) -> bool:
        """Whether a claim stands: it has not ended, and its allocation lives by evidence."""
        holder = claim.holder
        if claim.ended is not None:
            return False
        key = (holder.job, holder.restart, holder.pid)
        if key not in known:
            known[key] = lives(holder, self._here)
        if not known[key]:
            end(self._sweep, claim, why="its allocation has ended", failed=False)
        return known[key]

    def _weight(self, index: int) -> float:
        group = self.group(index)
        return float(needs(group).cpus * group["nodes"] * self.seconds(index))

    def group(self, index: int) -> dict[str, Any]:
        """Return the resources of a point."""
        return self._sweep.groups[self._sweep.points[index].group]

    def seconds(self, index: int) -> float:
        """Return how long a point may take: its walltime, or twice the longest of its kind so far."""
        learnt = self._longest.get(self._sweep.points[index].group)
        limit = self.limit_s(index)
        return limit if learnt is None else min(limit, 2 * learnt + 5)

    def limit_s(self, index: int) -> float:
        """Return a point's own walltime in seconds."""
        return float(self._sweep.seconds(self._sweep.points[index].group))

    def take(self, index: int) -> Claim | None:
        """Claim a point; None where another allocation was first, or it is done."""
        self.todo.remove(index)
        if completed(self._sweep.point(index)):
            return None
        self._numbers[index] += 1
        return take(self._sweep, index, self._numbers[index], self._here)

    def give(self, claim: Claim, code: int, seconds: float, *, stopped: bool) -> bool:
        """Note how a point ended, and whether it ended well; one that failed is tried again, a few times."""
        index = claim.point
        if code == ExitCode.OK and completed(self._sweep.point(index)):
            group = self._sweep.points[index].group
            self._longest[group] = max(self._longest.get(group, 0.0), seconds)
            end(self._sweep, claim, code=code)
            return True
        self._failures[index] += not stopped
        hopeless = code in (ExitCode.INPUT, ExitCode.SEAL_BROKEN)
        spent = hopeless or self._failures[index] >= TRIES
        end(self._sweep, claim, code=code, failed=not stopped, spent=spent)
        if not spent:
            self.todo.append(index)
        return False


def _spent(claim: Claim) -> bool:
    return bool(claim.ended and (claim.ended.get("spent") or claim.ended.get("code") == 0))
