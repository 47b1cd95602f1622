from pathlib import Path

import pytest

from forgia_hpc.node import notify as module
from forgia_hpc.node.notify import notify
from forgia_hpc.rundir import RunDir, write_json


def run_with(tmp_path: Path, argv: list[str]) -> RunDir:
    write_json(tmp_path / "job.json", {"notify": argv})
    return RunDir(tmp_path)


def test_the_program_gets_the_ending(tmp_path: Path) -> None:
    program = tmp_path / "tell"
    program.write_text('#!/bin/sh\nprintf "%s|%s|%s" "$1" "$FORGIA_STATE" "$FORGIA_WHY" > told\n')
    program.chmod(0o755)
    run = run_with(tmp_path, [str(program), "a; b"])
    notify(run, "failed", "rank 1 on n1: $HOME")
    assert (tmp_path / "told").read_text() == "a; b|failed|rank 1 on n1: $HOME"
    assert run.events("notified")
    assert not run.events("notify_failed")


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["/no/such/program"], "not on this machine"),
        (["false"], "exit code 1"),
        (["sleep", "9"], "no answer"),
    ],
)
def test_a_program_that_fails_is_noted_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], why: str
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.3)
    run = run_with(tmp_path, argv)
    notify(run, "completed", "")
    (event,) = run.events("notify_failed")
    assert why in event.facts["why"]


def test_without_a_program_nothing_is_done(tmp_path: Path) -> None:
    run = run_with(tmp_path, [])
    notify(run, "completed", "")
    assert run.events() == []
