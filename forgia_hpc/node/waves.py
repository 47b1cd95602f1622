"""One allocation of a packed sweep: takes points from the common list and runs many at once, as steps.

Heaviest first. It starts nothing whose time does not fit before its end; the rest waits for the next allocation.
A point is claimed before it starts, and a claim is void only on evidence (forgia_hpc/claims.py), so each point
runs to its end once, whatever is killed on the way.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from forgia_hpc.claims import Claim, Holder, claims, end, take
from forgia_hpc.errors import ExitCode, ForgiaError, SlurmSilentError
from forgia_hpc.node.deadline import own_job
from forgia_hpc.node.evidence import facts_of, lives
from forgia_hpc.node.room import Rooms, needs, rooms_of
from forgia_hpc.node.seal import check_seal
from forgia_hpc.node.sequel import resubmit_word
from forgia_hpc.rundir import read_json
from forgia_hpc.slurm.control import SlurmRefusedError, requeue
from forgia_hpc.sweepdir import SweepDir, completed

POLL_S = 0.1
TRIES = 3  # of one point that fails, in one order
DRAIN_S = 60.0  # before the end: enough for what runs to save and leave
OVERTIME_S = 30.0  # beyond its own walltime, before a point is ended
GRACE_S = 60.0  # between asking a point to end and killing it
# a step takes these from its own options; the allocation's would bend them
_OF_JOB = (
    "SLURM_NTASKS",
    "SLURM_NPROCS",
    "SLURM_NTASKS_PER_NODE",
    "SLURM_TASKS_PER_NODE",
    "SLURM_CPUS_PER_TASK",
    "SRUN_CPUS_PER_TASK",
    "SLURM_MEM_PER_CPU",
)


def main(arguments: list[str] | None = None) -> int:
    """Run one allocation and return its exit code."""
    parser = argparse.ArgumentParser(prog="forgia_hpc.node.waves")
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--digest")
    parser.add_argument("--chunk", help="the submission; the newest order says what is to be done")
    asked = parser.parse_args(arguments)
    os.umask(0o027)
    sweep = SweepDir(asked.sweep)
    try:
        check_seal(sweep, asked.digest)
        return int(Wave(sweep, asked.digest).run())
    except ForgiaError as error:
        sys.stderr.write(f"forgia: {error}\n")
        return int(error.exit_code)


@dataclass
class Running:
    """A point that runs here."""

    claim: Claim
    process: subprocess.Popen[bytes]
    places: list[int]  # the nodes whose room it holds
    began: float = field(default_factory=time.monotonic)
    asked: float | None = None  # when it was asked to end

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self.began


class Wave:
    """The points that this allocation runs, and those that it may still take."""

    def __init__(self, sweep: SweepDir, digest: str | None) -> None:
        """Find out what is to be done, what there is room for, and when it must be over."""
        self._sweep, self._digest = sweep, digest
        orders = sweep.orders()
        self._order = orders[-1].points if orders else ()
        self._here = Holder.here(len(orders), os.environ)
        self._job = own_job(os.environ)
        start = read_json(sweep.manifest)["start"]
        self._rooms = Rooms(rooms_of(start["allocation"]))
        self._gpus = bool((start["allocation"] or {}).get("gpus_per_node"))
        self._end = self._end_time()
        self._running: dict[int, Running] = {}
        self._todo: list[int] = []
        self._numbers: dict[int, int] = {}
        self._failures: dict[int, int] = {}
        self._longest: dict[int, float] = {}  # by the group of resources
        self._asked = ""
        self._done = 0
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._asked = self._asked or signal.Signals(number).name

    def _end_time(self) -> float | None:
        facts = facts_of(self._job)
        return facts.end_time if facts else None

    def run(self) -> ExitCode:
        """Take and run points until none is left that this allocation can take."""
        self._sweep.event("allocation_started", job=self._here.job, restart=self._here.restart)
        self._look()
        while True:
            self._reap()
            if self._ending():
                self._drain()
            elif not self._start_some() and not self._running:
                self._look()  # others may have given points back meanwhile
                if not self._start_some():
                    break
            if not self._running and (self._ending() or not self._todo):
                break
            time.sleep(POLL_S)
        return self._leave()

    def _look(self) -> None:
        """Read who holds what; heaviest first, what nobody holds and nobody has finished is to be done."""
        taken = claims(self._sweep)
        known: dict[tuple[str, int, int], bool] = {}
        self._todo = []
        for index in self._order:
            own = taken.get(index, [])
            self._numbers[index] = len(own)
            self._failures[index] = sum(map(self._failed_here, own))
            newest = own[-1] if own else None
            if newest is None or (not _spent(newest) and not self._held(newest, known)):
                self._todo.append(index)
        self._todo.sort(key=self._weight, reverse=True)

    def _failed_here(self, claim: Claim) -> bool:
        """Whether a claim counts against the tries of this order."""
        return claim.holder.chunk == self._here.chunk and bool((claim.ended or {}).get("failed"))

    def _held(self, claim: Claim, known: dict[tuple[str, int, int], bool]) -> bool:
        """Whether a claim stands: it has not ended, and its allocation lives by evidence."""
        holder = claim.holder
        if claim.ended is not None or claim.point in self._running:
            return claim.point in self._running
        key = (holder.job, holder.restart, holder.pid)
        if key not in known:
            known[key] = lives(holder, self._here)
        if not known[key]:
            end(self._sweep, claim, why="its allocation has ended", failed=False)
        return known[key]

    def _weight(self, index: int) -> float:
        group = self._group(index)
        return float(needs(group).cpus * group["nodes"] * self._seconds(index))

    def _group(self, index: int) -> dict[str, Any]:
        return self._sweep.groups[self._sweep.points[index].group]

    def _seconds(self, index: int) -> float:
        """Return how long a point may take: its walltime, or twice the longest of its kind so far."""
        learnt = self._longest.get(self._sweep.points[index].group)
        limit = float(self._sweep.seconds(self._sweep.points[index].group))
        return limit if learnt is None else min(limit, 2 * learnt + 5)

    def _start_some(self) -> int:
        """Start what fits in room and time; return how many started."""
        started = 0
        for index in list(self._todo):
            if not self._rooms.any_left:
                break
            places = self._rooms.find(self._group(index))
            if places is None or not self._in_time(index):
                continue
            self._todo.remove(index)
            started += self._start(index, places)
        return started

    def _in_time(self, index: int) -> bool:
        return self._end is None or time.time() + self._seconds(index) < self._end - DRAIN_S

    def _start(self, index: int, places: list[int]) -> bool:
        """Claim a point and start it; False where another allocation was first, or it is done."""
        if completed(self._sweep.point(index)):
            return False
        self._numbers[index] += 1
        claim = take(self._sweep, index, self._numbers[index], self._here)
        if claim is None:
            return False
        group = self._group(index)
        self._rooms.hold(places, group)
        argv = [sys.executable, "-m", "forgia_hpc.node.point", str(self._sweep.path)]
        argv += [f"--point={index}", *([f"--digest={self._digest}"] if self._digest else [])]
        started = subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=self._environment(group))
        self._running[index] = Running(claim, started, places)
        return True

    def _environment(self, group: dict[str, Any]) -> dict[str, str]:
        """Return the environment of a point: its srun takes a part of the allocation, and that part alone."""
        own = {"FORGIA_FOLLOW_PARENT": str(os.getpid())}
        if self._here.job:
            need = needs(group)
            own |= {"SLURM_EXACT": "1", "SLURM_MEM_PER_NODE": str(int(need.mem_gb * 1024))}
            own |= {"SLURM_GRES": f"gpu:{need.gpus}" if need.gpus else "none"} if self._gpus else {}
        return {key: v for key, v in os.environ.items() if key not in _OF_JOB} | own

    def _reap(self) -> None:
        for index, one in list(self._running.items()):
            code = one.process.poll()
            if code is not None:
                del self._running[index]
                self._rooms.free(one.places, self._group(index))
                self._finish(index, one, code)
            elif one.seconds > self._sweep.seconds(self._sweep.points[index].group) + OVERTIME_S:
                _ask(one)

    def _finish(self, index: int, one: Running, code: int) -> None:
        """Note how a point ended; one that failed is tried again, a few times."""
        if code == ExitCode.OK and completed(self._sweep.point(index)):
            group = self._sweep.points[index].group
            self._longest[group] = max(self._longest.get(group, 0.0), one.seconds)
            self._done += 1
            end(self._sweep, one.claim, code=code)
            return
        stopped = one.asked is not None and self._ending()
        self._failures[index] += not stopped
        hopeless = code in (ExitCode.INPUT, ExitCode.SEAL_BROKEN)
        spent = hopeless or self._failures[index] >= TRIES
        end(self._sweep, one.claim, code=code, failed=not stopped, spent=spent)
        if not spent:
            self._todo.append(index)

    def _ending(self) -> bool:
        return bool(self._asked) or (self._end is not None and time.time() > self._end - DRAIN_S)

    def _drain(self) -> None:
        for one in self._running.values():
            _ask(one)

    def _leave(self) -> ExitCode:
        """Say what is left; where the time was too short and points were done, ask for another start."""
        spent = [i for i in self._order if self._failures.get(i, 0) >= TRIES]
        facts = {"done": self._done, "left": len(self._todo), "failed": len(spent)}
        self._sweep.event("allocation_ended", job=self._here.job, asked=self._asked, **facts)
        sys.stderr.write(f"forgia: {facts['done']} points done here, {facts['left']} left\n")
        if self._todo:
            self._go_on()
            return ExitCode.STOPPED
        return ExitCode.JOB_FAILED if spent else ExitCode.OK

    def _go_on(self) -> None:
        """Requeue the allocation, where the profile allows it, its time was up and it made progress."""
        text = (self._sweep.inputs / "0" / "cluster.yaml").read_text(encoding="utf-8")
        scheduler = yaml.safe_load(text)["scheduler"]
        timely = self._asked in ("", "SIGUSR1")
        if self._job and timely and self._done and resubmit_word(scheduler) == "requeue":
            try:
                requeue(self._job, {})
            except (SlurmSilentError, SlurmRefusedError) as error:
                sys.stderr.write(f"forgia: {error}; the rest: forgia resume {self._sweep.name}\n")


def _ask(one: Running) -> None:
    """Ask a point to end; kill it where it does not."""
    if one.asked is None:
        one.asked = time.monotonic()
        one.process.terminate()
    elif time.monotonic() - one.asked > GRACE_S:
        one.process.kill()


def _spent(claim: Claim) -> bool:
    return bool(claim.ended and (claim.ended.get("spent") or claim.ended.get("code") == 0))


if __name__ == "__main__":
    sys.exit(main())
