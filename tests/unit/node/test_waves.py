"""What an allocation has room for, who holds a point, and a packed sweep on this machine."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path

from forgia_hpc.claims import Holder, claims, end, take
from forgia_hpc.node.room import Rooms, rooms_of
from forgia_hpc.sweepdir import SweepDir


def asks(nodes: int = 1, ranks: int = 1, cpus: int = 1, mem_gb: int = 1, gpus: int = 0) -> dict:
    return {
        "nodes": nodes,
        "ranks_per_node": ranks,
        "cpus_per_rank": cpus,
        "mem_gb": mem_gb,
        "gpus_per_node": gpus,
    }


def test_points_of_other_shapes_share_an_allocation() -> None:
    rooms = Rooms(rooms_of(asks(nodes=2, cpus=8, mem_gb=10, gpus=4)))
    wide, small = asks(nodes=2, cpus=6, mem_gb=4), asks(cpus=2, mem_gb=6, gpus=4)
    assert rooms.find(wide) == [0, 1]
    rooms.hold([0, 1], wide)
    assert rooms.find(wide) is None
    rooms.hold(rooms.find(small) or [], small)
    assert rooms.find(small) == [1]
    rooms.hold([1], small)
    assert not rooms.any_left
    rooms.free([0, 1], wide)
    assert rooms.find(asks(nodes=2, cpus=6, mem_gb=5)) is None  # memory is the limit now
    assert rooms.find(asks(nodes=2, cpus=6, mem_gb=4)) == [0, 1]


def test_a_point_wider_than_this_machine_gets_all_of_it() -> None:
    rooms = Rooms(rooms_of(None))
    wide = asks(cpus=10_000, mem_gb=1)
    assert rooms.find(wide) == [0]
    rooms.hold([0], wide)
    assert rooms.find(asks()) is None
    assert rooms_of(None)[0].mem_gb == math.inf


def test_one_allocation_takes_a_point_and_its_first_word_of_the_end_counts(tmp_path: Path) -> None:
    sweep = SweepDir(tmp_path)
    here = Holder.here(1, os.environ)
    claim = take(sweep, 3, 1, here)
    assert claim is not None
    assert take(sweep, 3, 1, replace(here, pid=1)) is None
    assert claims(sweep)[3] == [claim]
    end(sweep, claim, code=0)
    end(sweep, claim, code=1)
    assert claims(sweep)[3][0].ended == {"code": 0}


def test_a_packed_sweep_here_runs_each_point_once_and_tries_again_what_failed(
    forgia, tmp_path: Path
) -> None:
    program = 'echo ran >> "$FORGIA_OUTPUT/ran"; test "$SEED" = 1 || test $(wc -l < "$FORGIA_OUTPUT/ran") = 2'
    said = json.loads(
        forgia(
            "sweep", "command", 'command.env.SEED="1","2"', "resources.cpus_per_rank=1", "--json",
            "--", "sh", "-c", program,
        ).stdout
    )  # fmt: skip
    done = forgia("wait", said["run"])
    assert done.returncode == 0, done.stdout
    sweep = SweepDir(Path(said["path"]))
    ran = [(sweep.point(index).output / "ran").read_text().count("ran") for index in (0, 1)]
    assert ran == [1, 2]
    assert [len(one) for one in claims(sweep).values()] == [1, 2]
    table = json.loads(forgia("results", said["run"], "--json").stdout)
    assert [row["state"] for row in table["rows"]] == ["completed", "completed"]
