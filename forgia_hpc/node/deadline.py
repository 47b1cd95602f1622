"""When to stop for the walltime: the true end of this job, and the time that a checkpoint takes here.

Slurm's own warning comes 60 to 120 s before the end, whatever the job needs; what is learnt needs less, or more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.job import PARTING_S
from forgia_hpc.slurm.control import JobFacts, SlurmRefusedError

SAFETY = 2.0  # times the slowest save seen: a file system has bad minutes
LEAVE_S = 15  # for the ranks to part, for our last word, and for the requeue
FLOOR_S = 30
UNLEARNT_S = 60  # while no save was seen; the warning comes earlier still
ASK_EVERY_S = 600  # an operator may change the end
LEARN_EVERY_S = 10
WARNED_S = 180  # SIGUSR1 so long before the end is a person's, not Slurm's (60 s, up to 60 s early)
# what slurmctld says of a job whose batch step lives: it has lost the node, and starts the job again or not
GIVEN_UP = frozenset({"NODE_FAIL", "PENDING"})
_RECENT = 20  # saves and rows looked back at
_TAIL = 2**15  # bytes of metrics.jsonl


@dataclass(frozen=True)
class Pace:
    """The slowest recent save and step of this run in seconds; None: none seen."""

    save_s: float | None = None
    step_s: float | None = None


@dataclass(frozen=True)
class End:
    """When the job ends, in seconds since 1970 (None: never), and who says so."""

    time: float | None
    source: str  # slurm | sealed walltime


def margin_s(pace: Pace) -> float:
    """Return how long before the end to ask for the stop.

    A step may have just begun when the ranks are asked, and another begins before all have looked. OverTimeLimit
    and KillWait come after the end; they are not counted on, because nobody tells them to the user.
    """
    if pace.save_s is None:
        return UNLEARNT_S
    return max(FLOOR_S, SAFETY * pace.save_s + 2 * (pace.step_s or 0.0) + LEAVE_S)


def pace_of(saves: Iterable[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]) -> Pace:
    """Learn from the facts of `checkpoint_saved` events and from rows of metrics.jsonl."""
    steps = [row["step_s"] - (row.get("save_s") or 0) for row in rows if row.get("step_s")]
    return Pace(
        save_s=max((float(each["seconds"]) for each in saves), default=None),
        step_s=max(steps, default=None),
    )


def end_of(facts: JobFacts | None, started: float, walltime_s: float) -> End:
    """Return the end as Slurm has it, else by the sealed walltime."""
    if facts is not None:
        return End(facts.end_time, "slurm")
    return End(started + walltime_s, "sealed walltime")


def learn(run: RunDir) -> Pace:
    """Read what the ranks have recorded, in any attempt: its shape is the same."""
    saves = [event.facts for event in run.events("checkpoint_saved")[-_RECENT:]]
    return pace_of(saves, _rows(run)[-_RECENT:])


def needs_s(run: RunDir) -> float:
    """Return how long before the end a user's own program must be asked, 0 for any other job."""
    command = yaml.safe_load(run.config.read_text(encoding="utf-8")).get("command") or {}
    return command["save_s"] + PARTING_S if "save_s" in command else 0.0


def _rows(run: RunDir) -> list[dict[str, Any]]:
    try:
        with run.metrics.open("rb") as opened:
            opened.seek(max(0, run.metrics.stat().st_size - _TAIL))
            lines = opened.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [row for line in lines if isinstance(row := _parsed(line), dict)]


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None  # cut by our own seek, or being written


class Deadline:
    """Asks Slurm rarely and the run's own record often, and says when it is time."""

    def __init__(
        self,
        run: RunDir,
        attempt: int,
        ask: Callable[[], JobFacts],
        walltime_s: float,
        now: float,
    ) -> None:
        """Ask for the end of this job, and note it."""
        self._run, self._attempt, self._ask = run, attempt, ask
        self._needs_s = needs_s(run)
        self._started, self._walltime_s = now, walltime_s
        self._pace = Pace()
        self.given_up = False
        self._looked = self._asked = now
        self.end = self._find()
        self._note()

    def due(self, now: float) -> bool:
        """Whether the ranks must be asked to stop now."""
        if now - self._looked >= LEARN_EVERY_S:
            self._looked, self._pace = now, learn(self._run)
        since = now - self._asked
        if since >= ASK_EVERY_S or (self._passed(now) and since >= LEARN_EVERY_S):
            self._ask_again(now)
        return self._passed(now)

    def warned(self, now: float) -> str:
        """Return what SIGUSR1 means now: `walltime`, `later` (we know better when), or `asked` by a person."""
        self._ask_again(now)
        if self.end.time is None or self.end.time - now > WARNED_S:
            return "asked" if self.end.source == "slurm" else "walltime"
        return "later" if self.end.source == "slurm" and not self._passed(now) else "walltime"

    def _passed(self, now: float) -> bool:
        return self.end.time is not None and self.end.time - now < self._margin_s()

    def _margin_s(self) -> float:
        return self._needs_s or margin_s(self._pace)

    def _ask_again(self, now: float) -> None:
        before, self._asked = self.end, now
        self.end = self._find(before)
        if self.end != before:
            self._note()

    def _find(self, known: End | None = None) -> End:
        try:
            facts = self._ask()
            self.given_up = facts.state in GIVEN_UP
            return known if self.given_up and known else self._end_of(facts)
        except (SlurmSilentError, SlurmRefusedError):
            return known or self._end_of(None)

    def _end_of(self, facts: JobFacts | None) -> End:
        return end_of(facts, self._started, self._walltime_s)

    def _note(self) -> None:
        self._run.event(
            "deadline", attempt=self._attempt, end_time=self.end.time, source=self.end.source
        )

    def facts(self) -> dict[str, Any]:
        """Return what was known when the stop was asked for."""
        return {
            "end_time": self.end.time,
            "margin_s": round(self._margin_s(), 3),
            "save_s": self._pace.save_s,
            "step_s": self._pace.step_s,
        }


def own_job(environment: Mapping[str, str]) -> str | None:
    """Return this job as scontrol names it; None outside of Slurm."""
    if array := environment.get("SLURM_ARRAY_JOB_ID"):
        return f"{array}_{environment['SLURM_ARRAY_TASK_ID']}"
    return environment.get("SLURM_JOB_ID") or None
