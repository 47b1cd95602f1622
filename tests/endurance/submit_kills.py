"""SIGKILL of `forgia submit` at a random moment: no job twice, none without its run, and the run tells.

Whole submissions whose jobs run to their end; tests/endurance/resume_kills.py repeats their last part alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from endurance.bed import Bed, of_session

from forgia_hpc.rundir import RunDir

WORDS = ("submit", "command", "cluster=dev", "--json", "--", "true")
# From when on a kill comes by chance, and how often: imports fill most of the time, sbatch a twentieth of it.
MOMENTS = {"start": 0.15, "seal": 0.25, "sbatch": 0.6}
LIMIT_S = 180  # for what takes seconds, on a machine that does other things too
SETTLE_S = 3  # slurmctld may still queue the job of an sbatch that is dead already
BUSY = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING")


class SubmitKills:
    """Trials against $FORGIA_DEV_SLURM_REUSE, else a Slurm of our own."""

    def __init__(self, scratch: Path, bed: Path | None = None) -> None:
        """Take a directory for the runs and, for a Slurm of our own, its files."""
        self._bed = Bed(scratch, bed)
        self._root, self._environment = self._bed.root, self._bed.environment
        self._spans: dict[
            str, float
        ] = {}  # seconds from a moment to the end of an undisturbed submission

    def __enter__(self) -> SubmitKills:
        """Raise the Slurm, and see how long a submission takes."""
        self._bed.up()
        for _ in range(2):
            before, began = self._there(), time.monotonic()
            process = self._start()
            times = {"start": began}
            for moment in ("seal", "sbatch"):
                self._await(moment, process, before)
                times[moment] = time.monotonic()
            process.wait()
            self._spans = {moment: time.monotonic() - since for moment, since in times.items()}
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
        """Submit, kill, count."""
        before = set(self._runs())
        (moment,) = chance.choices(list(MOMENTS), MOMENTS.values())
        delay = chance.uniform(0, 1.1 * self._spans[moment])
        everyone = chance.random() < 0.5
        self._submit_and_kill(moment, delay, everyone=everyone)
        new = [run for run in self._runs() if run not in before]
        if any(self._stage(run) == "around sbatch" for run in new):
            time.sleep(SETTLE_S)
        jobs = {name: self._jobs(name) for name in new}
        stage = self._stage(new[0]) if new else "before the seal"
        faults = [fault for name in new for fault in self._faults(name, jobs[name])]
        faults += [f"job {job} has no run directory" for job in self._homeless()]
        count = sum(len(found) for found in jobs.values())
        return {
            "what": f"{'submit and its children' if everyone else 'submit alone'} killed {stage}, {count} job(s)",
            "delay": [moment, round(delay, 3)],
            "half_sealed": len(list(self._root.glob(".*.part"))),
            "runs": new,
            "faults": faults,
        }

    def _argv(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "forgia_hpc.cli.main", *words]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._argv(*WORDS),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._root.parent,
            start_new_session=True,
        )

    def _there(self) -> set[Path]:
        return set(self._root.iterdir())

    def _await(self, moment: str, process: subprocess.Popen[bytes], before: set[Path]) -> None:
        """Wait until a submission begins to seal, or to ask sbatch."""
        deadline = time.monotonic() + LIMIT_S
        while moment != "start" and process.poll() is None and time.monotonic() < deadline:
            new = self._there() - before
            if new and (
                moment == "seal" or any([*run.glob("events/*-submitting-*")] for run in new)
            ):
                return
            time.sleep(0.001)

    def _submit_and_kill(self, moment: str, delay: float, *, everyone: bool) -> None:
        before = self._there()
        process = self._start()
        self._await(moment, process, before)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        for each in of_session(process.pid) if everyone else [process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        process.wait()
        # an sbatch that outlived us ends its work
        deadline = time.monotonic() + LIMIT_S
        while of_session(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _runs(self) -> list[str]:
        return sorted(path.parent.name for path in self._root.glob("[!.]*/job.json"))

    def _stage(self, name: str) -> str:
        run = RunDir(self._root / name)
        for word, stage in (("submitted", "after sbatch"), ("submitting", "around sbatch")):
            if run.events(word):
                return stage
        return "before sbatch"

    def _jobs(self, name: str) -> dict[str, str]:
        """Return id → state of the jobs of a run, once all have ended."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            found = {
                job: state
                for job, which, state in self._bed.queue("%i|%j|%T")
                if which == f"forgia-{name}"
            }
            if not any(state in BUSY for state in found.values()) or time.monotonic() > deadline:
                return found
            time.sleep(0.5)

    def _homeless(self) -> list[str]:
        """Return the jobs of this root, by their working directory, that have no run directory."""
        return [
            job
            for job, place in self._bed.queue("%i|%Z")
            if Path(place).parent == self._root and not (Path(place) / "job.json").is_file()
        ]

    def _faults(self, name: str, jobs: Mapping[str, str]) -> list[str]:
        """Return what is wrong with a run that has these jobs."""
        run = RunDir(self._root / name)
        stage, told = self._stage(name), self._status(name)
        wanted = {"after sbatch": (1,), "around sbatch": (0, 1)}.get(stage, (0,))
        faults = [] if len(jobs) in wanted else [f"{name}, killed {stage}: jobs {sorted(jobs)}"]
        for job, state in jobs.items():
            if state != "COMPLETED" or not run.result.is_file():
                faults.append(f"{name}: job {job} ended as {state}")
            if told.get("job_id") != job or told.get("state") != "completed":
                faults.append(f"{name}: job {job} completed, and status says {_words(told)}")
        if not jobs and told.get("state") not in ("sealed", "unknown"):
            faults.append(f"{name}: has no job, and status says {_words(told)}")
        return faults

    def _status(self, name: str) -> dict[str, Any]:
        argv = self._argv("status", name, "--json")
        said = subprocess.run(
            argv, env=self._environment, check=False, capture_output=True, text=True
        )
        try:
            found: dict[str, Any] = json.loads(said.stdout)["runs"][0]
        except (ValueError, KeyError, IndexError):
            return {"state": said.stderr.strip()[-200:]}
        return found


def _words(told: Mapping[str, Any]) -> str:
    return f"{told.get('state')} (job {told.get('job_id') or 'none'}): {told.get('why', '')}"
