from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from forgia_hpc.errors import SupersededError
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.stop import SUPERSEDED, StopFlag, is_superseded, request_stop, stop_file


def test_the_file_of_this_attempt_stops_and_that_of_another_does_not(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    request_stop(run, 0)
    assert StopFlag(run, 0).requested
    flag = StopFlag(run, 1, poll_s=0.0)
    assert not flag.requested
    request_stop(run, 1)
    assert flag.requested
    (tmp_path / "stop" / "1").unlink()
    assert flag.requested  # once set it stays set


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_signals_set_the_flag_and_are_given_back(number: signal.Signals, tmp_path: Path) -> None:
    before = signal.getsignal(number)
    with StopFlag(RunDir(tmp_path), 0) as flag:
        assert not flag.requested
        os.kill(os.getpid(), number)
        assert flag.requested
    assert signal.getsignal(number) is before


def test_a_superseded_attempt_leaves_and_saves_nothing_whoever_asks_it_first(
    tmp_path: Path,
) -> None:
    run = RunDir(tmp_path)
    with StopFlag(run, 0, poll_s=3600) as flag:
        assert not flag.requested
        request_stop(run, 0)
        assert not is_superseded(run, 0)
        stop_file(run, 0).write_text(f"{SUPERSEDED}\n")
        assert is_superseded(run, 0)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(SupersededError):
            _ = flag.requested


def test_a_rank_that_was_asked_to_stop_still_hears_that_it_is_superseded(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    request_stop(run, 0)
    flag, slow = StopFlag(run, 0, poll_s=0.0), StopFlag(run, 0, poll_s=3600)
    assert flag.requested
    assert slow.requested
    slow.check_wanted()
    stop_file(run, 0).write_text(f"{SUPERSEDED}\n")
    with pytest.raises(SupersededError):
        _ = flag.requested
    assert slow.requested  # it looks again in an hour, but before a save is committed at once
    with pytest.raises(SupersededError):
        slow.check_wanted()


def test_a_forked_child_still_dies_of_sigterm(tmp_path: Path) -> None:
    with StopFlag(RunDir(tmp_path), 0) as flag:
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGTERM
        assert not flag.requested
