"""Where the ranks meet: rank 0 holds a port and publishes it in a file of the run; the others read it there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from forgia_hpc.errors import JobFailedError
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.runtime.place import Place

_PORTS = 8000  # tried below the ephemeral range, where the kernel gives no port to anyone by itself
_POLL_S = 0.05


@dataclass(frozen=True)
class Meeting:
    """Where rank 0 listens in one start of the run."""

    address: str
    port: int
    launch: str


def limit_s() -> float:
    """Seconds that ranks wait for each other at the start: FORGIA_RENDEZVOUS_S, else 300."""
    return float(os.environ.get("FORGIA_RENDEZVOUS_S", "300"))


def group_timeout() -> timedelta:
    """How long a collective may wait for a rank: DEEPSPEED_TIMEOUT in minutes, else 10, as DeepSpeed has it."""
    return timedelta(minutes=int(os.environ.get("DEEPSPEED_TIMEOUT", "10")))


def attempt() -> int:
    """Which attempt of the run this is: FORGIA_ATTEMPT, set by the batch step."""
    return int(os.environ.get("FORGIA_ATTEMPT", "0"))


def meeting_file(run: RunDir, of: str = "") -> Path:
    """Return the file of this attempt: the ranks', or that of the launchers named by `of`."""
    return run.path / "rendezvous" / f"{of}{attempt()}.json"


def publish(run: RunDir, place: Place, of: str = "") -> tuple[Meeting, socket.socket]:
    """Bind a port, publish it, and return it with the bound socket, so that nobody can take it in between."""
    address = own_address(place)
    bound = bind_port(address, place.launch)
    meeting = Meeting(address, bound.getsockname()[1], place.launch)
    path = meeting_file(run, of)
    path.parent.mkdir(exist_ok=True)
    write_json(path, asdict(meeting))
    return meeting, bound


def wait_for(run: RunDir, place: Place, of: str = "") -> Meeting:
    """Return what rank 0 of this very start published.

    Raises:
        JobFailedError: nothing came in time.
    """
    path, deadline = meeting_file(run, of), time.monotonic() + limit_s()
    while time.monotonic() < deadline:
        meeting = _read(path)
        # A file left by an earlier start with the same attempt number names a dead port.
        if meeting and meeting.launch == place.launch:
            return meeting
        time.sleep(_POLL_S)
    raise JobFailedError(
        f"rank {place.rank} on {place.node}: rank 0 published no meeting point in {limit_s():g} s "
        f"({path}); rank 0 did not start, or the run directory is not shared: see its log"
    )


def _read(path: Path) -> Meeting | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Meeting(**json.loads(path.read_text(encoding="utf-8")))
    return None


def bind_port(address: str, launch: str) -> socket.socket:
    """Return a socket bound to a free port below the ephemeral range; jobs begin at different ones."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    first = max(1024, lowest - _PORTS)
    begin = int.from_bytes(hashlib.sha256(f"{launch}/{os.getpid()}".encode()).digest()[:4])
    for offset in range(lowest - first):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Without REUSEADDR a port whose old connections linger is refused, which is what we want.
        try:
            bound.bind((address, first + (begin + offset) % (lowest - first)))
        except OSError:
            bound.close()
        else:
            return bound
    raise JobFailedError(f"no free port from {first} to {lowest - 1} on {address}")


def own_address(place: Place) -> str:
    """Return an IPv4 address of this node that every rank reaches.

    Names of nodes need not resolve (they don't in containers), so ranks are given a number, never a name.
    """
    if given := os.environ.get("FORGIA_MASTER_ADDR"):
        return given
    if place.local_size == place.size:
        return "127.0.0.1"
    # some sites give the fabric a name of its own: the node's and an ending (JSC: `i`)
    suffix = os.environ.get("FORGIA_MASTER_ADDR_SUFFIX", "")
    named = _named_address(place.node + suffix) if suffix else None
    return named or _named_address(place.node) or _routed_address() or "127.0.0.1"


def _named_address(node: str) -> str | None:
    """Return the address behind the node's name: on a cluster that is the fabric the site chose for jobs."""
    with contextlib.suppress(OSError):
        found = socket.getaddrinfo(node, None, socket.AF_INET, socket.SOCK_STREAM)
        here = {entry.address for each in psutil.net_if_addrs().values() for entry in each}
        for entry in found:
            address = str(entry[4][0])
            if address in here and not address.startswith("127."):
                return address
    return None


def _routed_address() -> str | None:
    """Return the address that leads to the default route, else any that is up; nothing is sent."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737): nobody's address
        return str(probe.getsockname()[0])
    states = psutil.net_if_stats()
    for name, entries in psutil.net_if_addrs().items():
        for entry in entries:
            usable = entry.family == socket.AF_INET and states[name].isup
            if usable and not entry.address.startswith("127."):
                return str(entry.address)
    return None


def interface_towards(address: str) -> str | None:
    """Return the network interface whose own address is used to reach `address`."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        own = probe.getsockname()[0]
        for name, entries in psutil.net_if_addrs().items():
            if any(entry.address == own for entry in entries):
                return str(name)
    return None
