"""rm and prune: what may go, what never does."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from forgia_hpc.jobs.housekeeping import (
    area_of,
    drop,
    holdings,
    refusals,
    room_of,
)
from forgia_hpc.jobs.standing import State, Status
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.runtime.checkpoint import steps_in
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.site import Area


def run_with(root: Path, *steps: int, name: str = "20260101-000000-train-abcdef") -> RunDir:
    run = RunDir(root / name)
    for step in steps:
        folder = run.checkpoints / str(step)
        folder.mkdir(parents=True)
        content = os.urandom(5000)
        (folder / "model.bin").write_bytes(content)
        entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        write_json(
            folder / "manifest.json",
            {"format": "forgia.checkpoint/1", "step": step, "files": {"model.bin": entry}},
        )
    run.path.mkdir(parents=True, exist_ok=True)
    return run


def status(run: RunDir, state: State) -> Status:
    return Status(run=run, kind="train", cluster="local", job_id="1", state=state)


def test_the_newest_checkpoint_that_verifies_stays_and_the_others_may_go(tmp_path: Path) -> None:
    run = run_with(tmp_path, 10, 20, 30)
    with (run.checkpoints / "30" / "model.bin").open("r+b") as opened:
        opened.write(b"broken")
    (run.checkpoints / ".40.part").mkdir()
    (held,) = holdings([status(run, State.stopped)])
    assert held.kept_step == 20
    assert {path.name for path in held.spare} == {"10", "30", ".40.part"}
    before = room_of(run.path)[0]
    drop(held.spare)
    assert steps_in(run.checkpoints) == [20]
    assert not list(run.checkpoints.glob(".*"))
    after = room_of(run.path)[0]
    assert before.size - after.size == held.freed.size
    assert before.inodes - after.inodes == held.freed.inodes


def test_where_no_checkpoint_verifies_none_goes(tmp_path: Path) -> None:
    run = run_with(tmp_path, 10, 20)
    for step in (10, 20):
        (run.checkpoints / str(step) / "model.bin").write_bytes(b"x")
    (held,) = holdings([status(run, State.failed)])
    assert held.spare == ()
    assert "all stay" in held.note


@pytest.mark.parametrize("state", [State.running, State.pending, State.unknown, State.sealed])
def test_of_a_run_that_has_not_ended_nothing_goes(tmp_path: Path, state: State) -> None:
    (held,) = holdings([status(run_with(tmp_path, 10, 20), state)])
    assert held.spare == ()
    assert state.value in held.note


def test_what_lives_can_go_on_or_is_needed_is_not_removed(tmp_path: Path) -> None:
    living = run_with(tmp_path, name="a-living")
    stopped = run_with(tmp_path, 10, name="b-stopped")
    judged = run_with(tmp_path, 10, name="c-judged")
    judge = run_with(tmp_path, name="d-judge")
    judge.inputs.mkdir()
    (judge.inputs / "model.json").write_text(
        json.dumps({"directory": str(judged.path / "output" / "model"), "files": {}})
    )
    found = [
        status(living, State.running),
        status(stopped, State.stopped),
        status(judged, State.completed),
    ]
    everything = [living, stopped, judged, judge]
    problems = {one.got: one.limit for one in refusals(found, everything, force=False)}
    assert problems == {
        "a-living": "it is running",
        "b-stopped": "it is stopped and can go on from step 10",
        "c-judged": "d-judge was made from it",
    }
    assert [one.got for one in refusals(found, everything, force=True)] == ["a-living"]
    together = [*found[2:], status(judge, State.completed)]
    assert refusals(together, everything, force=False) == []


def test_the_purge_date_is_that_of_the_oldest_file_in_the_deepest_area(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_with(tmp_path / "scratch", 10)
    old = time.time() - 30 * 86_400
    os.utime(run.checkpoints / "10" / "model.bin", (old, old))
    monkeypatch.setenv("MY_ROOT", str(tmp_path))
    cluster = Cluster(
        name="x",
        title="x",
        storage=(
            Area(path="$MY_ROOT", role="work"),
            Area(path="$MY_ROOT/scratch", role="scratch", purge_days=40),
            Area(path="$NOT_SET/scratch", purge_days=1),
        ),
    )
    area = area_of(run.path, cluster)
    assert area is not None
    assert area.purge_days == 40
    (held,) = holdings([status(run, State.completed)])
    wanted = time.strftime("%Y-%m-%d", time.localtime(old + 40 * 86_400))
    assert held.purged_on(area) == wanted
    assert held.purged_on(None) is None
    assert area_of(tmp_path.parent, cluster) is None
