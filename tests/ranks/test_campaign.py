"""Campaigns with real processes: every member once, whatever is killed, torn, full or changed on the way."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

import h5py
import pytest
from endurance.campaign import FewKills
from fakes.campaign.bed import (
    Bed,
    account,
    ended,
    kill,
    lines,
    log,
    processes,
    start,
    told,
    until,
)

from forgia_hpc.errors import ExitCode, InputError
from forgia_hpc.rundir import RunDir, read_json

pytestmark = pytest.mark.ranks

ONE = "resources.ranks_per_node=1"
TWO = "resources.ranks_per_node=2"


def rejected(run: RunDir) -> dict[int, dict]:
    """Return why each member that was left out was, by its number."""
    paths = (run.output / "campaign" / "rejected").glob("*/reason.json")
    return {(found := read_json(path))["number"]: found for path in paths}


def test_each_way_to_fail_is_named_and_the_rest_is_sealed(tmp_path: Path) -> None:
    faults = {
        2: "segfault", 4: "raise", 6: "nan", 8: "exit", 10: "member_error", 12: "check",
        14: "input", 16: "abort", 18: "hang", 20: "infinite", 22: "leave_files", 24: "stop_2",
        26: "own_names",
    }  # fmt: skip
    bed = Bed(tmp_path)
    bed.table(30, faults)
    run = bed.seal(ONE, "ensemble.member_s=1", table=True)
    assert ended(run) == ExitCode.OK, log(run)
    assert told(run)["admitted"] == 30 - len(faults)
    assert (told(run)["rejected"], told(run)["poison"]) == (4, 9)
    found = rejected(run)
    assert found.keys() == faults.keys()
    given_up = {n: one["failures"] for n, one in found.items() if one["ending"] == "poison"}
    assert given_up == {
        2: "2 times SIGSEGV", 4: "2 times ValueError", 8: "2 times exit 7",
        10: "2 times no_output", 14: "once input", 16: "2 times SIGABRT", 18: "2 times timeout",
        22: "2 times no_output", 24: "2 times exit 2",
    }  # fmt: skip
    failed = {
        n: [c["check"] for c in one["findings"] if not c["passed"]]
        for n, one in found.items()
        if "findings" in one
    }
    assert failed == {6: ["finite"], 12: ["amplitude"], 20: ["storage"], 26: ["amplitude"]}
    crash = [line["why"] for line in lines(run, "lost") if line["kind"] == "SIGSEGV"]
    assert "Fatal Python error: Segmentation fault" in crash[0]
    assert "ripples.py" in crash[0]
    left = run.output / "campaign" / "rejected" / found[22]["id"] / "log.txt"
    assert left.read_text() == "about to leave_files\n"
    own = run.output / "campaign" / "rejected" / found[26]["id"]
    assert (own / "left-output.h5").read_text() == "the solver's own"
    assert h5py.is_hdf5(own / "output.h5")
    assert (
        "17 of 30 members admitted, 4 rejected, 9 poison"
        in run.events("batch_ended")[-1].facts["why"]
    )
    assert not processes(run)


def test_what_passes_is_tried_again(tmp_path: Path) -> None:
    """A segfault once, a member error once, kills from outside thrice: admitted in the end."""
    bed = Bed(tmp_path)
    bed.table(12, {3: "segfault", 5: "member_error"}, luck=1)
    run = bed.seal(ONE, table=True, tries=True)
    assert ended(run) == ExitCode.OK, log(run)
    assert told(run)["admitted"] == 12
    assert account(run)["failures"] == {"SIGSEGV": 1, "no_output": 1}


def test_a_line_that_is_torn_among_others_is_solved_again(tmp_path: Path) -> None:
    """The group that wrote it finds nothing left to take; the supervisor once waited for its member for ever."""
    bed = Bed(tmp_path)
    bed.table(4, {1: "torn"}, luck=1)
    run = bed.seal(ONE, table=True, tries=True)
    assert ended(run, 60) == ExitCode.OK, log(run)
    assert told(run)["admitted"] == 4
    assert account(run)["torn_lines"] == 1
    assert account(run)["failures"] == {}


def test_a_member_killed_from_outside_is_not_poison(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    bed.table(6, {3: "kill"}, luck=4)
    run = bed.seal(ONE, table=True, tries=True)
    assert ended(run) == ExitCode.OK, log(run)
    assert told(run)["admitted"] == 6
    assert account(run)["failures"] == {"SIGKILL": 4}


def test_random_kills_change_nothing(tmp_path: Path) -> None:
    with FewKills(tmp_path) as trials:
        found = trials.trial(random.Random("tests"))
    assert found["faults"] == []
    assert found["kills"] == FewKills.kills


def test_groups_ranks_and_blocks_change_no_byte(tmp_path: Path) -> None:
    members = ("ensemble.members=30", "ensemble.shard_members=7", "ensemble.refine_share=0.1")
    shapes = (
        (ONE,),
        (TWO, "ensemble.block=1"),
        (TWO, "ensemble.ranks_per_member=2"),
        (ONE, "ensemble.launch=fresh", "ensemble.members=30"),
    )
    found = []
    for number, words in enumerate(shapes):
        bed = Bed(tmp_path / str(number))
        run = bed.seal(*members, *words)
        assert ended(run) == ExitCode.OK, log(run)
        found.append(bed.bytes())
        assert told(run)["refined"] == 3
        assert told(run)["errors"]["temperature"]["max"] == pytest.approx(1e-3, rel=1e-2)
    assert all(one == found[0] for one in found)
    assert sum(name.endswith(".h5") for name in found[0]) > 4


def test_a_rerun_computes_nothing_and_a_larger_one_what_is_new(tmp_path: Path) -> None:
    small, large = Bed(tmp_path / "grown"), Bed(tmp_path / "at_once")
    first = small.seal("ensemble.members=16", ONE)
    assert ended(first) == ExitCode.OK, log(first)
    version, content = small.version(), small.bytes()
    again = small.seal("ensemble.members=16", ONE)
    assert ended(again) == ExitCode.OK, log(again)
    assert (account(again)["computed"], small.version()) == (0, version)
    assert small.bytes() == content
    grown = small.seal("ensemble.members=32", ONE)
    assert ended(grown) == ExitCode.OK, log(grown)
    assert account(grown)["computed"] <= 17
    assert account(grown)["known"] >= 16
    whole = large.seal("ensemble.members=32", TWO)
    assert ended(whole) == ExitCode.OK, log(whole)
    assert large.bytes() == small.bytes()


def test_a_damaged_shard_is_mended_by_the_campaign_that_grows_it(tmp_path: Path) -> None:
    small, large = Bed(tmp_path / "grown"), Bed(tmp_path / "at_once")
    words = (ONE, "ensemble.refine_share=0", "ensemble.shard_members=4")
    first = small.seal("ensemble.members=8", *words)
    assert ended(first) == ExitCode.OK, log(first)
    shard = next(path for path in small.data.rglob("*.h5"))
    with h5py.File(shard, "r+") as file:
        file["t0_fields/temperature"][0, 0, 0, 0] += 1.0
    grown = small.seal("ensemble.members=12", *words)
    assert ended(grown) == ExitCode.OK, log(grown)
    assert account(grown)["unsound"] >= 1
    whole = large.seal("ensemble.members=12", *words)
    assert ended(whole) == ExitCode.OK, log(whole)
    assert large.bytes() == small.bytes()


def test_an_ensemble_does_not_replace_other_members(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    run = bed.seal("ensemble.members=8", ONE)
    assert ended(run) == ExitCode.OK, log(run)
    version = bed.version()
    with pytest.raises(InputError, match="8 of its 8 members are not in this ensemble"):
        bed.seal("ensemble.members=8", "ensemble.seed=1", ONE)
    apart = bed.data.with_name("apart")
    bed.data.rename(apart)  # the login wing does not see it, and the node does
    other = bed.seal("ensemble.members=8", "ensemble.seed=1", ONE)
    apart.rename(bed.data)
    assert ended(other) == ExitCode.INPUT
    why = other.events("batch_ended")[-1].facts["why"]
    assert "8 of its 8 members are not in this ensemble" in why
    assert not list(lines(other, "begun"))
    assert bed.version() == version


def test_without_an_admitted_member_the_job_fails_with_the_reason(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    bed.table(3, dict.fromkeys(range(3), "check"))
    run = bed.seal(ONE, table=True)
    assert ended(run) == ExitCode.JOB_FAILED
    why = run.events("batch_ended")[-1].facts["why"]
    assert "no member was admitted: 3 rejected (amplitude)" in why
    assert not bed.data.exists()


def test_with_too_few_members_the_dataset_is_kept_and_the_job_fails(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    bed.table(4, dict.fromkeys(range(3), "check"))
    run = bed.seal(ONE, table=True)
    assert ended(run) == ExitCode.JOB_FAILED, log(run)
    why = run.events("batch_ended")[-1].facts["why"]
    assert "1 of 4 members admitted, 3 rejected" in why
    assert "fewer than ensemble.least_share=0.5 of them" in why
    assert f"{bed.name}@{bed.version()[:12]} is sealed and kept" in why
    told_so = bed.seal(ONE, "ensemble.least_share=0.25", table=True)
    assert ended(told_so) == ExitCode.OK, log(told_so)


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


@pytest.mark.skipif(os.geteuid() != 0, reason="mount(8) needs root")
def test_a_full_disk_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    """The campaign's folder on a file system of 3 MiB; then there is room."""
    bed, quiet = Bed(tmp_path / "full"), Bed(tmp_path / "quiet")
    words = ("ensemble.members=300", "ensemble.block=10", TWO, "solver.options={shape: [32, 32]}")
    undisturbed = quiet.seal(*words)
    assert ended(undisturbed) == ExitCode.OK, log(undisturbed)
    run = bed.seal(*words)
    small = run.output
    small.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "forgia-test", small], check=True)
    try:
        assert ended(run) == ExitCode.INPUT, log(run)
        why = run.events("batch_ended")[-1].facts["why"]
        assert "No space left on device" in why
        assert "make room" in why
        before = {line["member"] for line in lines(run, "solved")}
        assert before
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        assert ended(run) == ExitCode.OK, log(run)
        again = Counter(line["member"] for line in lines(run, "solved"))
        assert all(again[number] == 1 for number in before)
        assert bed.bytes() == quiet.bytes()
    finally:
        subprocess.run(["umount", "-l", small], check=True)


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


@pytest.mark.skipif(os.geteuid() != 0, reason="mount(8) needs root")
@pytest.mark.parametrize("ranks", [ONE, TWO])
def test_a_disk_that_fills_while_sealing_is_named_and_nothing_is_half_sealed(
    tmp_path: Path, ranks: str
) -> None:
    """The datasets' folder on a file system of 400 kB; then there is room."""
    bed = Bed(tmp_path)
    words = ("ensemble.members=24", "ensemble.shard_members=8", "ensemble.refine_share=0")
    run = bed.seal(*words, ranks, "solver.options={shape: [32, 32]}")
    place = tmp_path / "data"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "forgia-test", place], check=True)
    try:
        assert ended(run) == ExitCode.INPUT, log(run)
        why = run.events("batch_ended")[-1].facts["why"]
        assert "No space left on device" in why
        assert "make room, then forgia resume" in why
        assert "errno" not in why
        assert "\n" not in why
        assert not bed.data.exists()
        solved = sum(1 for _ in lines(run, "solved"))
        subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
        assert ended(run) == ExitCode.OK, log(run)
        assert (told(run)["admitted"], solved) == (24, sum(1 for _ in lines(run, "solved")))
        assert not list(place.glob(".*.part"))
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mount(8) needs root")
def test_a_disk_that_is_full_from_the_beginning_is_named(tmp_path: Path) -> None:
    """The supervisor's own first files have no room: its plan was once a traceback and exit code 1."""
    run = Bed(tmp_path).seal("ensemble.members=4", ONE)
    run.output.mkdir(exist_ok=True)
    own = ["mount", "-t", "tmpfs", "-o", "size=64k", "forgia-test", run.output]
    subprocess.run(own, check=True)
    try:
        with contextlib.suppress(OSError), (run.output / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        assert ended(run) == ExitCode.INPUT, log(run)
        assert "make room" in run.events("batch_ended")[-1].facts["why"]
    finally:
        subprocess.run(["umount", "-l", run.output], check=True)


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
