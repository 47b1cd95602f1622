"""Receipts: what is billed, waited for, lost and advised, made from rows and the run's own record."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from forgia_hpc.errors import SealBrokenError
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.accounting import Shape
from forgia_hpc.slurm.cluster import load_cluster
from forgia_hpc.slurm.hints import hints
from forgia_hpc.slurm.own_record import own_rows, sealed_job
from forgia_hpc.slurm.receipt import (
    intact,
    is_settled,
    leave_at_end,
    leave_provisional,
    read_receipt,
    write_receipt,
)
from forgia_hpc.slurm.usage import Allocation
from forgia_hpc.slurm.waits import waits
from forgia_hpc.slurm.work import work_of

SHAPE = Shape(nodes=2, cpus=32, gpus=4, mem_mb=491520, billing=64)
BASE = 1_795_000_000


def resources(**others: object) -> Resources:
    facts = {
        "nodes": 2, "ranks_per_node": 4, "gpus_per_node": 4, "cpus_per_rank": 8, "mem_gb": 480,
        "walltime": "02:00:00", "partition": "boost_usr_prod", "account": "acc",
    }  # fmt: skip
    return Resources(**{**facts, **others})  # type: ignore[arg-type]


def row(at: int, seconds: int, **others: object) -> Allocation:
    start = BASE + at
    facts = {
        "job_id": "7", "state": "COMPLETED", "submit": start, "eligible": start, "start": start,
        "end": start + seconds, "elapsed_s": seconds, "cpu_s": 64 * seconds, "shape": SHAPE,
        "partition": "boost_usr_prod",
    }  # fmt: skip
    return Allocation(**{**facts, **others})  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """Seal a train run that was preempted at step 60, with a checkpoint of step 40, and then ended at 100."""
    found = RunDir(tmp_path / "20261122-120000-train-abcdef")
    for folder in (found.inputs, found.checkpoints / "100", found.path / "heartbeat"):
        folder.mkdir(parents=True)
    sealed = {"name": found.name, "cluster": "leonardo_booster", "slurm": True}
    write_json(found.job, {**sealed, "kind": "train", "resources": asdict(resources())})
    write_json(found.manifest, {"digest": "ab" * 32})
    cluster = json.loads(
        json.dumps(asdict(load_cluster("leonardo_booster")), default=lambda v: v.value)
    )
    (found.inputs / "cluster.yaml").write_text(yaml.safe_dump(cluster))
    found.metrics.write_text(
        "".join(
            json.dumps({"step": step, "phase": "train", "step_s": 2.0}) + "\n"
            for step in range(1, 101)
        )
    )
    _event(found, 10, "submitted", job_id="7")
    _event(found, 100, "batch_started", attempt=0, job_id="7", step=0)
    _event(found, 400, "batch_started", attempt=1, job_id="7", step=40)
    _event(found, 700, "batch_ended", attempt=1, exit_code=0)
    for attempt, step, at in ((0, 60, 220), (1, 100, 690)):
        beat = {"step": step, "phase": "train", "time": float(BASE + at)}
        (found.path / "heartbeat" / f"{attempt}-0").write_text(json.dumps(beat))
    write_json(found.result, {"attempt": 1})
    return found


def _event(run: RunDir, at: int, what: str, **facts: object) -> None:
    folder = run.path / "events"
    folder.mkdir(exist_ok=True)
    time_ns = (BASE + at) * 10**9
    write_json(
        folder / f"{time_ns}-{what}-000000.json", {"what": what, "time_ns": time_ns, "facts": facts}
    )


ROWS = [row(100, 130, state="REQUEUED"), row(400, 300, submit=BASE + 230, reason="BeginTime")]


def test_a_settled_receipt_sums_every_attempt(run: RunDir) -> None:
    found = write_receipt(sealed_job(run), ROWS, standing="settled")
    assert found["billed"]["amount"] == pytest.approx(64 * 430 / 3600, abs=1e-6)
    assert (found["billing_seconds"], found["cpu_seconds"]) == (64 * 430, 64 * 430)
    assert [each["elapsed_s"] for each in found["attempts"]] == [130, 300]
    assert found["energy"]["source"] == "model"
    assert is_settled(run)
    assert read_receipt(run) == found


def test_another_attempt_makes_a_settled_receipt_out_of_date(run: RunDir) -> None:
    write_receipt(sealed_job(run), ROWS, standing="settled")
    _event(run, 900, "batch_started", attempt=2, job_id="8", step=100)
    assert not is_settled(run)


def test_steps_after_the_last_checkpoint_are_lost_work(run: RunDir) -> None:
    found = work_of(run, ROWS)
    assert (found.lost_steps, found.lost_s, found.useful_s) == (20, 40.0, 390.0)
    assert found.by == "steps"


def test_a_run_that_failed_after_its_last_checkpoint_lost_the_rest(run: RunDir) -> None:
    run.result.unlink()
    (run.checkpoints / "100").rename(run.checkpoints / "90")
    assert work_of(run, ROWS).lost_steps == 30


def test_without_steps_an_attempt_that_was_not_the_last_is_lost(run: RunDir) -> None:
    run.metrics.unlink()
    found = work_of(run, ROWS)
    assert (found.by, found.lost_s, found.lost_steps) == ("attempts", 130.0, None)


def test_an_own_record_tells_attempts_that_left_no_last_word(run: RunDir) -> None:
    first, second = own_rows(sealed_job(run))
    assert (first.elapsed_s, first.state) == (120, "FAILED")  # last heard of at its heartbeat
    assert (second.elapsed_s, second.state) == (300, "COMPLETED")


def test_a_job_leaves_a_provisional_receipt_that_a_settled_one_replaces(run: RunDir) -> None:
    found = leave_provisional(run)
    assert found["standing"] == "provisional"
    assert found["billed"]["by"] == "rule"
    assert not found["wait"]["known"]
    settled = write_receipt(sealed_job(run), ROWS, standing="settled")
    assert leave_provisional(run) == settled


def test_an_edited_receipt_is_found(run: RunDir) -> None:
    found = write_receipt(sealed_job(run), ROWS, standing="settled")
    assert intact(found)
    write_json(run.path / "receipt.json", {**found, "cpu_seconds": 1})
    with pytest.raises(SealBrokenError, match="edited"):
        read_receipt(run)


def test_waits_are_told_apart_by_cause() -> None:
    found = waits(
        [
            row(500, 10, submit=BASE, eligible=BASE + 480, reason="Dependency"),
            row(700, 10, submit=BASE + 510, eligible=BASE + 631, reason="BeginTime"),
            row(50, 10, job_id="8", submit=BASE, eligible=BASE + 30, reason="JobArrayTaskLimit"),
            row(0, 0, job_id="9", submit=BASE - 60, eligible=None, state="CANCELLED"),
        ]
    )
    assert (found["dependency_s"], found["requeue_hold_s"], found["array_limit_s"]) == (
        480,
        121,
        30,
    )
    assert found["queue_s"] == 20 + 69 + 20
    assert found["other_s"] == 60  # cancelled before it was eligible
    assert found["reasons"] == ["BeginTime", "Dependency", "JobArrayTaskLimit"]


def test_hints_say_what_to_ask_for() -> None:
    cluster, asked = (
        load_cluster("leonardo_booster"),
        resources(nodes=1, gpus_per_node=1, ranks_per_node=1),
    )
    shape = Shape(nodes=1, cpus=8, gpus=1, mem_mb=480 * 1024)
    used = row(0, 1800, shape=shape, used_cpu_s=8 * 180.0, max_rss_mb=20 * 1024.0)
    found = hints([used], asked, cluster, finished=True)
    assert found["efficiency"] == {"cpu": 0.1, "memory": 0.042, "walltime": 0.25}
    time_hint, memory_hint, core_hint = found["hints"]
    assert "resources.walltime=00:40:00" in time_hint
    assert "resources.mem_gb=25" in memory_hint
    assert "10 % of the time" in core_hint


def test_no_hint_from_a_run_that_did_not_finish_or_used_what_it_had() -> None:
    cluster = load_cluster("leonardo_booster")
    assert hints([row(0, 1800)], resources(), cluster, finished=False)["hints"] == []
    assert hints([row(0, 6000)], resources(), cluster, finished=True)["hints"] == []


def test_a_receipt_that_fails_does_not_change_the_ending(run: RunDir) -> None:
    run.manifest.unlink()
    leave_at_end(run)
    assert "manifest.json" in run.events("receipt_failed")[0].facts["why"]
    assert not (run.path / "receipt.json").exists()


def test_of_a_sweep_the_tasks_that_completed_are_kept(tmp_path: Path) -> None:
    (tmp_path / "points.jsonl").write_text("")
    states = [("COMPLETED", 30), ("COMPLETED", 20), ("FAILED", 10)]
    rows = [
        Allocation(
            job_id=str(n),
            task=f"7_{n}",
            state=state,
            elapsed_s=seconds,
            shape=Shape(nodes=1, cpus=1),
        )
        for n, (state, seconds) in enumerate(states)
    ]
    work = work_of(RunDir(tmp_path), rows)
    assert (work.useful_s, work.lost_s, work.by) == (50.0, 10.0, "tasks")
