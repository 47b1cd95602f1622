"""Whole runs on this machine, without Slurm, as a user starts them: command jobs need no torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forgia_hpc.jobs.find import list_runs
from forgia_hpc.jobs.standing import State
from forgia_hpc.jobs.track import status_of
from forgia_hpc.rundir import RunDir


def only_run() -> RunDir:
    (run,) = list_runs(Path(os.environ["FORGIA_RUNS"]))
    return run


def until(condition, seconds: float = 30):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def test_a_program_that_ends_well(forgia) -> None:
    code = (
        "import os, pathlib; "
        "pathlib.Path(os.environ['FORGIA_OUTPUT'], os.environ['RANK']).write_text(os.environ['WORLD_SIZE'])"
    )
    done = forgia(
        "run", "command", "resources.ranks_per_node=2", "--json", "--", sys.executable, "-c", code
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["format"], said["state"]) == ("forgia.run/1", "completed")
    run = only_run()
    assert {path.name: path.read_text() for path in run.output.iterdir()} == {"0": "2", "1": "2"}
    assert Path(said["report"]).read_text().startswith("<!doctype html>")


def test_ranks_may_end_far_apart(forgia, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGIA_RENDEZVOUS_S", "8")  # a busy machine starts ranks seconds apart
    monkeypatch.setenv("FORGIA_MASTER_ADDR", "127.0.0.1")
    code = "import os, time; time.sleep(12 * int(os.environ['RANK']))"
    done = forgia("run", "command", "resources.ranks_per_node=2", "--", sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr


def test_a_program_that_fails_is_a_failed_job_that_names_its_rank(forgia) -> None:
    code = "import os, sys, time; time.sleep(60 * (os.environ['RANK'] == '0')); sys.exit(7)"
    started = time.monotonic()
    done = forgia("run", "command", "resources.ranks_per_node=2", "--", sys.executable, "-c", code)
    assert done.returncode == 3
    assert time.monotonic() - started < 50, "the other rank was left alone"
    assert "rank 1 on" in done.stderr
    assert "exit code 7" in done.stderr
    assert not only_run().result.exists()


def test_a_killed_rank_ends_the_job_and_names_itself(forgia) -> None:
    done = forgia("submit", "command", "resources.ranks_per_node=2", "--", "sleep", "60")
    assert done.returncode == 0, done.stderr
    run = only_run()
    ranks = until(lambda: _ranks(run) if len(_ranks(run)) == 2 else None)
    os.kill(ranks[1], signal.SIGKILL)
    waited = forgia("wait", run.name)
    assert waited.returncode == 3
    assert "killed by SIGKILL" in waited.stdout
    until(lambda: not _ranks(run))


def _ranks(run: RunDir) -> list[int]:
    """Return the pids of the living ranks, by rank."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            if b"forgia_hpc.node.entry" in words and str(run.path).encode() in words:
                environment = (path / "environ").read_bytes().split(b"\0")
                rank = next(int(w[5:]) for w in environment if w.startswith(b"RANK="))
                found.append((rank, int(path.name)))
        except (OSError, StopIteration):
            continue
    return [pid for _, pid in sorted(found)]


def test_a_killed_batch_step_takes_its_ranks_along_and_is_no_success(forgia) -> None:
    forgia("submit", "command", "--", "sleep", "60")
    run = only_run()
    until(lambda: _ranks(run))
    os.kill(int(run.events("submitted")[-1].facts["pid"]), signal.SIGKILL)
    until(lambda: not _ranks(run))
    (status,) = status_of([run])
    assert status.state is State.failed
    assert "left no last word" in status.why
    run.event(
        "cancel_asked"
    )  # what stands there when `forgia cancel` ends a step that listens not yet
    assert status_of([run])[0].state is State.cancelled


def test_cancel_asks_the_program_to_stop_and_the_run_is_resumable(forgia) -> None:
    forgia("submit", "command", "--", "sleep", "60")
    run = only_run()
    until(lambda: _ranks(run))
    assert forgia("status").stdout.count("running") == 1
    assert forgia("cancel", run.name[:20]).returncode == 0
    assert forgia("wait", run.name).returncode == 6
    stopped = status_of([run])[0]
    assert stopped.state is State.stopped
    assert "what it saved, it knows alone" in stopped.why
    assert forgia("resume", run.name).returncode == 0
    until(lambda: _ranks(run))
    assert [event.facts["attempt"] for event in run.events("batch_started")] == [0, 1]
    forgia("cancel", run.name)
    assert forgia("wait", run.name).returncode == 6


SAVES = """
import os, signal, sys, time
def leave(*_):
    open(os.environ["FORGIA_OUTPUT"] + "/state", "w").write("saved")
    sys.exit(0)
signal.signal(signal.SIGUSR2, leave)
print("listens", flush=True)
time.sleep(60)
"""


def test_a_resumable_program_gets_its_own_signal_and_its_0_is_a_stop(forgia) -> None:
    words = ("command.resumable=true", "command.progress=state", "command.stop_signal=SIGUSR2")
    forgia("submit", "command", *words, "--", sys.executable, "-c", SAVES)
    run = only_run()
    log = run.logs / "rank-0.log"
    until(lambda: log.exists() and "listens" in log.read_text())
    forgia("cancel", run.name)
    assert forgia("wait", run.name).returncode == 6
    assert (run.output / "state").read_text() == "saved"
    assert status_of([run])[0].why.endswith(f"it can go on: forgia resume {run.name}")


def test_a_failed_program_names_the_command_that_shows_its_log(forgia) -> None:
    forgia("submit", "command", "--", "false")
    run = only_run()
    assert forgia("wait", run.name).returncode == 3
    assert status_of([run])[0].why.endswith(f"forgia logs {run.name} --rank 0")


def test_ctrl_c_stops_the_run_and_says_130(forgia) -> None:
    process = subprocess.Popen(
        [
            *("env", "--default-signal=INT"),  # a background shell hands down an ignored one
            *(sys.executable, "-m", "forgia_hpc.cli.main", "run", "command", "--", "sleep", "60"),
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    runs = Path(os.environ["FORGIA_RUNS"])
    until(lambda: list_runs(runs) and _ranks(only_run()))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped" in said
    assert status_of([only_run()])[0].state is State.stopped


@pytest.mark.parametrize(
    "place", ["code/forgia_hpc/rundir.py", "config.yaml", "inputs/cluster.yaml"]
)
def test_an_edited_run_refuses_with_5_and_the_file(forgia, place: str) -> None:
    forgia("submit", "command", "--", "true")
    run = only_run()
    assert forgia("wait", run.name).returncode == 0
    run.result.unlink()
    path = run.path / place
    path.write_text(path.read_text() + "\n# edited\n")
    run.event("batch_ended", attempt=0, exit_code=6, why="stopped for the test")
    assert forgia("resume", run.name).returncode == 0
    waited = forgia("wait", run.name)
    assert waited.returncode == 5, waited.stdout
    assert place.removeprefix("code/") in waited.stdout


def test_a_run_starts_the_sealed_code_and_not_the_checkout_it_stands_in() -> None:
    import forgia_hpc

    checkout = Path(forgia_hpc.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "forgia_hpc.cli.main", "run", "command", "--", "true"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    run = only_run()
    outside = subprocess.run(
        [sys.executable, "-m", "forgia_hpc.node.entry", str(run.path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=checkout,
    )
    assert outside.returncode == 5
    assert "not the sealed code" in outside.stderr


def test_a_rank_that_outlived_its_batch_step_stops_a_second_attempt(forgia) -> None:
    forgia("submit", "command", "--", "sleep", "60")
    run = only_run()
    (rank,) = until(lambda: _ranks(run))
    os.kill(rank, signal.SIGSTOP)  # stalled, so it does not notice that its parent dies
    os.kill(int(run.events("submitted")[-1].facts["pid"]), signal.SIGKILL)
    until(lambda: status_of([run])[0].state is State.failed)
    done = forgia("resume", run.name)
    assert done.returncode == 2
    assert f"still live: {rank}" in done.stderr
    os.kill(rank, signal.SIGCONT)
    until(lambda: not _ranks(run))
    assert forgia("resume", run.name).returncode == 0
    until(lambda: _ranks(run))
    forgia("cancel", run.name)
    assert forgia("wait", run.name).returncode == 6
