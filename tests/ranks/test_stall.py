"""Real ranks that get stuck, and the verdict: who, where, and what they were doing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from forgia_hpc.node.stall import Kind, Stall, StallWatch
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.heartbeat import read_beats

pytestmark = pytest.mark.ranks

RANKS = 3
LIMIT_S = 5
HERE = Path(__file__).parent


class Loop:
    """The ranks of one scenario."""

    def __init__(self, root: Path, scenario: str) -> None:
        self.run = RunDir(root / "run")
        self.run.logs.mkdir(parents=True)
        os.mkfifo(self.run.path / "fifo")
        self.processes = [self._start(rank, scenario) for rank in range(RANKS)]
        self.watch = StallWatch(self.run, 0, lambda: LIMIT_S)

    def _start(self, rank: int, scenario: str) -> subprocess.Popen[bytes]:
        own = {
            "RANK": str(rank),
            "WORLD_SIZE": str(RANKS),
            "LOCAL_RANK": str(rank),
            "LOCAL_WORLD_SIZE": str(RANKS),
            "DS_ACCELERATOR": "cpu",
            "OMP_NUM_THREADS": "1",
        }
        argv = [sys.executable, str(HERE / "stall_rank.py"), str(self.run.path), scenario]
        return subprocess.Popen(argv, env={**os.environ, **own})

    def until_step(self, step: int) -> None:
        self.until(lambda: all_steps(self.run) > step)

    def until(self, true: Callable[[], object], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def verdict(self, seconds: float = 60) -> Stall | None:
        """Return the first verdict, or None when the ranks have ended without one."""
        deadline = time.monotonic() + seconds
        while any(process.poll() is None for process in self.processes):
            if found := self.watch.look():
                return found
            assert time.monotonic() < deadline, "no verdict"
            time.sleep(0.1)
        return None

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def all_steps(run: RunDir) -> int:
    beats = read_beats(run, 0)
    return min((beat.step for beat in beats), default=0) if len(beats) == RANKS else 0


@pytest.fixture
def started(tmp_path: Path):
    loops: list[Loop] = []

    def start(scenario: str) -> Loop:
        loops.append(Loop(tmp_path, scenario))
        return loops[0]

    yield start
    for loop in loops:
        loop.end()


def test_a_stopped_rank_is_a_dead_one_and_cannot_show_its_stacks(started) -> None:
    loop = started("none")
    loop.until_step(5)
    assert loop.watch.look() is None
    os.kill(loop.processes[1].pid, signal.SIGSTOP)
    found = loop.verdict()
    assert found is not None
    assert (found.kind, found.ranks, found.nodes) == (Kind.dead_rank, (1,), ("here",))
    assert loop.watch.stacks() == ["rank-0.stack", "rank-2.stack"]


@pytest.mark.parametrize(
    ("scenario", "kind", "words"),
    [("skip", Kind.stuck_collective, "recv"), ("fifo", Kind.blocked_read, "read_bytes")],
)
def test_a_stuck_rank_is_named_and_its_stack_shows_where(
    started, scenario: str, kind: Kind, words: str
) -> None:
    loop = started(scenario)
    found = loop.verdict(120)
    assert found is not None
    assert (found.kind, found.ranks) == (kind, (1,))
    assert loop.watch.stacks() == [f"rank-{rank}.stack" for rank in range(RANKS)]
    assert words in (loop.run.logs / "rank-1.stack").read_text()


def test_a_rank_slowed_three_times_is_told_and_the_job_goes_on(started) -> None:
    loop = started("slow")
    found = loop.verdict(120)
    assert found is not None
    assert (found.kind, found.ranks, found.ends) == (Kind.straggler, (1,), False)
    before = all_steps(loop.run)
    loop.until_step(before + 5)


def test_long_checkpoints_raise_no_alarm(started) -> None:
    loop = started("healthy")
    assert loop.verdict(180) is None
    assert [process.wait() for process in loop.processes] == [0] * RANKS


def test_a_stall_ends_the_job_and_status_names_the_rank(forgia) -> None:
    said = forgia("data", "ingest", "demo_press")
    assert said.returncode == 0, said.stderr
    words = (
        "data.dataset=demo_press",
        "data.context=64",
        "data.horizon=16",
        "parallel.precision=fp32",
        "train.global_batch=4",
        "train.steps=100000",
        "train.stall_s=6",
    )
    said = forgia(
        "submit", "train", "cluster=local", "resources.ranks_per_node=2", "--json", *words
    )
    assert said.returncode == 0, said.stderr
    run = RunDir(Path(json.loads(said.stdout)["path"]))
    deadline = time.monotonic() + 120
    while not run.metrics.exists() or run.metrics.stat().st_size < 2000:
        assert time.monotonic() < deadline, (run.logs / "rank-0.log").read_text()
        time.sleep(0.2)
    batch = json.loads(forgia("status", run.name, "--json").stdout)["runs"][0]["job_id"]
    ranks = sorted(map(int, Path(f"/proc/{batch}/task/{batch}/children").read_text().split()))
    os.kill(ranks[1], signal.SIGSTOP)
    waited = forgia("wait", run.name)
    assert waited.returncode == 3
    assert "stalled: dead rank: rank 1" in waited.stdout
    (event,) = run.events("stalled")
    assert event.facts["ranks"] == [1]
    assert event.facts["stacks"] == ["rank-0.stack"]
    assert "stalled: dead rank" in waited.stdout
    assert not any(Path(f"/proc/{pid}").exists() for pid in ranks)
