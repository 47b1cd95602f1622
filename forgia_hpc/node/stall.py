"""Is somebody stuck, who, and why: decided from the ranks' stamps and our own clock alone.

Clocks of other nodes are not trusted: what counts is how long a rank's file, or its step and phase, stood still
while we looked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.heartbeat import Beat, dump_file, read_beats, stack_file

FLOOR_S = 120  # below it a slow file system and a long step look like a stall
STEPS = 20  # the default threshold in steps of the slowest kind seen
SLOW = 2.0  # times the median of the others' own work
SLOW_SHARE_S = 0.005  # and at least so much more: below it nobody waits
OFF_S = 3600
LONG = 5  # times the limit: silence outside of a step
DUMP_S = 10  # for the ranks to write their stacks
# The phases of a step in their order; a rank waits for others in those after the second. Whatever is not here
# (opening data, building, saving, judging) may take as long as it likes.
LOOP = ("data", "forward", "backward", "agree")


class Kind(Enum):
    """What is wrong."""

    dead_rank = "dead rank"  # its process does not run: stopped, or its node hangs
    blocked_read = "blocked read"
    stuck_rank = "stuck rank"  # it never came to where the others wait
    stuck_collective = "stuck collective"
    straggler = "straggler"  # all goes on, at its pace


@dataclass(frozen=True)
class Stamp:
    """A rank's last beat, and for how many seconds its file and its place stood still."""

    beat: Beat
    silent_s: float
    still_s: float


@dataclass(frozen=True)
class Stall:
    """A verdict, whom it names (nobody: all are in the same place), and what shows it."""

    kind: Kind
    ranks: tuple[int, ...]
    nodes: tuple[str, ...]
    evidence: tuple[str, ...]

    @property
    def blames_node(self) -> bool:
        """Whether another node might do better; ranks that wait for each other would do so anywhere."""
        return self.kind in (Kind.dead_rank, Kind.blocked_read, Kind.stuck_rank) and bool(
            self.nodes
        )

    @property
    def ends(self) -> bool:
        """Whether the job can't go on."""
        return self.kind is not Kind.straggler

    def __str__(self) -> str:
        """Return the line that a person reads."""
        if not self.ranks:
            return f"{self.kind.value}: {'; '.join(self.evidence)}"
        who = ", ".join(map(str, self.ranks[:8]))
        where = f" on {', '.join(self.nodes[:8])}" if self.nodes else ""
        return f"{self.kind.value}: rank {who}{where}; {'; '.join(self.evidence[:4])}"


def threshold_s(asked: float | None, step_s: float | None) -> float:
    """Return after how many seconds a standstill is a stall; 0: never. asked: `train.stall_s`."""
    if asked is not None:
        return asked
    return max(FLOOR_S, STEPS * (step_s or 0.0))


def judge(stamps: Sequence[Stamp], limit_s: float) -> Stall | None:
    """Tell what is wrong, or None. Pure; the surest sign first."""
    if not stamps:
        return None
    dead = [each for each in stamps if each.silent_s > limit_s * _patience(each.beat.phase)]
    if dead:
        return _stall(Kind.dead_rank, dead)
    if any(each.beat.phase not in LOOP for each in stamps):
        return None
    if min(each.still_s for each in stamps) <= limit_s:
        return _straggler(stamps)
    reading = [each for each in stamps if each.beat.phase == "data"]
    if reading:
        return _stall(Kind.blocked_read, reading)
    return _stuck(stamps)


def _patience(phase: str) -> int:
    """An import or a load may hold Python's lock, and with it the thread that beats, for long."""
    return 1 if phase in LOOP else LONG


def _stuck(stamps: Sequence[Stamp]) -> Stall:
    """All stand still: name the fewest that stand elsewhere, of two equal groups the one behind."""
    places: dict[tuple[int, int], list[Stamp]] = {}
    for each in stamps:
        place = (each.beat.step, LOOP.index(each.beat.phase))
        places.setdefault(place, []).append(each)
    if len(places) == 1:
        (step, phase) = next(iter(places))
        seconds = min(each.still_s for each in stamps)
        where = f"all {len(stamps)} ranks in {LOOP[phase]} of step {step} for {seconds:.0f} s"
        return Stall(Kind.stuck_collective, (), (), (where,))
    _, culprits = min(places.items(), key=lambda one: (len(one[1]), one[0]))
    alone = all(each.beat.phase == "forward" for each in culprits)
    return _stall(Kind.stuck_rank if alone else Kind.stuck_collective, culprits, stamps)


def _straggler(stamps: Sequence[Stamp]) -> Stall | None:
    """Name the rank whose own work takes far longer than that of the others, who wait for it."""
    own = [(each.beat.own_s, each) for each in stamps if each.beat.own_s is not None]
    if len(own) < 2:
        return None
    slowest, culprit = max(own, key=lambda one: one[0])
    usual = median(seconds for seconds, each in own if each is not culprit)
    if slowest < SLOW * usual or slowest - usual < SLOW_SHARE_S:
        return None
    words = f"its own work takes {slowest:.3g} s a step, that of the others {usual:.3g} s"
    return Stall(Kind.straggler, (culprit.beat.rank,), (culprit.beat.node,), (words,))


def _stall(kind: Kind, culprits: Sequence[Stamp], stamps: Sequence[Stamp] = ()) -> Stall:
    shown = [*culprits, *(each for each in stamps if each not in culprits)]
    return Stall(
        kind,
        tuple(each.beat.rank for each in culprits),
        tuple(sorted({each.beat.node for each in culprits if each.beat.node})),
        tuple(_spoken(each) for each in shown[:16]),
    )


def _spoken(stamp: Stamp) -> str:
    beat = stamp.beat
    where = f"rank {beat.rank}: {beat.phase} of step {beat.step}"
    if stamp.silent_s > stamp.still_s / 2 and stamp.silent_s > 5:
        return f"{where}, no sign of life for {stamp.silent_s:.0f} s"
    return f"{where} for {stamp.still_s:.0f} s"


class StallWatch:
    """Reads the stamps now and then, and judges."""

    def __init__(
        self,
        run: RunDir,
        attempt: int,
        limit_s: Callable[[], float],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how to learn the limit: it grows with what a step takes."""
        self._run, self._attempt, self._limit_s, self._clock = run, attempt, limit_s, clock
        self._seen: dict[int, tuple[Beat, float, float]] = {}
        self._next = clock()
        self._told: set[int] = set()

    def look(self) -> Stall | None:
        """Return a stall that was not told yet."""
        now = self._clock()
        if now < self._next:
            return None
        limit = self._limit_s()
        late = now - self._next
        self._next = now + (min(15.0, max(0.5, limit / 10)) if limit > 0 else OFF_S)
        if limit <= 0:
            return None
        if late > limit / 2:
            self._seen.clear()  # it was we who stood still: a suspended job, a hanging file system
        beats = [beat for beat in read_beats(self._run, self._attempt) if not beat.over]
        found = judge([self._stamp(beat, now) for beat in beats], limit)
        if found is None or (not found.ends and self._told.issuperset(found.ranks)):
            return None
        self._told.update(found.ranks)
        return found

    def _stamp(self, beat: Beat, now: float) -> Stamp:
        before, spoke, moved = self._seen.get(beat.rank, (None, now, now))
        if before is None or before.time != beat.time:
            spoke = now
        if before is None or (before.step, before.phase) != (beat.step, beat.phase):
            moved = now
        self._seen[beat.rank] = (beat, spoke, moved)
        return Stamp(beat, now - spoke, now - moved)

    def stacks(self) -> list[str]:
        """Ask all ranks for their Python stacks, wait a little, and return whose came."""
        dump_file(self._run, self._attempt).touch()
        deadline = self._clock() + DUMP_S
        wanted = {rank: stack_file(self._run, rank) for rank in sorted(self._seen)}
        while self._clock() < deadline and not all(path.exists() for path in wanted.values()):
            time.sleep(0.2)
        time.sleep(0.2)  # the last one may still be writing
        return [path.name for path in wanted.values() if path.exists()]
