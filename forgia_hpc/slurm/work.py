"""What a job did with its time: work that is kept, and work that was done for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from forgia_hpc.metrics import read_metrics
from forgia_hpc.rundir import Event, RunDir
from forgia_hpc.runtime.heartbeat import read_beats
from forgia_hpc.slurm.usage import Allocation

_CLOCKS_S = 120  # between a node's clock and slurmctld's


@dataclass(frozen=True, kw_only=True)
class Work:
    """Seconds of all attempts. Lost: steps done after the last whole checkpoint, and attempts without one.

    by: steps (counted) | attempts (whole ones; the workload has no steps) | tasks (of a sweep's arrays: those that
    did not complete; what a packed allocation lost with a point is not counted).
    """

    ran_s: float = 0.0
    lost_s: float = 0.0
    steps: int | None = None
    lost_steps: int | None = None
    by: str = "attempts"

    @property
    def useful_s(self) -> float:
        """The rest."""
        return max(0.0, self.ran_s - self.lost_s)


def work_of(run: RunDir, rows: Sequence[Allocation]) -> Work:
    """Return the work of a run from its events, heartbeats and checkpoints, each attempt with its allocation."""
    ran = [row for row in rows if row.elapsed_s]
    if (run.path / "points.jsonl").exists():
        return _of_sweep(ran)
    begun = run.events("batch_started")
    done = run.result.exists()
    step_s = _step_seconds(run)
    kept = [_kept_at(event) for event in begun[1:]] + [_saved(run)]
    lost_s, lost_steps, counted = 0.0, 0, False
    for index, row in enumerate(ran):
        last = index == len(ran) - 1
        if last and done:
            continue
        number = _attempt(begun, row)
        reached = _reached(run, number)
        if reached is None or step_s is None or number is None:
            lost_s += row.elapsed_s
            continue
        counted = True
        steps = max(0, reached - kept[number])
        lost_steps += steps
        lost_s += min(row.elapsed_s, steps * step_s)
    stepped = counted or step_s is not None
    return Work(
        ran_s=float(sum(row.elapsed_s for row in ran)),
        lost_s=lost_s,
        steps=max((row["step"] for row in _train(run)), default=None),
        lost_steps=lost_steps if stepped else None,
        by="steps" if stepped else "attempts",
    )


def _of_sweep(ran: Sequence[Allocation]) -> Work:
    """Return the work of a sweep: of its array tasks, those that completed are kept."""
    lost = [row.elapsed_s for row in ran if "_" in row.task and row.state != "COMPLETED"]
    return Work(ran_s=float(sum(row.elapsed_s for row in ran)), lost_s=float(sum(lost)), by="tasks")


def _attempt(begun: Sequence[Event], row: Allocation) -> int | None:
    """Return the number of the attempt that ran in an allocation; None: its batch step never began."""
    start, end = (row.start or 0) - _CLOCKS_S, (row.end or 2**62) + _CLOCKS_S
    fits = [
        (abs(event.time_ns / 1e9 - (row.start or 0)), number)
        for number, event in enumerate(begun)
        if event.facts.get("job_id") in (row.job_id, None) and start <= event.time_ns / 1e9 <= end
    ]
    return min(fits)[1] if fits else None


def _reached(run: RunDir, attempt: int | None) -> int | None:
    """Return the step that an attempt came to; None where it stamped none."""
    beats = read_beats(run, attempt) if attempt is not None else []
    return max((beat.step for beat in beats), default=None)


def _kept_at(event: Event) -> int:
    """Return the step from which an attempt could go on, as its batch step found it."""
    return int(event.facts.get("step") or 0)


def _saved(run: RunDir) -> int:
    """Return the newest whole checkpoint that is there now."""
    names = [path.name for path in run.checkpoints.glob("[0-9]*")]
    return max((int(name) for name in names if name.isdigit()), default=0)


def _step_seconds(run: RunDir) -> float | None:
    taken = [row["step_s"] for row in _train(run) if isinstance(row.get("step_s"), int | float)]
    return sum(taken) / len(taken) if taken else None


def _train(run: RunDir) -> list[dict[str, int]]:
    try:
        return [row for row in read_metrics(run.metrics) if row.get("phase", "train") == "train"]
    except ValueError:
        return []  # the report names what is wrong with the file
