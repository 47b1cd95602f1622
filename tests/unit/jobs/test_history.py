"""What befell earlier attempts, and why a job that waited for others never began."""

from __future__ import annotations

from pathlib import Path

import pytest

from forgia_hpc.jobs.history import history
from forgia_hpc.jobs.unmet import never_began
from forgia_hpc.rundir import RunDir, write_json

NODE = "slurmstepd-n2: error: *** JOB 16 ON n2 CANCELLED AT 2026-11-22T11:26:43 DUE TO NODE FAILURE ***\n"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    found = RunDir(tmp_path / "run")
    found.logs.mkdir(parents=True)
    return found


def told(run: RunDir) -> list[str]:
    return [sentence for sentence, _ in history(run)]


def test_a_run_of_one_attempt_and_one_that_ended_for_its_walltime_have_none(run: RunDir) -> None:
    run.event("batch_started", attempt=0)
    run.event("batch_ended", attempt=0, exit_code=6, cause="walltime")
    assert told(run) == []
    run.event("batch_started", attempt=1)
    assert told(run) == []


def test_a_stall_names_rank_node_and_what_followed(run: RunDir) -> None:
    run.event("batch_started", attempt=0)
    facts = {"verdict": "dead rank", "ranks": [1], "nodes": ["n2"], "evidence": ["no sign of life"]}
    run.event("stalled", attempt=0, **facts)
    run.event("batch_ended", attempt=0, exit_code=3, cause="stalled")
    run.event("resubmitted", attempt=0, way="requeue")
    run.event("batch_started", attempt=1)
    assert history(run) == [
        ("attempt 0 stalled: dead rank 1 on n2; requeued without n2", ("no sign of life",))
    ]


def test_a_node_failure_is_told_by_slurms_line_or_by_the_nodes_state(run: RunDir) -> None:
    log = run.logs / "batch.err"
    run.event("batch_started", attempt=0, node="n2")
    log.write_text(NODE)
    run.event("batch_started", attempt=1, node="n3", logs={"batch.err": log.stat().st_size})
    states = {"n3": "DOWN+NOT_RESPONDING Not responding", "n4": "IDLE"}
    run.event("batch_started", attempt=2, job_id="7", logs={"batch.err": log.stat().st_size})
    run.event("attempt_lost", attempt=1, nodes="n[3-4]", node_states=states)
    run.event("batch_started", attempt=3, job_id="7", logs={"batch.err": log.stat().st_size})
    run.event("attempt_lost", attempt=2, nodes="n4", node_states={"n4": "IDLE+POWERED_DOWN"})
    run.event("batch_started", attempt=4, job_id="8")  # a person's: they knew
    assert told(run) == [
        "attempt 0 was lost: node n2 failed",
        "attempt 1 was lost: node n3 failed",
        "attempt 2 left no last word",
    ]
    assert history(run)[0][1] == (NODE.strip(),)


def test_why_a_member_never_began(run: RunDir, tmp_path: Path) -> None:
    first, second = RunDir(tmp_path / "first"), RunDir(tmp_path / "second")
    for folder in (first.path, second.path, run.inputs):
        folder.mkdir()
    first.event("batch_started", attempt=0)
    first.event("batch_ended", attempt=0, exit_code=3)
    before = {"first": {"run": str(first.path)}, "second": {"run": str(second.path)}}
    write_json(run.inputs / "before.json", before)
    edge = {"after": "afterok:3:4"}
    second.event("batch_started", attempt=0)
    assert never_began(run, edge) == "it never began: first failed, second has not completed"
    write_json(run.inputs / "before.json", {**before, "second": {"run": str(tmp_path / "third")}})
    assert never_began(run, edge) == "it never began: first failed, second never began either"
    write_json(run.inputs / "before.json", before)
    write_json(first.result, {"ending": "completed"})
    write_json(second.result, {"ending": "completed"})
    assert "job 4, which it waited for" in never_began(run, edge)
    assert never_began(run, {}) == ""
    run.event("cancel_asked")
    assert never_began(run, edge) == "it never began: forgia cancel"
    run.event("submitted", job_id="9")  # it was cancelled, resumed, and dropped for another reason
    assert "job 4, which it waited for" in never_began(run, edge)
    run.event("cancel_asked")
    assert never_began(run, edge) == "it never began: forgia cancel"
    run.event("batch_started", attempt=0)
    assert never_began(run, edge) == ""
