"""Campaigns with real processes: each member once, whatever fails in it, and the same bytes in every shape."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
from fakes.campaign.bed import (
    ONE,
    TWO,
    Bed,
    account,
    ended,
    lines,
    log,
    processes,
    rejected,
    told,
)

from forgia_hpc.errors import ExitCode, InputError
from forgia_hpc.rundir import read_json

pytestmark = pytest.mark.ranks


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
    assert read_json(run.result)["ending"] == "failed"
    told_so = bed.seal(ONE, "ensemble.least_share=0.25", table=True)
    assert ended(told_so) == ExitCode.OK, log(told_so)
    assert read_json(told_so.result)["ending"] == "completed"
