"""Many groups are ended at once: at a walltime's end there are seconds, and each answer of Slurm may take one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from forgia_hpc.node import steps
from forgia_hpc.node.groups import Group, end_all
from forgia_hpc.schema.job import Launch

RUN = "/runs/20261122-120000-simulate-abcdef"


def sleeping(number: int) -> Group:
    """Return a group whose srun sleeps."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = SimpleNamespace(process=process, poll=process.poll, launch=Launch.srun_mpi)
    launch = f"{number:03d}-0.0.{number}"
    return Group(number=number, launch=launch, campaign=RUN, started=cast("Any", started))


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What Slurm was asked: its steps are there until they are cancelled."""
    calls: list[list[str]] = []
    named = [steps.step_name(RUN, f"{n:03d}-0.0.{n}") for n in (*range(10), 77)]
    there = {f"5.{place}": name for place, name in enumerate(named)}

    def run(argv: list[str], **_: Any) -> SimpleNamespace:
        calls.append(argv)
        if argv[0] == "scancel":
            for number in argv[2:]:
                del there[number]
        return SimpleNamespace(
            stdout="".join(f"{number} {name}\n" for number, name in there.items())
        )

    monkeypatch.setenv("SLURM_JOB_ID", "5")
    monkeypatch.setattr(steps.process, "run", run)
    return calls


def test_ten_groups_are_ended_with_the_calls_of_one(asked: list[list[str]]) -> None:
    groups = [sleeping(number) for number in range(10)]
    end_all(groups)
    for group in groups:
        group.end_strays()  # as when it is buried
    assert [argv[0] for argv in asked] == ["squeue", "scancel", "squeue"]
    assert len(asked[1]) == 2 + 10, "the steps of these ten, and of no other"
    assert all(group.code == -9 for group in groups)
