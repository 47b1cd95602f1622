"""One job a submission, against an sbatch that times out, fails, lies and doubles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.errors import InputError, SlurmSilentError
from forgia_hpc.jobs import journal, submit
from forgia_hpc.jobs.standing import State
from forgia_hpc.jobs.submit import ask_to_stop, next_link, submit_sealed
from forgia_hpc.jobs.track import status_of
from forgia_hpc.rundir import RunDir, write_json, write_text
from forgia_hpc.slurm import executor

SILENT = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"
DEAD = {"host": os.uname().nodename, "pid": 2**22 + 1, "start_ticks": "1"}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    found.keeps_jobs()
    monkeypatch.setenv("PATH", f"{found.directory}{os.pathsep}{os.environ['PATH']}")
    return found


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "runs" / "20261122-120000-command-abcdef")
    run.logs.mkdir(parents=True)
    record = {"kind": "command", "cluster": "dev", "slurm": True}
    record |= {"slurm_environment": {}, "resources": {"walltime": "00:10:00"}}
    write_json(run.job, record)
    write_json(run.manifest, {"digest": "d" * 64})
    write_text(run.path / "job.sbatch", "#!/bin/sh\n")
    return run


def state(run: RunDir) -> State:
    return status_of([run])[0].state


def left_open(run: RunDir, seconds_ago: float, holder: dict | None = None) -> None:
    """Write the claim of a submitter that is gone."""
    number = journal.next_number(run)
    journal.claim(run, number)
    path = run.path / "submissions" / f"{number}.json"
    content = json.loads(path.read_text())
    time_ns = time.time_ns() - int(seconds_ago * 1e9)
    path.write_text(json.dumps({**content, "time_ns": time_ns, "holder": holder or DEAD}))


# --- what sbatch may do ---------------------------------------------------------------------------


def test_an_honest_submission_is_on_disk_before_sbatch_is_asked(
    fake: FakeSlurm, run: RunDir
) -> None:
    facts = submit_sealed(run)
    assert facts == {"job_id": "100", "name": f"forgia-{run.name}", "number": 1}
    (claimed,), (told,) = run.events("submitting"), run.events("submitted")
    assert claimed.time_ns < told.time_ns
    assert [entry.outcome for entry in journal.entries(run)] == ["accepted"]
    assert (run.path / "submissions" / "1.json").stat().st_nlink == 1


@pytest.mark.parametrize(
    "lie",
    [
        "times out after success",
        "says nothing of its success",
        "tells a wrong id",
        "tells an id and fails",
        "refuses after success",
        "is killed after success",
    ],
)
def test_a_job_that_sbatch_does_not_own_up_to_is_found_and_not_sent_again(
    fake: FakeSlurm, run: RunDir, lie: str
) -> None:
    fake.keeps_jobs(lie)
    assert submit_sealed(run)["job_id"] == "100"
    found = status_of([run])[0]
    assert (found.state, found.job_id) == (State.pending, "100")
    with pytest.raises(InputError, match="job 100 of it is still queued"):
        submit.resume(run)
    assert [*fake.jobs] == ["100"]


def test_an_sbatch_that_hangs_with_its_job_queued_is_left_alone_and_the_job_found(
    fake: FakeSlurm, run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "SBATCH_TIMEOUT_S", 1)
    fake.keeps_jobs("hangs after success")
    assert submit_sealed(run)["reconciled"] is True
    assert len(fake.jobs) == 1


@pytest.mark.parametrize("lie", ["says nothing", "invents an id", "times out"])
def test_a_job_that_nobody_has_seen_is_in_doubt_until_no_request_can_arrive(
    fake: FakeSlurm, run: RunDir, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.keeps_jobs(lie)
    with pytest.raises(SlurmSilentError, match=f"forgia status {run.name}"):
        submit_sealed(run)
    assert journal.entries(run)[0].outcome == "unknown"
    assert state(run) is State.unknown
    fake.keeps_jobs()
    with pytest.raises(SlurmSilentError, match="whether it is lost is certain at"):
        submit.resume(run)
    assert not fake.jobs
    later = time.time_ns() + int(journal.arrives_s({}) * 1e9)
    monkeypatch.setattr("time.time_ns", lambda: later)
    assert submit.resume(run)["name"] == f"forgia-{run.name}.2"
    assert [entry.outcome for entry in journal.entries(run)] == ["lost", "accepted"]
    assert len(fake.jobs) == 1


@pytest.mark.parametrize("lie", ["doubles", "doubles and times out"])
def test_of_two_jobs_of_one_token_the_first_stays(fake: FakeSlurm, run: RunDir, lie: str) -> None:
    fake.keeps_jobs(lie)
    assert submit_sealed(run)["job_id"] == "100"
    assert {job: facts["state"] for job, facts in fake.jobs.items()} == {
        "100": "PENDING",
        "101": "CANCELLED",
    }
    assert run.events("double_cancelled")[0].facts["job_ids"] == ["101"]


def test_a_submit_limit_is_the_users_to_mend_and_may_be_sent_again_at_once(
    fake: FakeSlurm, run: RunDir
) -> None:
    fake.keeps_jobs("refuses")
    with pytest.raises(InputError, match=r"job submit limit.*wait until fewer"):
        submit_sealed(run)
    assert state(run) is State.sealed
    fake.keeps_jobs()
    assert submit.resume(run)["number"] == 2
    assert len(fake.jobs) == 1


def test_a_submission_that_was_held_up_is_given_up_before_sbatch(
    fake: FakeSlurm, run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = journal.claim(run, 1)
    script = submit._script(run, entry)
    monkeypatch.setattr("time.time", lambda: entry.until_s + 1)
    with pytest.raises(InputError, match="held up too long"):
        submit.hand_over(run, entry, script)
    assert not fake.jobs


def test_sbatchs_word_counts_where_squeue_is_silent(fake: FakeSlurm, run: RunDir) -> None:
    fake.says("squeue", "", err=SILENT, code=1)
    assert submit_sealed(run)["job_id"] == "100"
    with pytest.raises(SlurmSilentError):
        submit.resume(run)
    assert len(fake.jobs) == 1


# --- before anything is sent again ----------------------------------------------------------------


def test_a_killed_submitters_job_is_found_by_its_name(fake: FakeSlurm, run: RunDir) -> None:
    left_open(run, seconds_ago=1)
    fake.set_job("77", name=f"forgia-{run.name}", state="RUNNING", submit=_now())
    found = status_of([run])[0]
    assert (found.state, found.job_id) == (State.running, "77")
    assert run.events("submitted")[-1].facts["reconciled"] is True


def test_a_job_of_the_same_name_from_long_before_is_none_of_ours(
    fake: FakeSlurm, run: RunDir
) -> None:
    left_open(run, seconds_ago=1)
    fake.set_job("77", name=f"forgia-{run.name}", state="RUNNING", submit="2020-01-01T00:00:00")
    assert state(run) is State.unknown


def test_a_submitter_that_lives_is_waited_for_however_long(fake: FakeSlurm, run: RunDir) -> None:
    left_open(run, seconds_ago=10_000, holder=dict(journal.claim(run, 1).holder))
    with pytest.raises(SlurmSilentError, match=f"process {os.getpid()} is submitting"):
        submit.resume(run)
    assert not fake.jobs


def test_a_job_that_left_its_trace_in_the_run_is_not_lost(fake: FakeSlurm, run: RunDir) -> None:
    left_open(run, seconds_ago=10_000)
    run.event("batch_started", attempt=0, node="n1", pid=1, job_id="55")
    run.event("batch_ended", attempt=0, exit_code=6, why="stopped")
    assert state(run) is State.stopped
    assert submit.resume(run)["number"] == 2
    assert [entry.job_id for entry in journal.entries(run)] == ["55", "100"]


def test_nothing_is_given_up_while_slurmdbd_is_down(fake: FakeSlurm, run: RunDir) -> None:
    left_open(run, seconds_ago=10_000)
    fake.says("sacct", "", err="sacct: error: Problem talking to the database: refused", code=1)
    assert state(run) is State.unknown


def test_a_resume_that_was_killed_is_seen_behind_the_attempt_before(
    fake: FakeSlurm, run: RunDir
) -> None:
    submit_sealed(run)
    fake.set_job("100", state="FAILED")
    run.event("batch_started", attempt=0, node="n1", pid=1, job_id="100")
    run.event("batch_ended", attempt=0, exit_code=6, why="stopped")
    left_open(run, seconds_ago=1)
    assert state(run) is State.unknown
    fake.set_job("200", name=f"forgia-{run.name}.2", state="PENDING", submit=_now())
    assert status_of([run])[0].job_id == "200"


# --- an id is no proof ----------------------------------------------------------------------------


def test_another_job_with_a_reused_id_is_never_ours(fake: FakeSlurm, run: RunDir) -> None:
    """slurmctld forgot the job when it was killed, and gave its id to somebody else's."""
    submit_sealed(run)
    fake.set_job("100", name="forgia-20261122-120000-command-fedcba")
    found = status_of([run])[0]
    assert (found.state, found.job_id) == (State.vanished, "100")
    assert "never started" in found.why
    ask_to_stop(run)
    assert fake.jobs["100"]["state"] == "PENDING"
    assert submit.resume(run)["name"] == f"forgia-{run.name}.2"


def test_an_id_that_was_told_wrong_is_mended_by_the_name(fake: FakeSlurm, run: RunDir) -> None:
    fake.keeps_jobs("tells a wrong id")
    fake.says("squeue", "", err=SILENT, code=1)
    assert submit_sealed(run)["job_id"] == "999"
    fake.keeps_jobs()
    found = status_of([run])[0]
    assert (found.state, found.job_id) == (State.pending, "100")


# --- two at once ----------------------------------------------------------------------------------


def test_two_that_resume_at_the_same_instant_send_one_job(
    fake: FakeSlurm, run: RunDir, tmp_path: Path
) -> None:
    submit_sealed(run)
    fake.set_job("100", state="FAILED")
    run.event("batch_started", attempt=0, node="n1", pid=1, job_id="100")
    run.event("batch_ended", attempt=0, exit_code=6, why="stopped")
    argv = [sys.executable, "-P", "-m", "forgia_hpc.cli.main", "resume", str(run.path), "--json"]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in "ab"]
    said = [process.communicate(timeout=60) for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes[0] == 0, said
    assert codes[1] in (2, 4), said
    assert len(fake.jobs) == 2


def test_a_number_can_be_claimed_once(run: RunDir) -> None:
    won, refused = [], []

    def try_it() -> None:
        try:
            won.append(journal.claim(run, 1))
        except InputError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=try_it) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(refused)) == (1, 15)
    assert "at the same moment" in refused[0]


def test_who_asked_before_the_other_had_submitted_comes_too_late(
    fake: FakeSlurm, run: RunDir
) -> None:
    """Both saw the same state; the job of the first has even ended when the second sends."""
    submit_sealed(run)
    fake.set_job("100", state="FAILED")
    number = journal.next_number(run)
    submit.resume(run, number)
    fake.set_job("101", state="COMPLETED")
    with pytest.raises(InputError, match="at the same moment"):
        submit.resume(run, number)
    assert len(fake.jobs) == 2


# --- the next link of a chain ---------------------------------------------------------------------


def test_the_next_link_is_queued_once_from_inside_its_own_job(
    fake: FakeSlurm, run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_sealed(run)
    fake.set_job("100", state="RUNNING")
    run.event("batch_started", attempt=0, node="n1", pid=1, job_id="100")
    with pytest.raises(InputError, match="its own running job only"):
        next_link(run)
    monkeypatch.setenv("SLURM_JOB_ID", "100")
    facts = next_link(run)
    argv = fake.calls("sbatch")[-1]["argv"]
    assert {"--dependency=afterany:100", "--kill-on-invalid-dep=yes"} < set(argv)
    assert argv[0] == f"--job-name=forgia-{run.name}.2"
    assert next_link(run) == facts
    assert len(fake.jobs) == 2
    assert state(run) is State.running
    fake.set_job("100", state="TIMEOUT")
    assert state(run) is State.pending
    fake.set_job("100", state="RUNNING")
    ask_to_stop(run)
    assert {job["state"] for job in fake.jobs.values()} == {"CANCELLED"}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S")
