"""The verdict beside what a real Slurm then does; the long, random version is in tests/endurance/verdicts.py."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from endurance.verdicts import Verdicts
from slurm.trip import Trip

pytestmark = pytest.mark.slurm


@pytest.mark.parametrize(("seed", "state", "mode"), [(1, "idle", "NO"), (7, "limited", "ALL")])
def test_the_verdict_is_what_slurm_does(dev_slurm, tmp_path, seed, state, mode) -> None:
    with Verdicts(tmp_path, bed=dev_slurm.directory, requests=8) as trials:
        found = trials.trial(random.Random(seed), state=state, mode=mode)
    assert found["faults"] == []
    assert len(found["classes"]) > 1, "a trial that sees one class shows nothing"


def test_a_job_that_would_wait_for_ever_is_refused_and_force_submits_it(
    dev_slurm, tmp_path
) -> None:
    forgia = Trip(dev_slurm, tmp_path)
    words = (
        "submit",
        "command",
        "--json",
        "cluster=dev",
        "resources.nodes=5",
        "resources.mem_gb=1",
        "resources.cpus_per_rank=1",
    )
    said = json.loads(forgia(*words, "--", "true", code=2).stdout)
    assert said["problems"][0]["field"] == "resources.nodes"
    assert "wait for ever" in said["problems"][0]["limit"]
    _, job = forgia.submit(
        "command",
        "--force",
        "resources.nodes=5",
        "resources.mem_gb=1",
        "resources.cpus_per_rank=1",
        "--",
        "true",
    )
    try:
        # 22.05 was seen to say either of a request for more nodes than there are
        reason = forgia.until(job, "PENDING")["Reason"]
        assert reason in ("PartitionNodeLimit", "PartitionConfig")
    finally:
        dev_slurm.run(["scancel", job])


def test_a_dry_run_says_what_it_waits_for(dev_slurm, tmp_path: Path) -> None:
    forgia = Trip(dev_slurm, tmp_path)
    argv = [
        "sbatch",
        "--parsable",
        "-pboost_usr_prod",
        "-N4",
        "--exclusive",
        "-t10",
        "--output=/dev/null",
    ]
    job = dev_slurm.run([*argv, "--wrap", "sleep 600"]).stdout.strip()
    try:
        forgia.until(job, "RUNNING")
        words = ("submit", "command", "--json", "--dry-run", "cluster=dev", "--", "true")
        verdict = json.loads(forgia(*words).stdout)["verdict"]
        assert (verdict["fate"], verdict["reason"]) == ("waits", "Resources")
        assert "busy until" in verdict["because"]
    finally:
        dev_slurm.run(["scancel", job])


def test_sweep_chain_and_rerun_ask_as_submit_does(dev_slurm, tmp_path: Path) -> None:
    forgia = Trip(dev_slurm, tmp_path)
    small = ("cluster=dev", "resources.cpus_per_rank=1", "resources.mem_gb=1")
    chain = tmp_path / "chain.yaml"
    chain.write_text(
        "a: {kind: command, argv: [echo, '${HOME}']}\nb: {kind: command, argv: [echo], after: [a]}\n"
    )
    ready = ("--dry-run", "--json")
    sweep = json.loads(forgia("sweep", "command", "seed=1,2", *small, *ready, "--", "true").stdout)
    assert sweep["verdict"]["fate"] in ("starts_now", "waits")
    members = json.loads(forgia("submit", "chain", f"chain={chain}", *small, *ready).stdout)
    assert set(members["verdicts"]) == {"a", "b"}
    wide = ("b:resources.nodes=9", *small, *ready)
    refused = forgia("submit", "chain", f"chain={chain}", *wide, code=2)
    [problem] = json.loads(refused.stdout)["problems"]
    assert problem["field"] == "b: resources.nodes"
    assert "wait for ever" in problem["limit"]
    said = forgia("submit", "command", *small, "--json", "--", "sh", "-c", 'echo "said ${HOME}"')
    run = json.loads(said.stdout)["run"]
    again = json.loads(forgia("rerun", run, *ready).stdout)
    assert again["verdict"]["fate"] in ("starts_now", "waits")
    assert again["price"]["core-h"] > 0
    forgia("rerun", run, "resources.nodes=9", *ready, code=2)
