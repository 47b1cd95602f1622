"""When a receipt may be settled: not before the accounts show every task of an array."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from forgia_hpc.jobs import journal, receipt
from forgia_hpc.rundir import RunDir
from forgia_hpc.slurm.usage import Allocation, Shape

NAME = "forgia-some-run"


def task(written: str, number: int) -> Allocation:
    return Allocation(
        job_id=str(number),
        task=written,
        name=NAME,
        state="COMPLETED",
        start=1_800_000_000,
        end=1_800_000_005,
        elapsed_s=5,
        shape=Shape(nodes=1, cpus=1),
    )


@pytest.mark.parametrize(
    ("facts", "tasks", "settled"),
    [
        ({"points": 3}, ["7_0"], False),
        ({"points": 3}, ["7_0", "7_1", "7_2"], True),
        ({"points": 3}, ["7_0", "7_[1-2%1]"], True),  # cancelled before they began: one row
        ({"points": 3}, ["7"], True),  # packed: its points are steps of one job
        ({}, ["7_0"], True),  # nobody knows how many there are
    ],
)
def test_an_array_is_settled_when_each_of_its_tasks_is_seen(
    facts: Mapping[str, Any],
    tasks: list[str],
    settled: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[object] = []
    monkeypatch.setattr(receipt, "is_ours", lambda name, run: name == NAME)
    monkeypatch.setattr(receipt, "sealed_job", lambda run: run)
    monkeypatch.setattr(receipt, "write_receipt", lambda *_, **__: written.append(1))
    entry = journal.Entry(number=1, name=NAME, time_ns=0, outcome="accepted", facts=facts)
    rows = [task(one, number) for number, one in enumerate(tasks, 7)]
    assert receipt._settle_one(RunDir(tmp_path), [entry], rows) is settled
    assert bool(written) is settled
