"""One training under a real Slurm, disturbed at random moments until it is done: nothing lost, nobody left."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from slurm.conftest import raised
from slurm.training import kill, losses, ready, training
from slurm.trip import PARTITION, living_of

from forgia_hpc.rundir import RunDir

STEPS = 400
EVERY = 50  # steps between two checkpoints
LIMIT_S = 300  # below the limit of a trip: a run that is stuck is a fault of its trial
WORDS = training(STEPS, every=EVERY)
GOING_ON = ("pending", "running", "held", "unknown")
# what disturbs it → the states that may follow, and whether the run goes on by itself
DISTURBANCES = {
    "preempted, requeued by Slurm": ({"completed"}, True),
    "preempted with a grace": ({"completed"}, True),
    "node failed": ({"completed"}, True),
    "end of the walltime": ({"completed"}, True),
    "scancel": ({"cancelled", "stopped"}, False),
    "forgia cancel": ({"cancelled", "stopped"}, False),
    # Slurm then sends SIGTERM to the ranks, who may save and say so
    "batch step killed": ({"failed", "stopped"}, False),
    "launcher killed": ({"failed"}, False),
}


class Endings:
    """A trial: submit, disturb once at random, resume where a user must, compare with an undisturbed run."""

    def __init__(self, scratch: Path) -> None:
        """Take a directory for data and runs."""
        self._scratch = scratch
        self._slurm = raised()
        self._whole: dict[int, float] = {}

    def __enter__(self) -> Endings:
        """Raise a Slurm, make the dataset, and train once undisturbed."""
        self._trip = ready(self._slurm.__enter__(), self._scratch)
        run, _ = self._trip.submit(*WORDS)
        self._trip("wait", run.name)
        self._whole = losses(run)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the Slurm down."""
        self._slurm.__exit__(kind, error, trace)

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Disturb one training, see what `forgia` says, and that it ends as if undisturbed."""
        what = chance.choice(list(DISTURBANCES))
        wanted, alone = DISTURBANCES[what]
        step = chance.randint(0, STEPS * 3 // 4)
        run, job = self._submit(what)
        if not _until(lambda: bool(run.events("batch_started")) and done(run) >= step):
            return {"what": what, "step": step, "state": "", "faults": self._stuck(run)}
        time.sleep(chance.uniform(0, 0.3))
        before = done(run)
        self._disturb(what, run, job)
        state, held = self._wait(run), ""
        if what == "node failed" and state["state"] == "held":
            held, faults = state["why"], self._resume(run)
            state = self._told(run)
        else:
            faults = [] if state["state"] in wanted else [f"{state['state']}: {state['why']}"]
        if not alone and state["state"] != "completed":
            faults += self._resume(run)
        faults += self._stuck(run) if self._told(run)["state"] in GOING_ON else []
        faults += self._left(run)
        row = {"what": what, "step": before, "state": state["state"], "faults": faults}
        return {**row, "held": held} if held else row

    def _submit(self, what: str) -> tuple[RunDir, str]:
        self._trip.hold_the_door()
        run, job = self._trip.submit(*WORDS)
        qos = {
            "preempted, requeued by Slurm": "qos_lowprio",
            "preempted with a grace": "qos_lowcancel",
        }
        if what in qos:
            self._trip.slurm.run(["scontrol", "update", f"JobId={job}", f"QOS={qos[what]}"])
        self._trip.open_the_door()
        return run, job

    def _disturb(self, what: str, run: RunDir, job: str) -> None:
        slurm, node = self._trip.slurm, self._trip.shown(job)["NodeList"]
        if what.startswith("preempted"):
            more = ["--exclusive", f"--nodelist={node}", "--ntasks=1", "--time=1"]
            words = ["--partition", PARTITION, "--output=/dev/null", *more, "--wrap=sleep 1"]
            slurm.run(["sbatch", *words])
        elif what == "node failed":
            slurm.run(["scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=endurance"])
            _until(lambda: not living_of(run))
            slurm.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], check=False)
        elif what == "end of the walltime":
            # an operator cuts the limit to 25 to 85 s from now, and SIGUSR1 makes the batch step look
            gone_s = time.time() - run.events("batch_started")[-1].time_ns / 1e9
            minutes = int((gone_s + 25) // 60 + 1)
            slurm.run(["scontrol", "update", f"JobId={job}", f"TimeLimit={minutes}"])
            slurm.run(["scancel", "--batch", "--signal=USR1", job])
        elif what == "scancel":
            slurm.run(["scancel", job])
        elif what == "forgia cancel":
            self._trip("cancel", run.name)
        else:
            word = "srun" if what == "launcher killed" else "forgia_hpc.node.batch"
            kill(self._trip, run, word)

    def _wait(self, run: RunDir) -> dict[str, Any]:
        with contextlib.suppress(subprocess.TimeoutExpired):  # what the run is then, is the fault
            self._trip("wait", run.name, "--timeout", str(LIMIT_S), code=None)
        return self._told(run)

    def _told(self, run: RunDir) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._trip("status", run.name, "--json").stdout)["runs"][
            0
        ]
        return found

    def _resume(self, run: RunDir) -> list[str]:
        done = self._trip("resume", run.name, code=None)
        if done.returncode:
            return [f"resume: {done.returncode} {done.stderr.strip()}"]
        state = self._wait(run)
        return (
            []
            if state["state"] == "completed"
            else [f"after resume {state['state']}: {state['why']}"]
        )

    def _stuck(self, run: RunDir) -> list[str]:
        """Return the fault of a run that did not end, and cancel it: the next trial needs its node."""
        state = self._told(run)
        self._trip("cancel", run.name, code=None)
        return [f"did not end in {LIMIT_S} s: {state['state']}: {state['why']}"]

    def _left(self, run: RunDir) -> list[str]:
        """Return what was lost, computed differently or left behind."""
        faults = (
            [] if losses(run) == self._whole else ["other losses than those of the undisturbed run"]
        )
        lines = [step for step in _steps(run) if step is not None]
        lost = len(lines) - len(set(lines))
        stopped = [event for event in run.events("batch_ended") if event.facts["exit_code"] == 6]
        if lost > (1 if stopped else EVERY):
            faults.append(f"{lost} steps were lost")
        if not _until(lambda: not living_of(run), 30):
            faults.append(f"left behind: {living_of(run)}")
        return faults


def done(run: RunDir) -> int:
    """Return the last step that was told."""
    return max((step for step in _steps(run) if step is not None), default=0)


def _steps(run: RunDir) -> list[int | None]:
    """Return the step of every whole line, those done twice among them."""
    found: list[int | None] = []
    for line in run.metrics.read_text().splitlines() if run.metrics.exists() else ():
        with contextlib.suppress(ValueError):
            found.append(int(json.loads(line)["step"]))
    return found


def _until(true: Any, seconds: float = LIMIT_S) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            sys.stderr.write(f"waited {seconds} s in vain\n")
            return False
        time.sleep(0.1)
    return True
