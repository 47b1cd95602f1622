from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from forgia_hpc.errors import JobFailedError
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.runtime import rendezvous
from forgia_hpc.runtime.place import Place


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    monkeypatch.setenv("FORGIA_RENDEZVOUS_S", "0.3")
    monkeypatch.setenv("FORGIA_ATTEMPT", "4")
    return RunDir(tmp_path)


def test_the_others_find_what_rank_0_published(run: RunDir) -> None:
    meeting, bound = rendezvous.publish(run, Place(size=2, local_size=2, launch="now"))
    with bound:
        assert rendezvous.wait_for(run, Place(rank=1, size=2, launch="now")) == meeting
        assert bound.getsockname() == (meeting.address, meeting.port)
    assert read_json(run.path / "rendezvous" / "4.json")["address"] == "127.0.0.1"


def test_what_an_earlier_start_left_is_not_believed(run: RunDir) -> None:
    _, bound = rendezvous.publish(run, Place(launch="before"))
    bound.close()
    with pytest.raises(JobFailedError, match="rank 0 published no meeting point"):
        rendezvous.wait_for(run, Place(rank=1, size=2, launch="now"))


def test_ports_lie_below_the_ephemeral_range_and_are_not_given_twice() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with (
        rendezvous.bind_port("127.0.0.1", "same") as first,
        rendezvous.bind_port("127.0.0.1", "same") as second,
    ):
        ports = {first.getsockname()[1], second.getsockname()[1]}
    assert len(ports) == 2
    assert all(1024 <= port < lowest for port in ports)


def test_ranks_on_several_nodes_are_given_a_number_that_this_node_has() -> None:
    address = rendezvous.own_address(Place(size=4, local_size=2, node="no-such-name.invalid"))
    with socket.socket() as probe:
        probe.bind((address, 0))
    assert rendezvous.interface_towards(address)
    assert rendezvous.interface_towards("127.0.0.1") == "lo"


def test_a_rank_that_never_came_is_named_by_those_that_did(run: RunDir) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from forgia_hpc.rundir import RunDir\n"
        "from forgia_hpc.runtime.world import open_world\n"
        "with open_world(RunDir(Path(sys.argv[1]))) as world: world.connect()\n"
    )
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(run.path)],
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "FORGIA_RENDEZVOUS_S": "8",
                "RANK": rank,
                "WORLD_SIZE": "3",
                "LOCAL_RANK": rank,
                "LOCAL_WORLD_SIZE": "3",
            },
        )
        for rank in ("0", "2")
    ]
    for rank in ranks:
        _, said = rank.communicate(timeout=60)
        assert rank.returncode == 1
        assert "rank 1 of 3 never came within 8 s" in said
