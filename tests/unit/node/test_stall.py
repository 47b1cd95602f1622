"""Who is stuck, told from stamps alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from forgia_hpc.node.stall import Kind, StallWatch, Stamp, judge, threshold_s
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.heartbeat import Beat, Heartbeat

LIMIT = 100.0


def stamp(
    rank: int,
    phase: str,
    step: int = 7,
    *,
    silent_s: float = 1,
    still_s: float = 200,
    own_s: float | None = None,
) -> Stamp:
    beat = Beat(rank, step, phase, time=0.0, node=f"n{rank}", own_s=own_s)
    return Stamp(beat, silent_s, still_s)


@pytest.mark.parametrize(
    ("stamps", "kind", "ranks"),
    [
        ([stamp(0, "backward"), stamp(1, "forward", silent_s=150)], Kind.dead_rank, (1,)),
        ([stamp(0, "save"), stamp(1, "save", silent_s=501)], Kind.dead_rank, (1,)),
        ([stamp(0, "backward"), stamp(1, "data"), stamp(2, "backward")], Kind.blocked_read, (1,)),
        ([stamp(0, "backward"), stamp(1, "forward"), stamp(2, "backward")], Kind.stuck_rank, (1,)),
        ([stamp(0, "agree"), stamp(1, "agree", step=8)], Kind.stuck_collective, (0,)),
        (
            [stamp(0, "agree"), stamp(1, "backward", step=8), stamp(2, "agree")],
            Kind.stuck_collective,
            (1,),
        ),
        ([stamp(rank, "backward") for rank in range(4)], Kind.stuck_collective, ()),
    ],
)
def test_verdict_and_culprit(stamps: Sequence[Stamp], kind: Kind, ranks: tuple[int, ...]) -> None:
    found = judge(stamps, LIMIT)
    assert found is not None
    assert (found.kind, found.ranks) == (kind, ranks)
    assert found.nodes == tuple(f"n{rank}" for rank in ranks)
    assert found.ends


@pytest.mark.parametrize(
    "stamps",
    [
        [],
        [stamp(rank, "backward", still_s=3) for rank in range(4)],
        [stamp(0, "save"), stamp(1, "agree")],  # the others wait for a long save
        [stamp(0, "resume"), stamp(1, "resume")],
        [stamp(0, "build model"), stamp(1, "open data")],
        [stamp(0, "build model", silent_s=400), stamp(1, "open data")],  # an import holds the lock
        [stamp(0, "backward"), stamp(1, "forward", still_s=50)],  # slow, and it may still come
    ],
)
def test_no_alarm(stamps: Sequence[Stamp]) -> None:
    assert judge(stamps, LIMIT) is None


def test_a_straggler_is_told_and_the_job_goes_on() -> None:
    pace = [0.10, 0.11, 0.31, 0.10]
    found = judge([stamp(r, "agree", still_s=0.2, own_s=s) for r, s in enumerate(pace)], LIMIT)
    assert found is not None
    assert (found.kind, found.ranks, found.nodes, found.ends) == (
        Kind.straggler,
        (2,),
        ("n2",),
        False,
    )
    even = [stamp(r, "agree", still_s=0.2, own_s=0.1 + r / 50) for r in range(4)]
    assert judge(even, LIMIT) is None


def test_the_limit_grows_with_a_step_and_can_be_off() -> None:
    assert threshold_s(None, None) == threshold_s(None, 1.0) == 120
    assert threshold_s(None, 60.0) == 1200
    assert threshold_s(0, 60.0) == 0
    assert threshold_s(7.5, 60.0) == 7.5


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path)
    run.logs.mkdir()
    return run


def test_a_file_that_stands_still_is_a_dead_rank_by_our_own_clock(run: RunDir) -> None:
    clock = Clock()
    watch = StallWatch(run, 0, lambda: LIMIT, clock=clock)
    with Heartbeat(run, 0, 0, node="n1", every_s=3600) as heart:
        heart.beat(1, "forward")
        for _ in range(11):
            assert watch.look() is None
            clock.now += 10
        found = watch.look()
    assert found is not None
    assert (found.kind, found.nodes) == (Kind.dead_rank, ("n1",))


def test_a_job_that_was_suspended_as_a_whole_is_not_stalled(run: RunDir) -> None:
    clock = Clock()
    watch = StallWatch(run, 0, lambda: LIMIT, clock=clock)
    with Heartbeat(run, 0, 0, every_s=3600) as heart:
        heart.beat(1, "forward")
        assert watch.look() is None
        clock.now += 5000
        assert watch.look() is None


def test_a_rank_that_is_over_is_not_missed(run: RunDir) -> None:
    clock = Clock()
    watch = StallWatch(run, 0, lambda: LIMIT, clock=clock)
    with Heartbeat(run, 0, 0, every_s=3600) as heart:
        heart.beat(1, "export")
    for _ in range(30):
        assert watch.look() is None
        clock.now += 10


def test_zero_turns_it_off(run: RunDir) -> None:
    clock = Clock()
    watch = StallWatch(run, 0, lambda: 0.0, clock=clock)
    with Heartbeat(run, 0, 0, every_s=3600) as heart:
        heart.beat(1, "forward")
        for _ in range(30):
            assert watch.look() is None
            clock.now += 100


def test_every_rank_writes_its_stacks_when_asked(run: RunDir) -> None:
    watch = StallWatch(run, 0, lambda: LIMIT)
    with Heartbeat(run, 0, 0, every_s=0.05) as first, Heartbeat(run, 0, 1, every_s=0.05) as second:
        first.beat(1, "forward")
        second.beat(1, "data")
        assert watch.look() is None
        assert watch.stacks() == ["rank-0.stack", "rank-1.stack"]
    assert "test_every_rank_writes_its_stacks" in (run.logs / "rank-1.stack").read_text()
