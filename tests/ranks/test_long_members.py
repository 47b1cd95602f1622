"""Members that are longer than a walltime, groups of which one rank fails, and want of memory: real processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.campaign.bed import (
    ONE,
    TWO,
    Bed,
    account,
    ended,
    kill,
    lines,
    log,
    processes,
    start,
    told,
    until,
)

from forgia_hpc.errors import ExitCode
from forgia_hpc.node.progress import Start, progress
from forgia_hpc.rundir import RunDir
from forgia_hpc.simulate.returns import mark_of

pytestmark = pytest.mark.ranks

MEMORY = Path("/sys/fs/cgroup/memory")
ALONE = ("ensemble.members=1", "ensemble.refine_share=0")


def words(options: str, *more: str) -> tuple[str, ...]:
    """Return the words of a campaign of a solver that saves itself."""
    return ("solver.family=long_ripples:LongRipples", f"solver.options={{{options}}}", *more)


def saved(run: RunDir) -> bool:
    """Whether a member at work has saved something in this try."""
    given = {line["given"] for line in lines(run, "begun") if "given" in line}
    folders = (run.output / "campaign" / "work").glob("*/saved")
    return any(mark_of(one) not in {"", *given} for one in folders if (one / "state.json").exists())


def is_progress(run: RunDir) -> bool | None:
    """Return whether the newest attempt counts as progress."""
    attempt = len(run.events("batch_started")) - 1
    return progress(Start(run=run, attempt=attempt, restarts=0, step=0, job="1"))


@pytest.mark.parametrize(
    "ranks", [(ONE,), (TWO, "ensemble.ranks_per_member=2")], ids=["one", "two"]
)
def test_a_member_longer_than_a_walltime_is_solved_over_several(
    tmp_path: Path, ranks: tuple[str, ...]
) -> None:
    """Asked to stop, killed, asked again: each try goes on from the last one's state, to the same bytes."""
    quiet, bed = Bed(tmp_path / "quiet"), Bed(tmp_path / "long")
    own = words("steps: 20, sleep_s: 8", *ALONE, *ranks)
    undisturbed = quiet.seal(*own)
    beside = start(undisturbed)
    run = bed.seal(*own, "ensemble.save_s=0.5")
    for tries, wish in enumerate((signal.SIGUSR1, signal.SIGKILL, signal.SIGUSR1), start=1):
        batch = start(run)
        until(lambda tries=tries: len(list(lines(run, "begun"))) == tries)
        until(lambda: saved(run))
        if wish is signal.SIGKILL:
            for pid in processes(run):
                kill(pid)
            batch.wait()
        else:
            batch.send_signal(wish)
            assert batch.wait(60) == ExitCode.STOPPED, log(run)
            assert is_progress(run)
    assert ended(run) == ExitCode.OK, log(run)
    assert beside.wait(60) == ExitCode.OK, log(undisturbed)
    assert len([line for line in lines(run, "begun") if line.get("given")]) == 3
    assert next(lines(run, "solved"))["facts"]["resumed"] >= 3
    assert not run.events("state_ignored")
    assert not (run.output / "campaign" / "saved").exists()
    assert bed.bytes() == quiet.bytes()


def test_a_stop_without_a_moved_state_is_no_progress(tmp_path: Path) -> None:
    """Else a job whose walltime is too short for the first save would be requeued for ever."""
    run = Bed(tmp_path).seal(*words("steps: 20, sleep_s: 60", *ALONE, ONE))
    batch = start(run)
    until(lambda: list(lines(run, "begun")))
    batch.send_signal(signal.SIGUSR1)
    assert batch.wait(60) == ExitCode.STOPPED, log(run)
    assert is_progress(run) is False


def test_a_torn_state_is_told_and_not_used(tmp_path: Path) -> None:
    run = Bed(tmp_path).seal(*words("steps: 20, sleep_s: 4", *ALONE, ONE, "ensemble.save_s=0.5"))
    batch = start(run)
    until(lambda: saved(run))
    batch.send_signal(signal.SIGUSR1)
    assert batch.wait(60) == ExitCode.STOPPED, log(run)
    file = sorted((run.output / "campaign" / "saved").glob("*/step-*"))[0]
    file.write_bytes(file.read_bytes()[:-9])
    assert ended(run) == ExitCode.OK, log(run)
    assert "is not what its checksum says" in run.events("state_ignored")[0].facts["why"]
    assert next(lines(run, "solved"))["facts"]["resumed"] == 0


@pytest.mark.parametrize("how", ["one_rank", "alone"])
def test_a_rank_that_fails_alone_ends_the_try_and_no_more(tmp_path: Path, how: str) -> None:
    """The others are on their way to the meeting, or wait in the solver for the one that has failed."""
    own = words(f"how: {how}", "ensemble.members=4", "ensemble.refine_share=0")
    run = Bed(tmp_path).seal(*own, TWO, "ensemble.ranks_per_member=2", "ensemble.member_s=300")
    assert ended(run) == ExitCode.OK, log(run)
    assert (told(run)["admitted"], told(run)["poison"]) == (3, 1)
    assert account(run)["failures"] == {"no_output": 2}
    assert len(list(lines(run, "lost"))) == 2


@pytest.fixture
def tight() -> Iterator[Path]:
    """Make a control group of 1 GB, whose processes the kernel kills if they want more."""
    place = MEMORY / f"forgia-test-{os.getpid()}"
    try:
        place.mkdir()
    except OSError:
        pytest.skip("no control group of version 1 can be made here")
    (place / "memory.limit_in_bytes").write_text(str(10**9))
    yield place
    until(lambda: not (place / "cgroup.procs").read_text())
    place.rmdir()


def test_a_group_that_the_kernel_kills_for_memory_is_named_so(tmp_path: Path, tight: Path) -> None:
    run = Bed(tmp_path).seal(
        *words("how: greedy", "ensemble.members=4", "ensemble.refine_share=0", ONE)
    )
    own = Path("/proc/self/cgroup").read_text().splitlines()
    before = next(line.split(":")[2] for line in own if ":memory:" in line)
    (tight / "cgroup.procs").write_text(str(os.getpid()))
    try:
        batch = start(run)
    finally:
        (MEMORY / before.lstrip("/") / "cgroup.procs").write_text(str(os.getpid()))
    assert batch.wait(120) == ExitCode.OK, log(run)
    assert (told(run)["admitted"], told(run)["poison"]) == (3, 1)
    assert account(run)["failures"] == {"oom": 2}
