"""Gives an order to a keeper and waits for its answer."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import forgia_hpc
from forgia_hpc.simulate.command.tree import end_marked

MARK = "FORGIA_KEPT"  # in the environment of everything that a keeper starts
POLL_S = 0.2
_KEEPER = "forgia_hpc.simulate.command.keeper"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a keeper is told."""

    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str]
    directory: Path  # where the programs run
    logs: Path  # where command-<n>.log go
    wall_s: float
    log_bytes: int
    file_bytes: int
    failed: str  # a regular expression


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen of one command. why: a keeper's word, empty if nothing spoke against it."""

    program: str
    why: str
    what: str = ""
    error_line: str = ""
    last_line: str = ""
    seconds: float = 0.0
    code: int | None = None
    cpu_s: float = 0.0
    peak_mb: float = 0.0


def run_programs(order: Order, stop: Callable[[], bool]) -> list[Seen]:
    """Run the commands until one fails; nobody that they started is there afterwards, whatever happened.

    `stop` is asked every POLL_S until the end.
    """
    mark = uuid.uuid4().hex
    root = Path(str(forgia_hpc.__file__)).resolve().parent.parent
    keeper = subprocess.Popen(
        [sys.executable, "-S", "-P", "-s", "-m", _KEEPER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    try:
        answer = _answer(keeper, _text(order, mark), stop)
    finally:  # an error in `stop` too: the end of its stdin is the keeper's word to end all
        _close(keeper)
    if answer:
        return [Seen(**one) for one in json.loads(answer)]
    end_marked({MARK: mark})
    return [Seen(program="the keeper", why="killed")]


def _answer(keeper: subprocess.Popen[bytes], text: bytes, stop: Callable[[], bool]) -> bytes:
    """Return what the keeper said; nothing if it was killed."""
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        keeper.stdin.write(text)
        keeper.stdin.flush()
    while not select.select([keeper.stdout], [], [], POLL_S)[0]:
        if stop() and not keeper.stdin.closed:
            keeper.stdin.close()
    return keeper.stdout.read()


def _close(keeper: subprocess.Popen[bytes]) -> None:
    for pipe in (keeper.stdin, keeper.stdout):
        with contextlib.suppress(BrokenPipeError):
            pipe and pipe.close()
    keeper.wait()


def _text(order: Order, mark: str) -> bytes:
    words = {
        **dataclasses.asdict(order),
        "directory": str(order.directory),
        "logs": str(order.logs),
        "environment": {**order.environment, MARK: mark},
    }
    return json.dumps(words).encode() + b"\n"
