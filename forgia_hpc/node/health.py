"""What the ranks of `forgia cluster check` do: look around, tell, and let rank 0 judge.

They meet through files in the run's output, which is itself a test: what one node writes, the others must see.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forgia_hpc import process
from forgia_hpc.node.health_judge import Asked, Clock, Report, judge
from forgia_hpc.rundir import write_json

PATIENCE_S = 120  # a network file system may hide a new file for half a minute
SHARED_S = 10
POLL_S = 0.05
LOOK_S = 20  # for nvidia-smi and the like: it may take ten seconds on a node that has just woken
MPI_S = 90


@dataclass(frozen=True)
class Meeting:
    """The folder where the ranks leave word for each other."""

    folder: Path
    rank: int
    local_rank: int
    size: int

    @property
    def verdict(self) -> Path:
        """What rank 0 leaves at the end."""
        return self.folder.parent / "check.json"


def main(arguments: list[str]) -> int:
    """Look, tell, and as rank 0 judge; return 3 where something is wrong."""
    asked = Asked(**json.loads(arguments[0]))
    place = os.environ
    meeting = Meeting(
        folder=Path(place["FORGIA_OUTPUT"]) / "check",
        rank=int(place["RANK"]),
        local_rank=int(place["LOCAL_RANK"]),
        size=int(place["WORLD_SIZE"]),
    )
    meeting.folder.mkdir(exist_ok=True)
    report = look(asked, meeting)
    write_json(meeting.folder / f"rank-{meeting.rank}.json", asdict(report))
    if meeting.rank != 0:
        return _answer(meeting, report.node)
    return _judge(asked, meeting)


def look(asked: Asked, meeting: Meeting) -> Report:
    """Return what this rank sees of its node."""
    first = meeting.local_rank == 0
    return Report(
        rank=meeting.rank,
        first=first,
        node=os.uname().nodename,
        cpus=sorted(os.sched_getaffinity(0)),
        machine_cpus=os.cpu_count() or 1,
        gpus=_gpus(asked.accelerator) if first else None,
        container=_container(asked.container) if first else "",
        places={path: _mark(Path(path), meeting) for path in asked.places} if first else {},
    )


def _gpus(accelerator: str) -> list[str] | None:
    """Return the models of this node's GPUs; None where nobody can tell."""
    if accelerator == "cuda":
        argv = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        told = _said(argv)
        return (
            None if told is None else [line.strip() for line in told.splitlines() if line.strip()]
        )
    if accelerator == "rocm":
        told = _said(["rocm-smi", "--showproductname", "--json"])
        cards: dict[str, Any] = json.loads(told) if told else {}
        named = [
            str(card.get("Card Series", card))
            for name, card in sorted(cards.items())
            if name[:4] == "card"
        ]
        return named or None
    return None


def _container(runtime: str) -> str:
    """Return what the container runtime says of itself; nothing where it is absent."""
    return (_said([runtime, "--version"]) or "").strip() if runtime else ""


def _said(argv: list[str]) -> str | None:
    try:
        answer = process.run(argv, timeout_s=LOOK_S)
    except (process.ProgramMissingError, process.ProgramSilentError):
        return None
    return answer.stdout if answer.returncode == 0 else None


def _mark(place: Path, meeting: Meeting) -> str:
    """Leave a mark in a place; return why it could not be left."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / _mark_of(meeting, meeting.rank)).write_text(
            "forgia cluster check\n", encoding="utf-8"
        )
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _mark_of(meeting: Meeting, rank: int) -> str:
    return f".forgia-check-{meeting.folder.parent.parent.name}-{rank}"


def _answer(meeting: Meeting, node: str) -> int:
    """Answer rank 0's question for the time until it has judged: a rank that left would end the step."""
    deadline = time.monotonic() + 2 * PATIENCE_S + MPI_S
    ping, pong = meeting.folder / f"ping-{meeting.rank}", meeting.folder / f"pong-{meeting.rank}"
    answered = meeting.local_rank != 0
    while not meeting.verdict.exists():
        if not answered and ping.exists():
            write_json(pong, {"node": node, "time": time.time()})
            answered = True
        if time.monotonic() > deadline:
            return 3
        time.sleep(POLL_S)
    return 0


def _judge(asked: Asked, meeting: Meeting) -> int:
    reports = _reports(meeting)
    firsts = [one for one in reports.values() if one.first]
    clocks = [_clock(meeting, one.rank) for one in firsts if one.rank != 0]
    unseen = list(_unseen(asked, meeting, firsts))
    findings = judge(asked, list(reports.values()), clocks, unseen, _mpi(asked))
    content = {"format": "forgia.cluster-check/1", "findings": [asdict(one) for one in findings]}
    write_json(meeting.verdict, content)
    return 3 if any(one.weight == "ERROR" for one in findings) else 0


def _reports(meeting: Meeting) -> dict[int, Report]:
    """Return every rank's report, or those that came within our patience."""
    deadline = time.monotonic() + PATIENCE_S
    found: dict[int, Report] = {}
    while len(found) < meeting.size and time.monotonic() < deadline:
        for rank in set(range(meeting.size)) - set(found):
            path = meeting.folder / f"rank-{rank}.json"
            if path.exists():
                found[rank] = Report(**json.loads(path.read_text(encoding="utf-8")))
        time.sleep(POLL_S)
    return found


def _clock(meeting: Meeting, rank: int) -> Clock:
    """Ask a node for its time: it answered somewhere between our question and our seeing the answer."""
    before = time.time()
    (meeting.folder / f"ping-{rank}").touch()
    pong = meeting.folder / f"pong-{rank}"
    while not pong.exists():
        if time.time() - before > PATIENCE_S:
            return Clock(node=f"of rank {rank}", skew_s=None, within_s=0.0)
        time.sleep(POLL_S / 10)
    after = time.time()
    told = json.loads(pong.read_text(encoding="utf-8"))
    skew = told["time"] - (before + after) / 2
    return Clock(node=told["node"], skew_s=skew, within_s=(after - before) / 2)


def _unseen(asked: Asked, meeting: Meeting, firsts: list[Report]) -> Iterator[str]:
    """Yield the places where rank 0 does not see another node's mark; take all marks away."""
    for path in asked.places:
        marks = [
            Path(path) / _mark_of(meeting, one.rank) for one in firsts if not one.places.get(path)
        ]
        deadline = time.monotonic() + SHARED_S
        while not all(mark.exists() for mark in marks):
            if time.monotonic() > deadline:
                yield path
                break
            time.sleep(POLL_S)
        for mark in marks:
            mark.unlink(missing_ok=True)


def _mpi(asked: Asked) -> str | None:
    """Start a hello of MPI ranks, one a node; return what they said, None where there is no mpirun."""
    launcher = shutil.which("mpirun")
    if launcher is None:
        return None
    spread = ["--map-by", "ppr:1:node"] if asked.slurm else ["--oversubscribe"]
    count = str(asked.nodes if asked.slurm else max(2, asked.ranks_per_node))
    hello = [sys.executable, "-m", "forgia_hpc.node.health_mpi"]
    foreign = [key for key in os.environ if key.startswith(("PMI", "OMPI_", "SLURM_CPU_BIND"))]
    environment = {
        "SLURM_OVERLAP": "1",  # the ranks of the check hold all of the allocation
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PYTHONPATH": os.pathsep.join(sys.path[:1]),
    }
    argv = [launcher, "-np", count, *spread, "-x", "PYTHONPATH", *hello]
    try:
        answer = process.run(argv, timeout_s=MPI_S, env=environment, without=foreign)
    except process.ProgramSilentError as error:
        return str(error)
    said = [line for line in answer.stdout.splitlines() if line.startswith("hello")]
    words = (answer.stderr.strip().splitlines() or [""])[-1]
    return (
        said[-1]
        if answer.returncode == 0 and said
        else f"mpirun ended with {answer.returncode}: {words}"
    )
