"""Campaigns with real processes on disks that are full, or fill on the way."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from fakes.campaign.bed import (
    ONE,
    TWO,
    Bed,
    ended,
    lines,
    log,
    told,
)

from forgia_hpc.errors import ExitCode

pytestmark = pytest.mark.ranks


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
