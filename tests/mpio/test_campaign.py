"""Whole campaigns whose groups write through parallel HDF5: by the Python that has it; PATH has the default."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fakes.campaign.bed import (
    Bed,
    account,
    ended,
    kill,
    kill_all,
    lines,
    log,
    start,
    told,
    until,
)
from fakes.campaign.default import by_default

from forgia_hpc.data.parallel import has_mpi
from forgia_hpc.errors import ExitCode
from forgia_hpc.simulate.block_rows import Rows
from forgia_hpc.simulate.nested import scrubbed

pytestmark = pytest.mark.mpio

PAIR = ("resources.ranks_per_node=2", "ensemble.ranks_per_member=2")
MEMBERS = ("ensemble.members=12", "ensemble.shard_members=5", "ensemble.refine_share=0.1")


def test_the_dataset_is_the_one_of_the_default_environment(tmp_path: Path) -> None:
    assert has_mpi()
    bed = Bed(tmp_path / "mpio")
    run = bed.seal(*MEMBERS, *PAIR, "ensemble.writer=mpio")
    assert ended(run, 240) == ExitCode.OK, log(run)
    solved = list(lines(run, "solved"))
    assert {len(line["sums"]["fields/temperature"]) for line in solved} == {2}  # a part a rank
    assert (told(run)["admitted"], told(run)["refined"]) == (12, 1)
    version, content = by_default(tmp_path / "gather", *MEMBERS, *PAIR)
    assert bed.version() == version
    assert bed.bytes() == content


def test_a_killed_group_and_members_that_fail(tmp_path: Path) -> None:
    """Killed at member 6 of 8, a check that fails, NaN: the conclusion finds each byte as the journal has it."""
    bed = Bed(tmp_path)
    bed.table(8, {2: "nan", 3: "check"})
    words = (*PAIR, "ensemble.block=8", "ensemble.writer=mpio", "solver.options={sleep_s: 1}")
    run = bed.seal(*words, table=True)
    batch = start(run)
    try:
        until(lambda: sum(1 for _ in lines(run, "solved")) == 5, 120)  # told as the sixth begins
        kill(next(lines(run, "opened"))["pid"])
        assert batch.wait(120) == ExitCode.OK, log(run)
    finally:
        kill_all(run)
    assert account(run)["failures"] == {"SIGKILL": 1}
    assert (account(run)["unsound"], account(run)["solved_twice"]) == (0, 0)
    assert (told(run)["admitted"], told(run)["rejected"]) == (6, 2)
    files = Counter(line["file"] for line in lines(run, "solved") if line["ending"] == "admitted")
    assert list(files.values()) == [3, 3]  # of the launch that was killed, and of the next
    kept = sorted((run.output / "campaign" / "rejected").glob("*/output.h5"))
    assert len(kept) == 2


def test_every_member_that_the_journal_names_outlives_its_group(tmp_path: Path) -> None:
    """Both ranks get SIGKILL between the cells of the sixth of eight members and their flush."""
    program = Path(__file__).parent / "dying.py"
    argv = ["mpirun", "--oversubscribe", "-n", "2", sys.executable, str(program), str(tmp_path)]
    done = subprocess.run(
        argv, env=scrubbed(os.environ) | {"PYTHONPATH": str(program.parents[1])},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "signal 9" in done.stderr, done.stderr
    named = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert [line["member"] for line in named] == [0, 1, 2, 3, 4]
    with Rows(tmp_path) as rows:
        for line in named:
            for name in line["sums"]:
                assert rows.read(line, name).size  # it compares what it reads
