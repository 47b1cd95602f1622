"""The figures of a training, from metrics.jsonl and result.json; None where nobody measured."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median

from forgia_hpc.report.facts import RunFacts, deep
from forgia_hpc.report.figures import number

Points = list[tuple[float, float]]  # (step, value)
PARTS = ("data", "compute", "save")


@dataclass(frozen=True)
class Progress:
    """What a training did so far."""

    loss: Points
    learning_rate: Points
    grad_norm: Points
    tokens_per_s: Points
    logged: int
    steps: float | None
    planned: float | None
    tokens: float | None
    seconds: float | None
    memory_gb: float | None  # the largest seen: of all ranks in a result, of rank 0 before
    skipped: float | None  # optimizer steps, in the last attempt
    resumed_from: float | None
    step_parts: dict[str, float]  # mean seconds of a step: data, compute, save, other
    judged: tuple[float, float] | None  # windows evaluated, of

    @property
    def throughput(self) -> float | None:
        """The median of the logged steps, tokens a second."""
        return median(value for _, value in self.tokens_per_s) if self.tokens_per_s else None


def progress(facts: RunFacts) -> Progress:
    """Return the figures of the run's training."""
    rows = [row for row in facts.rows if row.get("phase", "train") == "train"]
    memory = [value for row in rows if (value := number(row.get("memory_gb"))) is not None]
    whole = number(deep(facts.result, "memory_gb"))
    last = number(rows[-1]["step"]) if rows else None
    done = number(deep(facts.result, "steps"))
    return Progress(
        loss=_points(rows, "loss"),
        learning_rate=_points(rows, "learning_rate"),
        grad_norm=_points(rows, "grad_norm"),
        tokens_per_s=_points(rows, "tokens_per_s"),
        logged=len(rows),
        steps=last if done is None else done,
        planned=number(facts.asked("train.steps")),
        tokens=number(deep(facts.result, "tokens")),
        seconds=number(deep(facts.result, "seconds")),
        memory_gb=max(memory, default=None) if whole is None else whole,
        skipped=number(rows[-1].get("skipped")) if rows else None,
        resumed_from=number(deep(facts.result, "resumed_from")),
        step_parts=_parts(rows),
        judged=_judged(facts),
    )


def _points(rows: list[dict[str, object]], name: str) -> Points:
    pairs = ((number(row["step"]), number(row.get(name))) for row in rows)
    return [(step, value) for step, value in pairs if step is not None and value is not None]


def _parts(rows: list[dict[str, object]]) -> dict[str, float]:
    parts: dict[str, float] = {}
    for part in PARTS:
        seen = [value for row in rows if (value := number(row.get(f"{part}_s"))) is not None]
        if seen:
            parts[part] = sum(max(value, 0.0) for value in seen) / len(rows)
    whole = [value for row in rows if (value := number(row.get("step_s"))) is not None]
    rest = fmean(whole) - sum(parts.values()) if whole and parts else 0.0
    if whole and rest > 0.005 * fmean(whole):
        parts["other"] = rest
    return {part: seconds for part, seconds in parts.items() if seconds > 0}


def _judged(facts: RunFacts) -> tuple[float, float] | None:
    rows = [row for row in facts.rows if row.get("phase") == "evaluate"]
    if not rows:
        return None
    done, of = number(rows[-1]["step"]), number(rows[-1].get("of"))
    return (done, of) if done is not None and of is not None else None
