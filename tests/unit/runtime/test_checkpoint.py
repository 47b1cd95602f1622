from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from forgia_hpc.errors import JobFailedError, SupersededError
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.checkpoint import Checkpoints
from forgia_hpc.runtime.place import Place
from forgia_hpc.runtime.stop import SUPERSEDED, StopFlag, request_stop, stop_file
from forgia_hpc.runtime.world import World
from forgia_hpc.runtime.writer import Writer

SAVING = Path(__file__).with_name("saving.py")


def no_wire() -> Any:
    raise AssertionError("one rank needs no wire")


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path)


def checkpoints(run: RunDir, keep: int = 2) -> Checkpoints:
    return Checkpoints(run, World(Place(), no_wire), keep)


def write(writer: Writer) -> None:
    writer.make_directory(writer.directory / "state")
    with writer.file(writer.directory / "state" / "weights.bin") as opened:
        opened.write(b"w" * 1000)
    with writer.file(writer.directory / "chance-0.json") as opened:
        opened.write(b"{}")


def names(run: RunDir) -> list[str]:
    return sorted(path.name for path in run.checkpoints.iterdir())


def test_a_saved_checkpoint_is_found_with_its_facts(run: RunDir) -> None:
    assert checkpoints(run).newest() is None
    checkpoints(run).save(7, {"loss": 0.25}, write)
    newest = checkpoints(run).newest()
    assert newest is not None
    assert (newest.step, newest.world_size, newest.facts) == (7, 1, {"loss": 0.25})
    assert (newest.directory / "state" / "weights.bin").read_bytes() == b"w" * 1000


def test_a_superseded_attempt_commits_nothing_and_touches_nothing_of_the_later_one(
    run: RunDir,
) -> None:
    checkpoints(run).save(7, {}, write)
    request_stop(run, 0)
    stop = StopFlag(run, 0)
    assert stop.requested
    saving = Checkpoints(run, World(Place(), no_wire), 2, stop.check_wanted)

    def superseded_meanwhile(writer: Writer) -> None:
        write(writer)
        stop_file(run, 0).write_text(SUPERSEDED)

    with pytest.raises(SupersededError, match="checkpoint 9 was not saved"):
        saving.save(9, {}, superseded_meanwhile)
    assert names(run) == [".9.part", "7"]
    with pytest.raises(SupersededError):
        saving.save(10, {}, write)
    assert names(run) == [".9.part", "7"]


def test_only_the_newest_are_kept(run: RunDir) -> None:
    for step in (2, 9, 10, 100):
        checkpoints(run, keep=2).save(step, {}, write)
    assert names(run) == ["10", "100"]
    checkpoints(run, keep=1).save(101, {}, write)
    assert names(run) == ["101"]


def spoil_content(directory: Path) -> None:
    (directory / "state" / "weights.bin").write_bytes(b"x" + b"w" * 999)


def spoil_length(directory: Path) -> None:
    os.truncate(directory / "state" / "weights.bin", 999)


def spoil_missing(directory: Path) -> None:
    (directory / "chance-0.json").unlink()


def spoil_manifest(directory: Path) -> None:
    (directory / "manifest.json").write_text("{", encoding="utf-8")


def spoil_no_manifest(directory: Path) -> None:
    (directory / "manifest.json").unlink()


def spoil_stray(directory: Path) -> None:
    (directory / "state" / "planted.pt").write_bytes(b"cos\nsystem\n")


def spoil_link(directory: Path) -> None:
    path = directory / "state" / "weights.bin"
    path.rename(directory.parent / "elsewhere")
    path.symlink_to(directory.parent / "elsewhere")


def spoil_mode(directory: Path) -> None:
    (directory / "state" / "weights.bin").chmod(0o666)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (spoil_content, "SHA-256"),
        (spoil_length, "999 bytes, 1000 were written"),
        (spoil_missing, "No such file"),
        (spoil_manifest, "broken JSON"),
        (spoil_no_manifest, "manifest.json"),
        (spoil_stray, "planted.pt: not in the manifest"),
        (spoil_link, "a symbolic link"),
        (spoil_mode, "anyone may write"),
    ],
)
def test_a_broken_one_is_passed_over_and_named(run: RunDir, spoil: Any, word: str) -> None:
    for step in (1, 2):
        checkpoints(run).save(step, {}, write)
    spoil(run.checkpoints / "2")
    newest = checkpoints(run).newest()
    assert newest is not None
    assert newest.step == 1
    (event,) = run.events("checkpoint_broken")
    assert event.facts["step"] == 2
    assert word in " ".join(event.facts["problems"])


def test_a_file_of_another_user_is_not_loaded(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints(run).save(1, {}, write)
    if os.geteuid() == 0:
        os.chown(run.checkpoints / "1" / "state" / "weights.bin", 12345, -1)
    else:  # only root gives files away; anyone else becomes the stranger
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert checkpoints(run).newest() is None
    problems = run.events("checkpoint_broken")[0].facts["problems"]
    assert any("neither to us nor to root" in problem for problem in problems)


def test_a_broken_one_is_replaced_when_its_step_is_computed_again(run: RunDir) -> None:
    for step in (1, 2):
        checkpoints(run).save(step, {}, write)
    spoil_content(run.checkpoints / "2")
    checkpoints(run).save(2, {}, write)
    newest = checkpoints(run).newest()
    assert newest is not None
    assert newest.step == 2
    checkpoints(run).save(3, {}, write)
    assert names(run) == ["2", "3"]


def test_an_older_one_never_replaces_what_came_later(run: RunDir) -> None:
    for step in (5, 6):
        checkpoints(run).save(step, {}, write)
    spoil_content(run.checkpoints / "6")
    checkpoints(run, keep=1).save(5, {}, write)
    newest = checkpoints(run).newest()
    assert newest is not None
    assert newest.step == 5


def test_two_ranks_that_write_one_file_have_lost_track(run: RunDir) -> None:
    def twice(writer: Writer) -> None:
        write(writer)
        write(writer)

    with pytest.raises(JobFailedError, match=r"checkpoint 1 could not be written.*File exists"):
        checkpoints(run).save(1, {}, twice)


def test_a_full_disk_leaves_the_older_checkpoint_and_one_clear_line(tmp_path: Path) -> None:
    script = (
        'mount -t tmpfs -o size=4m tmpfs "$1" && "$2" "$3" "$1" 1.5; code=$?; '
        'ls -A "$1/checkpoints"; exit $code'
    )
    # Root of this machine, or root of a user namespace of one's own: both may mount a tmpfs.
    namespace = ["--mount"] if os.geteuid() == 0 else ["--map-root-user", "--mount"]
    done = subprocess.run(
        ["unshare", *namespace, "sh", "-c", script, "sh", tmp_path, sys.executable, SAVING],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == 3, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("checkpoint 3 could not be written: rank 0: No space left on device")
    assert line.endswith("checkpoint 2 is the newest")
    # steps 1 and 2 were committed and are whole; of step 3 nothing is left
    assert done.stdout.split() == ["1", "2", "1", "2"]


def test_twenty_kills_at_random_moments_leave_a_loadable_newest(run: RunDir) -> None:
    chance, torn = random.Random(20260101), 0
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, SAVING, run.path, "2"],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        ) as child:
            assert child.stdout is not None
            said = [child.stdout.readline()]
            time.sleep(chance.uniform(0.0, 0.05))
            child.kill()
            said += child.stdout.readlines()
        committed = max(int(line) for line in said if line.endswith("\n"))
        torn += any(name.startswith(".") for name in names(run))
        newest = checkpoints(run).newest()
        assert newest is not None
        assert newest.step >= committed
    assert run.events("checkpoint_broken") == []
    assert torn >= 5  # the kills did hit saves
