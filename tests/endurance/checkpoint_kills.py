"""SIGKILL of a rank or of the batch step in mid-training: the newest checkpoint loads, little is lost."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from forgia_hpc.rundir import RunDir

EVERY = 3  # steps between two checkpoints
LIMIT_S = 300  # for a start, or for the end of what was killed; the machine does other things too
TRAINING = (
    "submit",
    "train",
    "--json",
    "cluster=local",
    "resources.ranks_per_node=2",
    "data.dataset=demo_press",
    "data.context=64",
    "data.horizon=16",
    "parallel.precision=fp32",
    "train.steps=1000000",
    "train.global_batch=4",
    f"train.checkpoint_every={EVERY}",
    "evaluate.enabled=false",
)


class CheckpointKills:
    """One training, killed and resumed again and again: a trial is an attempt and its violent end."""

    def __init__(self, scratch: Path) -> None:
        """Take a directory for data and runs."""
        self._scratch = scratch
        self._run: RunDir | None = None
        self._environment = {
            **os.environ,
            "FORGIA_RUNS": str(scratch / "runs"),
            "FORGIA_DATA": str(scratch / "data"),
            "XDG_CONFIG_HOME": str(scratch / "config"),
        }

    def __enter__(self) -> CheckpointKills:
        """Make the dataset."""
        self._forgia("data", "ingest", "demo_press")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what still computes."""
        for pid in self._processes() if self._run else ():
            _kill(pid)

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Start or resume, see that it went on where it should, kill somebody, look at what is left."""
        wanted = newest(self._run) if self._run else None
        rows = len(_rows(self._run)) if self._run else 0
        run = self._go_on()
        faults: list[str] = []
        victim = chance.choice(["rank 0", "rank 1", "batch step"])
        steps, delay = chance.randint(0, 2 * EVERY + 1), chance.uniform(0, 0.5)
        starting = chance.random() < 0.15
        if starting:
            time.sleep(chance.uniform(0, 8))
            resumed = None
        else:
            resumed = self._resumed(run, wanted, faults)
            self._until_rows(run, rows + steps, faults)
            time.sleep(delay)
        self._kill(victim)
        self._until_over(run, faults)
        faults += self._told(run, victim)
        faults += _left(run)
        return {
            "what": f"{victim} killed {'while starting' if starting else 'while training'}",
            "resumed_from": resumed,
            "newest": newest(run),
            "last_step": _last_step(run),
            "faults": faults,
        }

    # --- doing ------------------------------------------------------------------------------------

    def _forgia(self, *words: str) -> str:
        argv = [sys.executable, "-P", "-m", "forgia_hpc.cli.main", *words]
        said = subprocess.run(
            argv,
            env=self._environment,
            cwd=self._scratch,
            capture_output=True,
            text=True,
            check=False,
        )
        if said.returncode:
            raise RuntimeError(f"{words}: {said.returncode}\n{said.stdout}\n{said.stderr}")
        return said.stdout

    def _go_on(self) -> RunDir:
        """Start another attempt, or the first."""
        if self._run:
            self._forgia("resume", self._run.name)
        else:
            self._run = RunDir(Path(json.loads(self._forgia(*TRAINING))["path"]))
        return self._run

    def _kill(self, victim: str) -> None:
        batch, *ranks = self._processes()
        if victim == "batch step" or len(ranks) < 2:
            _kill(batch)
        else:
            _kill(ranks[int(victim[-1])])

    def _processes(self) -> list[int]:
        """Return the batch step of the newest attempt and its ranks, in the order of their start."""
        batch = int(_submissions(self._run)[-1]["pid"]) if self._run else 0
        try:
            children = Path(f"/proc/{batch}/task/{batch}/children").read_text().split()
        except OSError:
            children = []
        return [batch, *sorted(int(pid) for pid in children)]

    # --- looking ----------------------------------------------------------------------------------

    def _resumed(self, run: RunDir, wanted: int | None, faults: list[str]) -> int | None:
        """Wait for the attempt to load its checkpoint; return the step."""
        before = len(_submissions(run))
        if wanted is None:
            return None
        deadline = time.monotonic() + LIMIT_S
        attempt = before - 1
        while time.monotonic() < deadline:
            since = _submissions(run)[-1]["time_ns"]
            found = [each for each in run.events("resumed") if each.time_ns > since]
            if found:
                step = int(found[-1].facts["step"])
                if step != wanted:
                    faults.append(f"resumed from {step}, not from {wanted}")
                return step
            if self._over(run):
                faults.append(f"attempt {attempt} ended before it had resumed: {_last_word(run)}")
                return None
            time.sleep(0.1)
        faults.append(f"attempt {attempt} did not resume in {LIMIT_S} s")
        return None

    def _until_rows(self, run: RunDir, count: int, faults: list[str]) -> None:
        """Wait for so many lines of metrics: one a step."""
        if not _until(lambda: len(_rows(run)) >= count or self._over(run)):
            faults.append(f"{count} steps were not done in {LIMIT_S} s")

    def _over(self, run: RunDir) -> bool:
        return not any(_alive(pid) for pid in self._of_run(run))

    def _until_over(self, run: RunDir, faults: list[str]) -> None:
        if not _until(lambda: self._over(run)):
            faults.append(f"processes live {LIMIT_S} s after the kill: {self._of_run(run)}")

    def _of_run(self, run: RunDir) -> list[int]:
        """Return every process that has this run on its command line: orphans too."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if str(run.path).encode() in words and b"-m" in words:
                    found.append(int(entry.name))
        return found

    def _told(self, run: RunDir, victim: str) -> list[str]:
        """Return where `forgia status` does not tell what happened."""
        said = json.loads(self._forgia("status", run.name, "--json"))["runs"][0]
        if said["state"] not in ("failed", "stopped"):
            return [f"status says {said['state']} after {victim} was killed: {said['why']}"]
        killed = victim.startswith("rank") and "SIGKILL" in said["why"]
        if killed and victim not in said["why"]:
            return [f"{victim} was killed, and status says {said['why']}"]
        return []


def newest(run: RunDir) -> int | None:
    """Return the step of the newest committed checkpoint."""
    steps = [int(path.name) for path in run.checkpoints.glob("[0-9]*")]
    return max(steps, default=None)


def _left(run: RunDir) -> list[str]:
    """Return what is wrong with checkpoints and metrics; verified by code of our own."""
    faults = [
        f"checkpoint {path.name}: {fault}"
        for path in run.checkpoints.glob("[0-9]*")
        for fault in _broken(path)
    ]
    faults += [
        f"resume passed over checkpoint {e.facts['step']}" for e in run.events("checkpoint_broken")
    ]
    lost = (_last_step(run) or 0) - (newest(run) or 0)
    if lost > EVERY:
        faults.append(f"{lost} steps are lost; a checkpoint every {EVERY}")
    return faults + _twice(run)


def _broken(directory: Path) -> list[str]:
    try:
        files = json.loads((directory / "manifest.json").read_text())["files"]
        return [
            f"{name} is not what the manifest says"
            for name, entry in files.items()
            if hashlib.sha256((directory / name).read_bytes()).hexdigest() != entry["sha256"]
        ]
    except (OSError, ValueError, KeyError) as error:
        return [repr(error)]


def _rows(run: RunDir) -> list[dict[str, Any]]:
    """Return every whole line, steps that were computed twice among them."""
    found = []
    for line in run.metrics.read_text().splitlines() if run.metrics.exists() else ():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def _last_step(run: RunDir) -> int | None:
    """Return the last step of the newest attempt."""
    rows = _rows(run)
    return int(rows[-1]["step"]) if rows else None


def _twice(run: RunDir) -> list[str]:
    seen: dict[int, float] = {}
    faults = []
    for row in _rows(run):
        first = seen.setdefault(row["step"], row["loss"])
        if first != row["loss"]:
            faults.append(
                f"step {row['step']} had loss {first}, and {row['loss']} when computed again"
            )
    return faults


def _submissions(run: RunDir) -> list[dict[str, Any]]:
    return [{**event.facts, "time_ns": event.time_ns} for event in run.events("submitted")]


def _last_word(run: RunDir) -> str:
    words = [event.facts.get("why", "") for event in run.events("batch_ended")]
    return str(words[-1]) if words else "no word"


def _until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LIMIT_S
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
