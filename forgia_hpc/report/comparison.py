"""Several runs side by side: what differs in their configs, and what they reached."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.report.facts import RunFacts, read_run
from forgia_hpc.report.figures import number
from forgia_hpc.report.progress import Points, progress
from forgia_hpc.report.standing import standing
from forgia_hpc.rundir import RunDir

LAST_SHARE = 0.05  # of the steps: the last value of a noisy metric is a mean over these
NOT_OF_INTEREST = ("label", "resources.account")


@dataclass(frozen=True)
class Compared:
    """One run among others."""

    name: str
    state: str
    asked: dict[str, Any]  # the config values that are not the same in all runs
    points: Points
    last: float | None
    best: float | None
    skill: float | None
    tokens_per_s: float | None
    seconds: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the figures for `--json`, without the curve."""
        return {key: value for key, value in self.__dict__.items() if key != "points"}


def compare(runs: Sequence[RunDir], metric: str = "loss") -> list[Compared]:
    """Return the runs' figures, in the order given.

    Raises:
        InputError: no run has such a metric.
    """
    facts = [read_run(run) for run in runs]
    told = [own_figures(run) for run in runs]
    keys = differing_keys(facts)
    found = [_compared(one, metric, keys, own) for one, own in zip(facts, told, strict=True)]
    if facts and all(one.last is None for one in found):
        measured = {name for one in facts for row in one.rows for name in row}
        known = sorted({*measured, *(name for own in told for name in own)} - {"step", "phase"})
        limit = f"no run has it; known: {', '.join(known) or 'none, nothing was measured yet'}"
        raise InputError(Problem(field="--metric", got=metric, limit=limit))
    return found


def own_figures(run: RunDir) -> dict[str, Any]:
    """Return the figures that a command job's program told in its `metrics.json`; none where it told none."""
    try:
        content = json.loads((run.output / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return _flat(content) if isinstance(content, dict) else {}


def differing_keys(facts: Sequence[RunFacts]) -> list[str]:
    """Return the dotted config keys whose values are not the same in all runs."""
    configs = [_flat(one.config) for one in facts]
    keys = dict.fromkeys(key for config in configs for key in config)
    different = [
        key
        for key in keys
        if key not in NOT_OF_INTEREST and len({repr(config.get(key)) for config in configs}) > 1
    ]
    # what was varied on purpose first, the machine's share after it
    return sorted(different, key=lambda key: key.startswith(("resources.", "cluster", "launch")))


def _flat(content: Any, at: str = "") -> dict[str, Any]:
    if not isinstance(content, dict):
        return {at: content}
    return {
        key: value
        for name, entry in content.items()
        for key, value in _flat(entry, f"{at}.{name}" if at else str(name)).items()
    }


def _compared(facts: RunFacts, metric: str, keys: Sequence[str], own: dict[str, Any]) -> Compared:
    config, figures = _flat(facts.config), progress(facts)
    rows = [row for row in facts.rows if row.get("phase", "train") == "train"]
    points = [
        (float(row["step"]), value)
        for row in rows
        if (value := number(row.get(metric))) is not None
    ]
    values = [value for _, value in points]
    told = number(own.get(metric))
    if not values and told is not None:
        values = [told]
    tail = values[-max(1, round(len(values) * LAST_SHARE)) :]
    headline = facts.evaluation.headline() if facts.evaluation else None
    return Compared(
        name=facts.name,
        state=standing(facts, "").word,
        asked={key: config.get(key) for key in keys},
        points=points,
        last=sum(tail) / len(tail) if tail else None,
        best=min(values, default=None),
        skill=headline.skill if headline else None,
        tokens_per_s=figures.throughput,
        seconds=figures.seconds,
    )
