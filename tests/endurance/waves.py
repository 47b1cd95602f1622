"""A packed sweep of short points whose allocations are killed twice: each point runs to its end exactly once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from endurance.bed import Bed

from forgia_hpc.claims import claims
from forgia_hpc.sweepdir import SweepDir, completed

LIMIT_S = 1800
PROGRAM = ("sh", "-c", 'echo ran >> "$FORGIA_OUTPUT/ran"; sleep 0.3')
KILLS = ("requeued", "cancelled", "batch step killed")


class Waves:
    """Trials against $FORGIA_DEV_SLURM_REUSE, else a Slurm of our own."""

    points, allocations, cpus = 300, 4, 16  # of one point, on nodes of 32

    def __init__(self, scratch: Path, bed: Path | None = None) -> None:
        """Take a directory for the runs and, for a Slurm of our own, its files."""
        self._bed = Bed(scratch, bed)

    def __enter__(self) -> Waves:
        """Raise the Slurm."""
        self._bed.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take our own Slurm down."""
        self._bed.down()

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Submit, kill two allocations, let it end, count."""
        kills = [chance.choice(KILLS) for _ in range(2)]
        moments = sorted(chance.uniform(0.1, 0.8) for _ in range(2))
        began = time.monotonic()
        said = self._forgia(
            "sweep", "command", "cluster=dev", f"seed=range({self.points // 2})",
            f"resources.cpus_per_rank={self.cpus}", "resources.mem_gb=1,2",
            "resources.walltime=00:03:00", f"--pack={self.allocations}", "--", *PROGRAM,
        )  # fmt: skip
        sweep = SweepDir(Path(said["path"]))
        jobs = self.allocations
        for kill, moment in zip(kills, moments, strict=True):
            self._until(sweep, moment)
            self._kill(kill, chance)
        while (state := self._ended(sweep)) != "completed":
            if time.monotonic() - began > LIMIT_S:
                break
            self._forgia("resume", sweep.name)
            jobs += self.allocations
        facts = {"jobs": jobs, "makespan_s": round(time.monotonic() - began, 1)}
        own = {**facts, "points": self.points, "repeated": self._repeated(sweep)}
        return {
            "what": " and ".join(sorted(kills)),
            **own,
            "faults": self._faults(sweep, state, jobs),
        }

    def _forgia(self, *words: str) -> dict[str, Any]:
        at = words.index("--") if "--" in words else len(words)
        argv = [
            sys.executable,
            "-P",
            "-m",
            "forgia_hpc.cli.main",
            *words[:at],
            "--json",
            *words[at:],
        ]
        done = subprocess.run(
            argv, env=self._bed.environment, capture_output=True, text=True, check=False
        )
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _until(self, sweep: SweepDir, share: float) -> None:
        """Wait until this share of the points is done and an allocation runs."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            done = len(list(sweep.path.glob("points/*/result.json")))
            if done >= share * self.points and self._running():
                return
            time.sleep(0.2)

    def _running(self) -> list[str]:
        return [job for job, state in self._bed.queue("%i|%T") if state == "RUNNING"]

    def _kill(self, how: str, chance: random.Random) -> None:
        job = chance.choice(sorted(self._running()) or ["0"])
        if how == "cancelled":
            self._slurm("scancel", job)
        elif how == "requeued":
            self._slurm("scontrol", "requeue", job)
            self._slurm("scontrol", "update", f"JobId={job}", "StartTime=now+2")
        else:
            self._slurm("scancel", "--signal=KILL", "--batch", job)

    def _slurm(self, *argv: str) -> None:
        subprocess.run(argv, env=self._bed.environment, check=False, capture_output=True)

    def _ended(self, sweep: SweepDir) -> str:
        """Return the state of the sweep once it has ended; a requeued job is not kept waiting two minutes."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            told = str(self._forgia("status", sweep.name)["runs"][0]["state"])
            if told not in ("pending", "running", "unknown"):
                return told
            for job, reason in self._bed.queue("%i|%r"):
                if reason == "BeginTime":
                    self._slurm("scontrol", "update", f"JobId={job}", "StartTime=now+2")
            time.sleep(4)  # sooner, it would put off what is about to start
        return "did not end"

    def _repeated(self, sweep: SweepDir) -> int:
        """Return how many starts of a program were cut short by a kill and made again."""
        runs = [sweep.point(index) for index in range(self.points)]
        lines = [
            len((run.output / "ran").read_text().splitlines())
            for run in runs
            if (run.output / "ran").is_file()
        ]
        return sum(lines) - len(lines)

    def _faults(self, sweep: SweepDir, state: str, jobs: int) -> list[str]:
        faults = [] if state == "completed" else [f"the sweep is {state}"]
        taken = claims(sweep)
        for index in range(self.points):
            run = sweep.point(index)
            ends = [event for event in run.events("batch_ended") if event.facts["exit_code"] == 0]
            if completed(run) is None or len(ends) != 1:
                faults.append(
                    f"point {index}: {len(ends)} good ends, {len(taken.get(index, []))} claims"
                )
        if jobs * 5 > self.points:
            faults.append(f"{jobs} jobs for {self.points} points")
        return faults


class FewWaves(Waves):
    """The same, small."""

    points, allocations, cpus = 20, 2, 8
