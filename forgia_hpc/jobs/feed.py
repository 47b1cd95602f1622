"""Submits a sweep bit by bit: as many points as Slurm takes now, the rest as room appears.

No process waits on the login node. Whoever looks feeds: `forgia sweep`, `forgia status`, and each task of a sweep
as its last act. An *order* says which points are still to be sent; the newest alone counts. A chunk is claimed in
the run's journal before it is submitted, so two that feed at the same moment send no point twice.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc.compact import spans
from forgia_hpc.errors import InputError, Problem, SlurmSilentError
from forgia_hpc.jobs import journal
from forgia_hpc.jobs.journal import Entry
from forgia_hpc.jobs.submission import token
from forgia_hpc.jobs.submit import hand_over
from forgia_hpc.rundir import make_once, read_json
from forgia_hpc.slurm.arrays import queued_tasks
from forgia_hpc.slurm.executor import Script
from forgia_hpc.sweepdir import Chunk, SweepDir

WORTH = 4  # of the limit, a quarter free is worth an sbatch
ARRAY_SIZE = 1000  # where a profile does not know MaxArraySize; Slurm's own default is 1001
_LIMIT = re.compile("submit limit|MaxSubmit|MaxJobCount|too many|limit reached", re.IGNORECASE)


@dataclass
class Fed:
    """What a feeding did."""

    sent: list[dict[str, Any]] = field(default_factory=list)  # the facts of each submission
    left: int = 0  # points that wait for room
    why: str = ""  # what keeps them
    released: list[dict[str, Any]] = field(default_factory=list)  # jobs that Slurm held
    refused: bool = False  # not for want of room: waiting will not help


def order(sweep: SweepDir, points: tuple[int, ...]) -> None:
    """Ask for these points to be sent, and for no others.

    Raises:
        InputError: somebody else has changed the order at the same moment.
    """
    number = len(sweep.orders())
    after = max((chunk.number for chunk in sweep.chunks()), default=0)
    content = {"points": spans(points), "after": after}
    (sweep.path / "orders").mkdir(exist_ok=True)
    if not make_once(sweep.path / "orders" / f"{number:05d}.json", content):
        limit = "somebody else has resumed or cancelled it at the same moment"
        raise InputError(
            Problem(field="RUN", got=sweep.name, limit=limit, fix=f"forgia status {sweep.name}")
        )


def feed(sweep: SweepDir) -> Fed:
    """Submit what Slurm takes of the points that wait.

    Raises:
        InputError: Slurm refuses the request itself.
        SlurmSilentError: no clear answer.
    """
    fed = Fed()
    feeder = _Feeder(sweep)
    while left := sweep.waiting():
        fed.left = len(left)
        try:
            facts, fed.why = feeder.next(left)
        except _TakenError:
            fed.why = "another process is feeding it"
            return fed
        if facts is None:
            return fed
        fed.sent.append(facts)
    fed.left, fed.why = 0, ""
    return fed


class _TakenError(Exception):
    """Another process has claimed the next submission."""


class _Feeder:
    """The facts that decide how many points the next submission takes."""

    def __init__(self, sweep: SweepDir) -> None:
        self._sweep = sweep
        self._environment = read_json(sweep.job)["slurm_environment"]
        self._start = read_json(sweep.manifest)["start"]
        text = (sweep.inputs / "0" / "cluster.yaml").read_text(encoding="utf-8")
        self._cluster = yaml.safe_load(text)
        self._array = self._cluster["scheduler"]["max_array_size"] or ARRAY_SIZE
        self._refused_at: int | None = None

    def next(self, left: tuple[int, ...]) -> tuple[dict[str, Any] | None, str]:
        """Submit one chunk; return the facts of its job, or None and what keeps it."""
        number = journal.next_number(self._sweep)
        if any(entry.open for entry in journal.entries(self._sweep)):
            # one that is on its way may hold the points that wait
            journal.settle(self._sweep, self._environment)
        if self._start["allocation"]:
            return self._send(Chunk(number=number, points=left, group=0)), ""
        group = self._sweep.points[left[0]].group
        same = [point for point in left if self._sweep.points[point].group == group]
        size, why = self._size(len(same), group)
        if size == 0:
            return None, why
        try:
            facts = self._send(Chunk(number=number, points=tuple(same[:size]), group=group))
        except InputError as error:
            if not _LIMIT.search(str(error)):
                raise
            return self._smaller(size, error)
        self._learn()
        return facts, ""

    def _size(self, wanted: int, group: int) -> tuple[int, str]:
        """Return how many tasks to ask for now; 0 where waiting for more room is better, and why."""
        wanted = min(wanted, self._array, self._refused_at or self._array)
        caps = [self._cluster["scheduler"]["max_submit"], *self._qos_caps(group), self._learnt()]
        known = min((cap for cap in caps if cap), default=None)
        if known is None or self._refused_at:
            return wanted, ""
        ours, all_of_mine = queued_tasks(self._environment, token(self._sweep, 1))
        room = min(wanted, max(0, known - all_of_mine))
        # while others of ours will feed again, small arrays are not worth an sbatch each
        if room < min(wanted, max(1, known // WORTH)) and ours > 1:
            room = 0
        return room, f"{all_of_mine} of {known} jobs of yours are queued or running"

    def _smaller(self, size: int, error: InputError) -> tuple[dict[str, Any] | None, str]:
        """After a refusal because of a limit that no profile names: half, until one fits or none does."""
        self._refused_at = size // 2
        if self._refused_at:
            return self.next(self._sweep.waiting())
        self._learn()
        return None, str(error.problems[0].limit)

    def _learn(self) -> None:
        """Note the limit that a refusal has shown, so that no later feeding runs into it again and again."""
        if self._refused_at is not None:
            _, cap = queued_tasks(self._environment, "")
            self._sweep.event("submit_cap", cap=max(cap, 1))

    def _learnt(self) -> int | None:
        told = self._sweep.events("submit_cap")
        return int(told[-1].facts["cap"]) if told else None

    def _qos_caps(self, group: int) -> list[int | None]:
        name = self._start["groups"][group]["qos"]
        return [one["max_submit_per_user"] for one in self._cluster["qos"] if one["name"] == name]

    def _send(self, chunk: Chunk) -> dict[str, Any]:
        try:
            entry = journal.claim(self._sweep, chunk.number)
        except InputError as error:
            raise _TakenError from error
        self._sweep.hold(chunk)
        script = self._script(chunk, entry)
        facts = hand_over(self._sweep, entry, script, points=len(chunk.points))
        return {**facts, "points": len(chunk.points)}

    def _script(self, chunk: Chunk, entry: Entry) -> Script:
        tasks = self._start["allocations"] or len(chunk.points)
        most = self._start["max_running"]
        options = [f"--array=0-{tasks - 1}" + (f"%{most}" if most else "")]
        return Script(
            name=entry.name,
            text=self._sweep.script(chunk.group).read_text(encoding="utf-8"),
            folder=self._sweep.logs,
            environment=self._environment,
            options=(*options, *self._after()),
            arguments=("--chunk", str(chunk.number)),
            until_s=entry.until_s,
        )

    def _after(self) -> tuple[str, ...]:
        """With --max-running one array follows the other: each alone would run so many."""
        last = next((e for e in reversed(journal.entries(self._sweep)) if e.job_id), None)
        if not self._start["max_running"] or last is None:
            return ()
        return (f"--dependency=afterany:{last.job_id}",)


def feed_quietly(sweep: SweepDir) -> Fed:
    """Feed as the side effect of another verb: what goes wrong is told and breaks nothing."""
    try:
        return feed(sweep)
    except (InputError, SlurmSilentError) as error:
        why, refused = str(error).splitlines()[0], isinstance(error, InputError)
        return Fed(left=len(sweep.waiting()), why=why, refused=refused)


def main() -> int:
    """Feed the sweep of this path: `python -m forgia_hpc.jobs.feed SWEEP`, the last act of each of its tasks."""
    fed = feed_quietly(SweepDir(Path(sys.argv[1])))
    jobs = ", ".join(str(one.get("job_id")) for one in fed.sent) or "nothing"
    sys.stderr.write(f"forgia: fed the sweep: {jobs} submitted; {fed.left} points wait {fed.why}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
