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

from forgia_hpc.claims import Claim, Holder
from forgia_hpc.errors import ExitCode, ForgiaError, SlurmSilentError
from forgia_hpc.node.deadline import own_job
from forgia_hpc.node.evidence import facts_of
from forgia_hpc.node.room import Rooms, needs, rooms_of
from forgia_hpc.node.seal import check_seal
from forgia_hpc.node.sequel import resubmit_word
from forgia_hpc.node.share import Share
from forgia_hpc.rundir import read_json
from forgia_hpc.slurm.control import SlurmRefusedError, requeue
from forgia_hpc.sweepdir import SweepDir

POLL_S = 0.1
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
        self._here = Holder.here(len(orders), os.environ)
        self._share = Share(sweep, self._here, orders[-1].points if orders else ())
        self._job = own_job(os.environ)
        start = read_json(sweep.manifest)["start"]
        self._rooms = Rooms(rooms_of(start["allocation"]))
        self._gpus = bool((start["allocation"] or {}).get("gpus_per_node"))
        self._end = self._end_time()
        self._running: dict[int, Running] = {}
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
        self._share.look(self._running)
        while True:
            self._reap()
            if self._ending():
                self._drain()
            elif not self._start_some() and not self._running:
                self._share.look(self._running)  # others may have given points back meanwhile
                if not self._start_some():
                    break
            if not self._running and (self._ending() or not self._share.todo):
                break
            time.sleep(POLL_S)
        return self._leave()

    def _start_some(self) -> int:
        """Start what fits in room and time; return how many started."""
        started = 0
        for index in list(self._share.todo):
            if not self._rooms.any_left:
                break
            places = self._rooms.find(self._share.group(index))
            if places is None or not self._in_time(index):
                continue
            started += self._start(index, places)
        return started

    def _in_time(self, index: int) -> bool:
        return self._end is None or time.time() + self._share.seconds(index) < self._end - DRAIN_S

    def _start(self, index: int, places: list[int]) -> bool:
        """Claim a point and start it; False where another allocation was first, or it is done."""
        claim = self._share.take(index)
        if claim is None:
            return False
        group = self._share.group(index)
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
                self._rooms.free(one.places, self._share.group(index))
                stopped = one.asked is not None and self._ending()
                self._done += self._share.give(one.claim, code, one.seconds, stopped=stopped)
            elif one.seconds > self._share.limit_s(index) + OVERTIME_S:
                _ask(one)

    def _ending(self) -> bool:
        return bool(self._asked) or (self._end is not None and time.time() > self._end - DRAIN_S)

    def _drain(self) -> None:
        for one in self._running.values():
            _ask(one)

    def _leave(self) -> ExitCode:
        """Say what is left; where the time was too short and points were done, ask for another start."""
        left, spent = len(self._share.todo), self._share.spent
        facts = {"done": self._done, "left": left, "failed": len(spent)}
        self._sweep.event("allocation_ended", job=self._here.job, asked=self._asked, **facts)
        sys.stderr.write(f"forgia: {facts['done']} points done here, {facts['left']} left\n")
        if left:
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


if __name__ == "__main__":
    sys.exit(main())
