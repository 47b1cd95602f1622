"""Campaigns with real processes that are stopped, killed, hung or torn: nobody is left, the next start goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from endurance.campaign import FewKills
from fakes.campaign.bed import (
    ONE,
    TWO,
    Bed,
    account,
    ended,
    kill,
    lines,
    log,
    processes,
    rejected,
    start,
    told,
    until,
)

from forgia_hpc.errors import ExitCode
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.ranks


def test_random_kills_change_nothing(tmp_path: Path) -> None:
    with FewKills(tmp_path) as trials:
        found = trials.trial(random.Random("tests"))
    assert found["faults"] == []
    assert found["kills"] == FewKills.kills


def test_a_block_whose_bytes_changed_is_solved_again(tmp_path: Path) -> None:
    """Torn block files, a torn journal line, a journal cut in its last line: nothing of it is sealed."""
    quiet, bed = Bed(tmp_path / "quiet"), Bed(tmp_path / "torn")
    words = ("ensemble.members=24", "ensemble.block=6", ONE, "ensemble.refine_share=0")
    undisturbed = quiet.seal(*words)
    assert ended(undisturbed) == ExitCode.OK, log(undisturbed)
    run = bed.seal(*words, "solver.options={}")
    batch = start(run)
    campaign = run.output / "campaign"
    until(lambda: sum(1 for _ in lines(run, "solved")) >= 20)
    kill(batch.pid)
    batch.wait()
    until(lambda: not processes(run))
    first, second, third = sorted((campaign / "blocks").glob("*.h5"))[:3]
    flipped = bytearray(first.read_bytes())
    flipped[-100] ^= 1
    first.write_bytes(flipped)
    second.write_bytes(second.read_bytes()[:3000])
    third.unlink()
    journal = next((campaign / "journal").glob("000-*.jsonl"))
    text = journal.read_bytes()
    journal.write_bytes(text.replace(b'"row":1,', b'"row":2,', 1)[:-20])
    assert ended(run) == ExitCode.OK, log(run)
    assert account(run)["unsound"] >= 3
    assert account(run)["torn_lines"] >= 1
    assert bed.bytes() == quiet.bytes()


def test_a_stop_drains_and_the_next_start_goes_on(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    run = bed.seal("ensemble.members=24", "solver.options={sleep_s: 0.3}", TWO)
    batch = start(run)
    until(lambda: sum(1 for _ in lines(run, "solved")) >= 4)
    batch.send_signal(signal.SIGUSR1)
    assert batch.wait(60) == ExitCode.STOPPED
    solved = Counter(line["member"] for line in lines(run, "solved"))
    assert not processes(run)
    assert not list(lines(run, "lost"))
    facts = run.events("campaign_ended")[-1].facts
    every = facts["planned"] + facts["refined_planned"]
    assert (facts["exit_code"], facts["left"]) == (ExitCode.STOPPED, every - len(solved))
    assert ended(run) == ExitCode.OK, log(run)
    again = Counter(line["member"] for line in lines(run, "solved"))
    assert max(again.values()) == 1
    assert told(run)["admitted"] == 24


def test_a_group_that_stands_still_is_killed_with_all_it_started(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    bed.table(4, {1: "fork", 2: "hang"})
    run = bed.seal(ONE, "ensemble.member_s=1", "ensemble.retries=0", table=True)
    assert ended(run) == ExitCode.OK, log(run)
    assert rejected(run)[2]["failures"] == "once timeout"
    assert not processes(run)


def test_ranks_of_mpirun_end_with_the_batch_step(tmp_path: Path) -> None:
    """mpirun outlives who started it, and its ranks once went on to claim members."""
    bed = Bed(tmp_path)
    group = ("ensemble.ranks_per_member=2", "ensemble.block=2")
    run = bed.seal("ensemble.members=40", "solver.options={sleep_s: 0.3}", TWO, *group)
    batch = start(run)
    until(lambda: sum(1 for _ in lines(run, "solved")) >= 2)
    assert len(processes(run)) >= 4  # batch step, mpirun, two ranks
    kill(batch.pid)
    batch.wait()
    until(lambda: not processes(run), 10)
    assert sum(1 for _ in lines(run, "solved")) < 40


def test_progress_is_told_while_members_run(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    run = bed.seal("ensemble.members=20", "solver.options={sleep_s: 0.3}", ONE)
    assert ended(run) == ExitCode.OK, log(run)
    rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    solving = [row for row in rows if row["phase"] == "simulate"]
    assert len(solving) > 2
    assert all(row["of"] == 21 for row in solving)
    assert solving[-1]["step"] == 21
    assert {row["planned"] for row in solving} == {20}
    assert (solving[-1]["admitted"], solving[-1]["refined"]) == (20, 1)
    assert any(row["running"] for row in solving)
    assert any(row["step_s"] for row in solving)
    assert rows[-1]["phase"] == "seal"


def test_refined_members_count_apart_and_so_do_groups_of_a_killed_attempt(tmp_path: Path) -> None:
    """Status once said "3 running" of two groups; the page "Rejected 0, Refined 2 of 2" of two rejected ones."""
    bed = Bed(tmp_path)
    words = "solver.options={sleep_s: 0.3, coarse_only: 1}"
    run = bed.seal("ensemble.members=16", "ensemble.refine_share=0.125", words, TWO)
    batch = start(run)
    until(lambda: sum(1 for _ in lines(run, "solved")) >= 4)
    kill(batch.pid)
    batch.wait()
    until(lambda: not processes(run))
    assert ended(run) == ExitCode.OK, log(run)
    rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert max(row.get("running", 0) for row in rows) <= 2
    found = told(run)
    assert (found["planned"], found["admitted"], found["rejected"]) == (16, 16, 0)
    assert (found["refined_planned"], found["refined"], found["refined_rejected"]) == (2, 0, 2)
    why = run.events("batch_ended")[-1].facts["why"]
    assert "0 of 2 refined ones admitted, 2 rejected" in why
    assert found["warning"] in why


def test_two_campaigns_side_by_side_end_only_their_own(tmp_path: Path) -> None:
    """Groups and their starts have the same numbers in both: one that dies in the first spares the second."""
    busy, quiet = Bed(tmp_path / "busy"), Bed(tmp_path / "quiet")
    busy.root.mkdir()
    busy.table(12, dict.fromkeys(range(0, 12, 2), "segfault"))
    dying = busy.seal(ONE, "ensemble.member_s=2", table=True)
    calm = quiet.seal("ensemble.members=10", "solver.options={sleep_s: 0.5}", ONE)
    beside = start(calm)
    assert ended(dying) == ExitCode.OK, log(dying)
    assert account(dying)["poison"] == 6
    assert beside.wait(120) == 0, log(calm)
    assert told(calm)["admitted"] == 10
    assert account(calm)["failures"] == {}
    assert not list(lines(calm, "lost"))


BATCH = """
import os, pathlib, sys, time
from forgia_hpc.node.launch import Step
from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.job import Launch
run = RunDir(pathlib.Path(sys.argv[1]))
rank = [sys.executable, "-c", "import time; time.sleep(60)", str(run.path)]
argv = ["mpirun", "-np", "2", "--oversubscribe", *rank]
Step.start(run, argv, os.environ, Launch.mpirun)
time.sleep(60)
"""


def test_ranks_of_any_mpirun_end_with_who_started_it(tmp_path: Path) -> None:
    """A conclusion's, or another kind of job's: they once went on for nobody."""
    run = RunDir(tmp_path)
    run.logs.mkdir()
    own = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    words = [sys.executable, "-c", BATCH, str(run.path)]
    with subprocess.Popen(words, env={**os.environ, **own}) as batch:
        until(lambda: len(processes(run)) >= 4, 30)  # batch step, mpirun, two ranks
        kill(batch.pid)
    until(lambda: not processes(run), 10)
