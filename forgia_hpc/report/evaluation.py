"""output/evaluation.json as objects; an entry that cannot be read is left out and said so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from forgia_hpc.report.figures import number
from forgia_hpc.report.sides import Sides, sides_of

FORMAT = "forgia.evaluation/1"
Series = list[float | None]  # None: nothing was measured
Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Score:
    """Errors of one method on one split of one contribution."""

    contribution: str
    split: str
    method: str
    windows: float | None
    series: float | None
    sql: float | None
    mase: float | None
    coverage: dict[float, float]  # level → share of the truth inside


@dataclass(frozen=True)
class Skill:
    """1 − error / error of the baseline, with the interval of the evaluation."""

    contribution: str
    split: str
    method: str
    against: str
    metric: str
    skill: float
    low: float | None
    high: float | None
    series: float | None = None  # trajectories, where windows of one are no draws of their own


@dataclass(frozen=True)
class Forecast:
    """One forecast: context and truth (time), quantiles (level → time), in physical units."""

    contribution: str
    split: str
    asset: str
    channel: str
    unit: str
    step_seconds: float | None
    context: Series
    truth: Series
    quantiles: dict[float, Series]
    naive: Series


@dataclass(frozen=True)
class Anomaly:
    """Anomaly scores of one machine: one a stretch of `stride` steps, from step `start` of its clock on.

    Labels are (first, last) steps of the same clock, last included.
    """

    contribution: str
    asset: str
    channels: float | None
    start: float
    stride: float
    step_seconds: float | None
    scores: Series
    labels: list[tuple[float, float]]
    auc: float | None
    baseline_auc: float | None


@dataclass(frozen=True)
class Rollout:
    """Errors of one method that goes on from its own answers; by steps ahead."""

    contribution: str
    split: str
    method: str
    windows: float | None
    trajectories: float | None
    vrmse: dict[int, float]
    drift: dict[int, float]
    bands: dict[int, Series]  # error over truth at long, middle and short waves


@dataclass(frozen=True)
class Evaluation:
    """How a model was judged."""

    dataset: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    context: float | None = None
    horizon: float | None = None
    scores: list[Score] = field(default_factory=list)
    skill: list[Skill] = field(default_factory=list)
    examples: list[Forecast] = field(default_factory=list)
    anomaly: list[Anomaly] = field(default_factory=list)
    rollouts: list[Rollout] = field(default_factory=list)  # in place of scores, of fields
    worst: list[dict[str, Any]] = field(default_factory=list)
    sides: list[Sides] = field(default_factory=list)  # examples of these rollouts
    cost: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def headline(self) -> Skill | None:
        """Return the model's skill over everything, by the first metric that has one."""
        whole = [
            one
            for one in self.skill
            if (one.contribution, one.split, one.method) == ("all", "all", "model")
        ]
        order = {"sql": 0, "mase": 1}
        return min(whole, key=lambda one: order.get(one.metric, 2), default=None)


def read_evaluation(content: dict[str, Any], notes: list[str]) -> Evaluation:
    """Return the evaluation; what could not be read is added to `notes`."""
    if content.get("format") != FORMAT:
        notes.append(f"output/evaluation.json is no {FORMAT} (it says {content.get('format')!r})")
        return Evaluation()
    model, cost = content.get("model"), content.get("cost")
    said = content.get("notes")
    rolled = "cost" in content  # only a surrogate of simulations has one
    return Evaluation(
        dataset=str(content.get("dataset") or ""),
        model=model if isinstance(model, dict) else {},
        context=number(content.get("context")),
        horizon=number(content.get("horizon")),
        scores=[] if rolled else _entries(content, "scores", _score, notes),
        skill=_entries(content, "skill", _skill, notes),
        examples=_entries(content, "examples", _forecast, notes),
        anomaly=_entries(content, "anomaly", _anomaly, notes),
        rollouts=_entries(content, "scores", _rollout, notes) if rolled else [],
        worst=_entries(content, "worst", dict, notes),
        sides=_entries(content, "frames", sides_of, notes) if rolled else [],
        cost=cost if isinstance(cost, dict) else {},
        notes=[str(note) for note in said] if isinstance(said, list) else [],
    )


def _entries(
    content: dict[str, Any], name: str, read: Callable[[Any], Entry], notes: list[str]
) -> list[Entry]:
    found: list[Entry] = []
    unreadable = 0
    entries = content.get(name) or []
    for entry in entries if isinstance(entries, list) else [entries]:
        try:
            found.append(read(entry))
        except (KeyError, TypeError, ValueError, AttributeError):
            unreadable += 1
    if unreadable:
        notes.append(f"output/evaluation.json: {unreadable} of {name} could not be read")
    return found


def _score(row: dict[str, Any]) -> Score:
    return Score(
        str(row["contribution"]),
        str(row["split"]),
        str(row["method"]),
        number(row.get("windows")),
        number(row.get("series")),
        number(row.get("sql")),
        number(row.get("mase")),
        {
            float(level): share
            for level, value in (row.get("coverage") or {}).items()
            if (share := number(value)) is not None
        },
    )


def _rollout(row: dict[str, Any]) -> Rollout:
    return Rollout(
        str(row["contribution"]),
        str(row["split"]),
        str(row["method"]),
        number(row.get("windows")),
        number(row.get("series")),
        _by_steps(row["vrmse"]),
        _by_steps(row["drift"]),
        {int(at): _series(values) for at, values in row["bands"].items()},
    )


def _by_steps(row: dict[str, Any]) -> dict[int, float]:
    found = {int(at): number(value) for at, value in row.items()}
    return {at: value for at, value in found.items() if value is not None}


def _skill(row: dict[str, Any]) -> Skill:
    skill = number(row["skill"])
    if skill is None:
        raise ValueError(row["skill"])
    return Skill(
        str(row["contribution"]),
        str(row["split"]),
        str(row["method"]),
        str(row["against"]),
        str(row["metric"]),
        skill,
        number(row.get("low")),
        number(row.get("high")),
        number(row.get("series")),
    )


def _series(values: Any) -> Series:
    if not isinstance(values, list):
        raise TypeError(values)
    return [number(value) for value in values]


def _forecast(row: dict[str, Any]) -> Forecast:
    return Forecast(
        str(row["contribution"]),
        str(row["split"]),
        str(row["asset"]),
        str(row["channel"]),
        str(row.get("unit") or ""),
        number(row.get("step_seconds")),
        _series(row["context"]),
        _series(row["truth"]),
        {float(level): _series(values) for level, values in row["quantiles"].items()},
        _series(row.get("naive") or []),
    )


def _anomaly(row: dict[str, Any]) -> Anomaly:
    return Anomaly(
        str(row["contribution"]),
        str(row["asset"]),
        number(row.get("channel_count")),
        number(row.get("start")) or 0.0,
        max(number(row.get("stride")) or 1.0, 1.0),
        number(row.get("step_seconds")),
        _series(row["scores"]),
        [(float(first), float(last)) for first, last in row.get("labels") or []],
        number(row.get("auc")),
        number(row.get("baseline_auc")),
    )
