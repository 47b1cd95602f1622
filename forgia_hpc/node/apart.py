"""The batch step in an empty network namespace, under unshare(1): `python -m forgia_hpc.node.apart RUN`.

The namespace begins with nothing, not even a loopback that is up, and ranks meet on that. A name server of our own
answers in place of the machine's: it knows no name, and notes every one that is asked for, whoever asks.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import struct
import sys
import threading
from pathlib import Path

from forgia_hpc.node.batch import main
from forgia_hpc.runtime.audit import SETTING

_SIOCSIFADDR, _SIOCSIFFLAGS = 0x8916, 0x8914
_IFF_UP = 1
_NO_SUCH_NAME = b"\x81\x83"  # RFC 1035: a response, recursion available, code 3


def raise_loopback(addresses: list[str]) -> None:
    """Bring `lo` up, as `ip link set lo up` does, and give it more addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
        for number, address in enumerate(addresses):
            family = struct.pack("H2x4s8x", socket.AF_INET, socket.inet_aton(address))
            fcntl.ioctl(control, _SIOCSIFADDR, struct.pack("16s16s", b"lo:%d" % number, family))


def name_servers(text: str) -> list[str]:
    """Return the IPv4 name servers of a resolv.conf."""
    words = [line.split() for line in text.splitlines()]
    return [each[1] for each in words if each[:1] == ["nameserver"] and ":" not in each[1]]


def asked_name(query: bytes) -> str:
    """Return the name that a DNS query asks for (RFC 1035, 4.1)."""
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace"))
        at += 1 + query[at]
    return ".".join(labels)


def serve(address: str, notes: Path, own: set[str]) -> None:
    """Answer every query with "no such name", and note the name; names of this machine are no news."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    with (notes / f"names-{address}.jsonl").open("a", encoding="utf-8") as out:
        while True:
            query, client = server.recvfrom(4096)
            name = asked_name(query)
            if name.partition(".")[0] not in own:
                out.write(json.dumps({"what": "host", "target": name, "stack": []}) + "\n")
                out.flush()
            server.sendto(
                query[:2] + _NO_SUCH_NAME + query[4:6] + bytes(6) + _question(query), client
            )


def _question(query: bytes) -> bytes:
    end = query.index(b"\0", 12) + 5  # the name's end, its type and class
    return query[12:end]


def _stand_in() -> None:
    """Take the place of the machine's name servers, where they have addresses that we can take."""
    setting = json.loads(Path(os.environ[SETTING]).read_text(encoding="utf-8"))
    found: list[str] = []
    with contextlib.suppress(OSError):
        found = name_servers(Path("/etc/resolv.conf").read_text(encoding="utf-8"))
    raise_loopback([each for each in found if not each.startswith("127.")])
    own = {os.uname().nodename.partition(".")[0], "localhost"}
    for address in found:
        words = (address, Path(setting["out"]), own)
        threading.Thread(target=serve, args=words, daemon=True).start()


if __name__ == "__main__":
    _stand_in()
    sys.exit(main())
