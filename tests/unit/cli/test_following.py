"""The verbs that look at runs and keep house, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forgia_hpc.cli.watch import Pulse, Tail
from forgia_hpc.jobs.standing import State, Status
from tests.fakes.finished_run import failed_run, finished_run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


def test_a_run_is_run_again_compared_and_removed(forgia, root: Path) -> None:
    first = json.loads(
        forgia("run", "command", "--json", "--", "python", "-c", "print('here')").stdout
    )["run"]
    again = forgia("rerun", first, "--json")
    assert again.returncode == 0, again.stderr
    second = json.loads(again.stdout)["run"]
    assert forgia("wait", second).returncode == 0
    same = forgia("diff", first, second)
    assert same.stdout == "no difference: the same job\n"
    other = json.loads(forgia("rerun", first, "seed=5", "--json").stdout)["run"]
    assert forgia("wait", other).returncode == 0
    assert "seed: 0 → 5" in forgia("diff", first, other).stdout
    asks = forgia("rm", first)
    assert asks.returncode == 2
    assert "--yes" in asks.stderr
    assert (root / first).is_dir()
    assert forgia("rm", first, "--yes").stdout == f"removed: {first}\n"
    assert sorted(path.name for path in root.iterdir()) == sorted([second, other])


def test_an_edited_run_is_not_run_again_and_says_5(forgia, root: Path) -> None:
    name = json.loads(forgia("run", "command", "--json", "--", "true").stdout)["run"]
    with (root / name / "config.yaml").open("a") as opened:
        opened.write("# edited\n")
    refused = forgia("rerun", name)
    assert refused.returncode == 5
    assert "config.yaml" in refused.stderr
    assert len(list(root.iterdir())) == 1


def test_compare_speaks_to_people_scripts_and_spreadsheets(forgia, root: Path) -> None:
    names = [make(root).name for make in (finished_run, failed_run)]
    shown = forgia("compare", *names, "--to", str(root / "page.html"))
    assert shown.returncode == 0, shown.stderr
    assert all(name in shown.stdout for name in names)
    assert (root / "page.html").read_text().startswith("<!doctype html>")
    content = json.loads(forgia("compare", *names, "--json").stdout)
    assert [one["name"] for one in content["runs"]] == names
    lines = forgia("compare", *names, "--csv").stdout.splitlines()
    assert lines[0].startswith("run,state,")
    assert len(lines) == 3
    alone = forgia("compare", names[0])
    assert alone.returncode == 2


def test_prune_of_nothing_says_so(forgia, root: Path) -> None:
    finished_run(root)
    shown = forgia("prune", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "nothing to free" in shown.stdout


def test_the_end_is_told_to_the_program_of_the_users_settings(
    forgia, root: Path, tmp_path: Path
) -> None:
    program = tmp_path / "tell"
    program.write_text('#!/bin/sh\necho "$FORGIA_RUN $FORGIA_STATE" >> "$1"\n')
    program.chmod(0o755)
    settings = tmp_path / "config" / "forgia" / "config.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"notify: [{program}, {tmp_path}/told]\n")
    name = json.loads(forgia("run", "command", "--json", "--", "true").stdout)["run"]
    failed = json.loads(forgia("run", "command", "--json", "--", "false").stdout)
    told = (tmp_path / "told").read_text().splitlines()
    assert told == [f"{name} completed", f"{failed['run']} failed"]


def test_logs_of_a_silent_run_say_that_nothing_is_written(forgia, root: Path) -> None:
    name = json.loads(forgia("run", "command", "--json", "--", "true").stdout)["run"]
    shown = forgia("logs", name)
    assert (shown.returncode, shown.stdout) == (0, "")
    assert f"forgia report {name}" in shown.stderr


def test_following_a_training_shows_where_it_is(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished_run(root)
    status = Status(run=run, kind="train", cluster="local", job_id="1", state=State.completed)
    Pulse(run, Tail(run), {"train": 600}).beat(status)
    last = run.metrics.read_text().splitlines()[-1]
    assert f" {json.loads(last)['step']}/" in capsys.readouterr().err


def test_a_grant_said_again_keeps_its_shares_and_tells_what_was(forgia, tmp_path: Path) -> None:
    settings = tmp_path / "config" / "forgia" / "config.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"ledger: {tmp_path}/ledger\n")
    days = ["--from", "2026-11-01", "--to", "2026-12-31"]
    words = ["budget", "set", "acc", "--cluster", "dev", *days]
    assert forgia(*words, "--total", "10", "--member", "rossi", "0.5").returncode == 0
    again = forgia(*words, "--total", "40")
    assert "rossi: 0.5 of it" in again.stdout
    assert "before: 10 core-h" in again.stderr
