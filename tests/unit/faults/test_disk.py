"""A disk that takes no more, a reader that went away, files cut by a machine that went down."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forgia_hpc.errors import refused_by_system
from forgia_hpc.jobs.find import list_runs
from forgia_hpc.jobs.standing import State
from forgia_hpc.jobs.track import status_of
from forgia_hpc.metrics import MetricsFile, read_metrics
from forgia_hpc.rundir import RunDir, write_json, write_whole


@pytest.fixture
def ended(forgia) -> RunDir:
    done = forgia("run", "command", "--", "true")
    assert done.returncode == 0, done.stderr
    (run,) = list_runs(Path(os.environ["FORGIA_RUNS"]))
    return run


def test_a_full_disk_is_one_line_that_names_the_place(tmp_path: Path) -> None:
    refused = refused_by_system(OSError(errno.ENOSPC, "No space left on device", "/data/x.h5"))
    assert "/data/x.h5" in str(refused)
    assert "No space left" in str(refused)
    assert refused_by_system(OSError(errno.EINVAL, "Invalid argument", "/data/x.h5")) is None


def test_a_root_that_is_a_file_is_mended_by_the_user(forgia, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = forgia("submit", "command", "--", "true", FORGIA_RUNS=str(tmp_path / "file"))
    assert done.returncode == 2
    assert "Not a directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_went_away_is_no_failure() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "forgia_hpc.cli.main", "config", "show", "train"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(60), said) == (0, b"")


def test_a_full_standard_output_is_one_line(forgia) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "forgia_hpc.cli.main", "config", "show", "train"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_write_says_where(tmp_path: Path) -> None:
    target = tmp_path / "x.json"

    def torn() -> None:
        with write_whole(target):
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full") as caught:
        torn()
    assert caught.value.filename == str(target)


def test_an_event_that_could_not_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="full"):
        RunDir(tmp_path).event("sealed")
    assert not list((tmp_path / "events").iterdir())


def test_a_clock_set_back_does_not_reorder_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDir(tmp_path)
    run.event("batch_ended", attempt=0)
    hour_ago = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr("time.time_ns", lambda: hour_ago)
    run.event("batch_ended", attempt=1)
    assert [event.facts["attempt"] for event in run.events("batch_ended")] == [0, 1]


def test_an_event_cut_by_a_crash_hides_no_other(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.event("submitted", pid=1)
    (tmp_path / "events" / "9999999999999999999-submitted-abcdef.json").write_text("")
    assert [event.facts for event in run.events("submitted")] == [{"pid": 1}]


def test_a_torn_line_takes_no_other_along(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    with MetricsFile(path) as metrics:
        metrics.append(2, loss=1.0)
    assert [row["step"] for row in read_metrics(path)] == [1, 2]


@pytest.mark.parametrize("content", ['{"a', "{}", "[]"])
def test_a_broken_run_hides_no_other(ended: RunDir, forgia, content: str) -> None:
    other = ended.path.with_name("20200101-000000-command-abcdef")
    other.mkdir()
    (other / "job.json").write_text(content)
    found = status_of([RunDir(other), ended])
    assert [entry.state for entry in found] == [State.broken, State.completed]
    assert forgia("wait", other.name).returncode == 5
    assert forgia("resume", other.name).returncode == 5
    assert ended.name in forgia("status").stdout


def test_metrics_that_are_none_hide_no_state(ended: RunDir) -> None:
    ended.metrics.write_text('[1]\n{"loss": 2}\n')
    assert status_of([ended])[0].state is State.completed


def test_a_submitter_killed_before_its_last_line_loses_no_run(ended: RunDir) -> None:
    for path in (ended.path / "events").glob("*-submitted-*"):
        path.unlink()
    assert status_of([ended])[0].state is State.completed


def test_a_batch_step_whose_submitter_was_killed_is_seen_running(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()", str(tmp_path)], stdin=-1) as process:
        write_json(
            run.job,
            {"kind": "command", "cluster": "local", "slurm": False, "slurm_environment": {}},
        )
        run.event("batch_started", attempt=0, node=os.uname().nodename, pid=process.pid)
        assert status_of([run])[0].state is State.running
        process.communicate(b"\n")
    assert status_of([run])[0].state is State.failed


def test_brackets_in_a_reason_are_no_markup(forgia) -> None:
    done = forgia("run", "command", "--", "[/x]")
    assert done.returncode == 3
    shown = forgia("status")
    assert shown.returncode == 0, shown.stderr
    assert "[/x] did not start" in shown.stdout
    assert json.loads(forgia("status", "--json").stdout)["runs"][0]["state"] == "failed"
