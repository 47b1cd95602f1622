"""Endings told apart: our own record, Slurm's state and its lines in the logs, as a real Slurm 22.05 left them."""

from __future__ import annotations

from pathlib import Path

import pytest

from forgia_hpc.jobs.ending import Word, ending
from forgia_hpc.jobs.record import Record, read_record
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.slurm.state import SlurmState

STAMP = "CANCELLED AT 2026-11-22T11:26:43"
PREEMPTED = f"slurmstepd-n2: error: *** JOB 3 ON n2 {STAMP} DUE TO PREEMPTION ***"
NODE = f"slurmstepd-n2: error: *** JOB 16 ON n2 {STAMP} DUE TO NODE FAILURE, SEE SLURMCTLD LOG ***"
CANCELLED = f"slurmstepd-n3: error: *** JOB 5 ON n3 {STAMP} ***"
MEMORY = (
    "slurmstepd-n1: error: StepId=10.0 exceeded memory limit (485572608 > 314572800), being killed"
)
CGROUP = "slurmstepd: error: Detected 1 oom_kill event in StepId=10.0. Some of the step tasks were killed."
SRUN = "srun: error: n1: task 0: Out Of Memory"
BUDGET = (
    "slurmstepd-n1: error: *** REASON: Job is at or exceeds association (acc=x/user=(null)/part=(null)) "
    "group max TRES(cpu) minutes of 1 with 3 ***"
)
TORCH = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB"


def job(state: str, code: str = "0:0", elapsed_s: int = 100, limit_s: int = 600, reason: str = ""):
    exit_code, number = map(int, code.split(":"))
    return SlurmState(
        job_id="7",
        state=state,
        reason=reason,
        nodes="n2",
        exit_code=exit_code,
        signal=number,
        elapsed_s=elapsed_s,
        limit_s=limit_s,
    )


def record(code: int | None = None, why: str = "", lines: tuple[str, ...] = (), **more) -> Record:
    return Record(begun=True, code=code, why=why, lines=lines, **more)


@pytest.mark.parametrize(
    ("own", "slurm", "word", "saved"),
    [
        (record(0, result=True), job("COMPLETED"), Word.completed, False),
        (record(0), job("COMPLETED"), Word.no_result, False),
        (record(None), job("COMPLETED"), Word.no_result, False),
        (record(6, "stopped"), job("FAILED", "6:0"), Word.stopped, True),
        (record(None, saved=True), job("FAILED", "0:9"), Word.stopped, True),
        (record(3, "nothing new", saved=True), job("FAILED", "3:0"), Word.failed, False),
        (record(None), job("TIMEOUT", elapsed_s=618), Word.timeout, False),
        (record(6, "saved"), job("TIMEOUT", elapsed_s=618), Word.stopped, True),
        (record(None), job("TIMEOUT", elapsed_s=57), Word.over_budget, False),
        (record(6), job("TIMEOUT", elapsed_s=57), Word.over_budget, True),
        (record(None, lines=(BUDGET,)), job("TIMEOUT", elapsed_s=618), Word.over_budget, False),
        (record(None), job("DEADLINE", elapsed_s=57), Word.timeout, False),
        (record(None), job("PREEMPTED"), Word.preempted, False),
        (record(6), job("PREEMPTED"), Word.preempted, True),
        (record(None, lines=(PREEMPTED,)), job("CANCELLED"), Word.preempted, False),
        (record(None, lines=(CANCELLED,)), job("CANCELLED"), Word.cancelled, False),
        (record(6, lines=(CANCELLED,)), job("CANCELLED"), Word.cancelled, True),
        (record(3, "killed", cancel_asked=True), job("CANCELLED"), Word.cancelled, False),
        (record(None), job("NODE_FAIL"), Word.node_failed, False),
        (record(3, "killed", lines=(NODE,)), job("FAILED", "3:0"), Word.node_failed, False),
        (record(3, "killed", lines=(MEMORY,)), job("FAILED", "3:0"), Word.out_of_memory, False),
        (record(3, "killed", lines=(SRUN,)), job("FAILED", "3:0"), Word.out_of_memory, False),
        (record(None, lines=(CGROUP,)), job("FAILED", "0:9"), Word.out_of_memory, False),
        (record(None), job("OUT_OF_MEMORY", "0:125"), Word.out_of_memory, False),
        (record(3, "rank 1 failed", lines=(CANCELLED,)), job("FAILED", "3:0"), Word.failed, False),
        (record(5, "x.py differs"), job("FAILED", "5:0"), Word.seal_broken, False),
        (record(None), job("FAILED", "0:9"), Word.killed, False),
    ],
)
def test_each_ending_has_one_word(own: Record, slurm: SlurmState, word: Word, saved: bool) -> None:
    found = ending(own, slurm)
    assert (found.word, found.saved) == (word, saved)
    assert found.evidence[0].startswith(f"Slurm: {slurm.state}")
    assert found.why or word is Word.completed


def test_what_can_go_on_says_so_and_what_would_end_the_same_does_not() -> None:
    assert ending(record(None), job("TIMEOUT", elapsed_s=618)).can_go_on
    assert ending(record(None), job("NODE_FAIL")).can_go_on
    assert not ending(record(None, lines=(MEMORY,)), job("FAILED", "3:0")).can_go_on
    assert not ending(record(3, "rank 1 failed"), job("FAILED", "3:0")).can_go_on
    assert not ending(Record(), job("CANCELLED")).can_go_on  # it never began


def made(path: Path, kind: str = "train") -> RunDir:
    run = RunDir(path)
    run.logs.mkdir()
    write_json(run.job, {"kind": kind})
    return run


def test_what_a_program_saved_it_knows_alone(tmp_path: Path) -> None:
    run = made(tmp_path, "command")
    run.event("batch_started", attempt=0)
    run.event("cancel_asked")
    run.event("batch_ended", attempt=0, exit_code=6, why="stopped when asked to (asked)")
    found = ending(read_record(run), job("CANCELLED", "0:15"))
    assert found.word is Word.cancelled
    assert found.why == "forgia cancel; its program ended when asked to"


def test_a_job_that_was_cancelled_before_it_began(tmp_path: Path) -> None:
    found = ending(read_record(made(tmp_path)), job("CANCELLED"))
    assert found.why == "scancel, before it began (CANCELLED 0:0)"


def test_an_earlier_attempt_that_lived_on_says_nothing_of_the_newest(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.event("batch_started", attempt=0)
    run.event("batch_started", attempt=1)
    run.event("rank_stopped", attempt=1)
    run.event("rank_failed", attempt=0)
    run.event("batch_ended", attempt=0, exit_code=3, why="late")
    found = read_record(run)
    assert (found.saved, found.code, found.why) == (True, None, "")


def test_a_requeue_that_slurm_refused_is_no_going_on(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.event("batch_started", attempt=0)
    run.event("batch_ended", exit_code=6, why="it goes on by requeue", cause="walltime")
    run.event("not_resubmitted", why="Access/permission denied")
    found = ending(read_record(run), job("FAILED", "6:0"))
    assert (found.saved, found.can_go_on) == (True, True)
    assert found.why == "stopped (walltime); it was not resubmitted: Access/permission denied"


def test_only_the_newest_attempts_lines_count_and_only_slurms(tmp_path: Path) -> None:
    run = made(tmp_path)
    log = run.logs / "batch.err"
    log.write_text(PREEMPTED + "\n")
    run.event("batch_started", attempt=0)
    run.event("rank_stopped", attempt=0)
    run.event("cancel_asked")
    assert read_record(run).lines == (PREEMPTED,)
    run.event("batch_started", attempt=1, logs={"batch.err": log.stat().st_size})
    (run.logs / "launcher.log").write_text(f"{TORCH}\n{MEMORY}\n")
    found = read_record(run)
    assert found.lines == (MEMORY,)
    assert (found.saved, found.cancel_asked, found.code) == (False, False, None)
