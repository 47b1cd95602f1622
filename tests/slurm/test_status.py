"""`forgia status` of runs, sweeps and a chain on a real Slurm: one squeue and one sacct for all of them."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from slurm.trip import Trip

pytestmark = pytest.mark.slurm

WORDS = ("cluster=dev", "resources.cpus_per_rank=1", "resources.mem_gb=1")
CHAIN = """
first: {kind: command, argv: ["true"]}
second: {kind: command, argv: ["true"], after: [first]}
"""
COUNTED = """#!/bin/sh
echo {name} >> {calls}
exec {real} "$@"
"""


@pytest.fixture
def trip(dev_slurm, tmp_path: Path) -> Trip:
    """Return `forgia` with a squeue and a sacct that note each call."""
    found, folder = Trip(dev_slurm, tmp_path), tmp_path / "bin"
    folder.mkdir()
    for name in ("squeue", "sacct"):
        real = shutil.which(name)
        (folder / name).write_text(COUNTED.format(name=name, calls=tmp_path / "calls", real=real))
        (folder / name).chmod(0o755)
    found.environment["PATH"] = f"{folder}:{found.environment['PATH']}"
    return found


def test_all_are_asked_for_at_once(trip: Trip, tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text(CHAIN)
    run, _ = trip.submit("command", *WORDS[1:], "--", "sh", "-c", "exit 3")
    sweep = ("sweep", "command", "seed=1,2", *WORDS, "--json", "--", "sh", "-c", "exit 3")
    sweeps = [json.loads(trip(*sweep).stdout)["run"] for _ in range(2)]
    chain = json.loads(
        trip("submit", "chain", f"chain={tmp_path}/chain.yaml", *WORDS, "--json").stdout
    )["run"]
    names = [run.name, *sweeps, chain]
    trip("wait", *names, code=3)
    trip("status", *names)  # settles the receipts
    (tmp_path / "calls").unlink()
    told = json.loads(trip("status", *names, "--json").stdout)["runs"]
    states = {one["run"]: one["state"] for one in told}
    assert [states[name] for name in names] == ["failed", "failed", "failed", "completed"]
    assert len(told) == len(names) + 2  # the chain's members
    assert Counter((tmp_path / "calls").read_text().split())["squeue"] == 1
    assert Counter((tmp_path / "calls").read_text().split())["sacct"] <= 1


def test_what_has_failed_is_nothing_to_wait_for(trip: Trip) -> None:
    run, _ = trip.submit("command", *WORDS[1:], "--", "sh", "-c", "exit 3")
    follower = ("submit", "command", *WORDS, "--after", run.name, "--", "true")
    told = trip(*follower, code=None)  # while it waits or runs it may be followed
    assert told.returncode == 2 or "once the run before it has completed" in told.stderr
    trip("wait", run.name, code=3)
    assert "it has not completed: failed" in trip(*follower, code=2).stderr


def test_a_completed_sweep_may_be_followed(trip: Trip) -> None:
    words = ("sweep", "command", "seed=1,2", *WORDS, "--json", "--", "true")
    name = json.loads(trip(*words).stdout)["run"]
    trip("wait", name)
    told = trip("submit", "command", *WORDS, "--after", name, "--dry-run", "--", "true")
    assert "--dependency" not in told.stdout
