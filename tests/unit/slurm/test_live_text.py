"""Parsers of the live state, over text recorded from Slurm 22.05.8 and odd lines made by hand."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.slurm.caps import Bound
from forgia_hpc.slurm.live_text import (
    NODE_COLUMNS,
    expand,
    parse_assoc_mgr,
    parse_queue,
    parse_rooms,
)

RECORDED = Path(__file__).parent / "recorded"


def test_the_recorded_book_of_the_controller() -> None:
    book = parse_assoc_mgr((RECORDED / "scontrol_show_assoc_mgr.txt").read_text())
    assert book.default_account == "forgia_rossi"
    accounts = {(one.name, one.user): one for one in book.associations}
    assert set(accounts) == {
        ("root", ""),
        ("root", "root"),
        ("forgia_rossi", ""),
        ("forgia_rossi", "root"),
    }
    assert accounts["forgia_rossi", ""].parent == "root"
    assert accounts["forgia_rossi", ""].bounds["GrpJobs"].limit is None
    assert book.qos["boost_qos_dbg"].bounds["MaxWallPJ"] == Bound(1800)
    mine = book.qos["normal"].users["0"]
    assert mine["MaxJobsPU"] == Bound(None, 2)
    assert mine["MaxTRESPU/cpu"].used > 0
    assert book.qos["boost_qos_bprod"].users.get("0") is None


def test_limits_and_their_use() -> None:
    text = (
        "QOS=normal(1)\n    GrpJobs=5(2) GrpSubmitJobs=N(3)\n    GrpTRES=cpu=64(16),gres/gpu=N(1)\n"
        "    MaxWallPJ=60\n    MaxTRESPJ=cpu=8,node=2\n    User Limits\n      1000(rossi)\n"
        "        MaxJobsPU=2(1) MaxSubmitJobsPU=N(4)\n        MaxTRESPU=cpu=8(4)\n"
    )
    found = parse_assoc_mgr(text).qos["normal"]
    assert found.bounds["GrpJobs"] == Bound(5, 2)
    assert found.bounds["GrpSubmitJobs"] == Bound(None, 3)
    assert found.bounds["GrpTRES/cpu"] == Bound(64, 16)
    assert found.bounds["MaxTRESPJ/node"] == Bound(2)
    assert found.users["1000"]["MaxTRESPU/cpu"] == Bound(8, 4)


def row(**facts: str) -> str:
    usual = {
        "NodeHost": "n1",
        "StateLong": "mixed",
        "CPUsState": "5/27/0/32",
        "Memory": "494000",
        "AllocMem": "2048",
        "Gres": "gpu:a100:4",
        "GresUsed": "gpu:a100:2(IDX:0-1)",
    }
    return "".join({**usual, **facts}[name].ljust(width) for name, width in NODE_COLUMNS.items())


def test_a_node_with_what_is_used_of_it() -> None:
    (room,) = parse_rooms(row())
    assert (room.used_cpus, room.used_mem_mb, room.gpus, room.used_gpus) == (5, 2048, 4, 2)
    assert room.usable


@pytest.mark.parametrize(
    "state", ["drained", "draining", "down", "idle*", "maint", "reserved", "failing", "mixed$"]
)
def test_states_that_take_no_job(state: str) -> None:
    assert not parse_rooms(row(StateLong=state))[0].usable


@pytest.mark.parametrize("state", ["idle", "allocated", "completing", "idle~", "mixed-", "planned"])
def test_states_that_may_take_one(state: str) -> None:
    assert parse_rooms(row(StateLong=state))[0].usable


def test_an_answer_that_cannot_be_read_is_silence() -> None:
    with pytest.raises(SlurmSilentError, match="can't be read"):
        parse_rooms(row(Memory="N/A"))


def test_the_queue() -> None:
    text = (
        "RUNNING|usr|2|10|2026-11-22T14:05:00|n[2-3]|None\n"
        "PENDING|usr|4|4|N/A||Nodes required for job are DOWN, DRAINED | or reserved\n"
    )
    running, waiting = parse_queue(text)
    assert (running.cpus_per_node, running.nodes) == (5, ("n2", "n3"))
    assert running.end == datetime.datetime(2026, 11, 22, 14, 5)
    assert (waiting.end, waiting.nodes) == (None, ())


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        ("", []),
        ("n1", ["n1"]),
        ("n[1-3]", ["n1", "n2", "n3"]),
        ("lrdn[0009-0010,0100],login1", ["lrdn0009", "lrdn0010", "lrdn0100", "login1"]),
        ("n[1,3]-ib,m", ["n1-ib", "n3-ib", "m"]),
    ],
)
def test_host_lists(names: str, listed: list[str]) -> None:
    assert expand(names) == listed
