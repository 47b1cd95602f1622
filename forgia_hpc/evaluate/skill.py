"""Many windows → the rows of the report: mean scores, and skill against the seasonal naive forecast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from forgia_hpc.evaluate.metrics import Array, Figures

REFERENCE = "seasonal_naive"
METRICS = ("sql", "mase")
RESAMPLES = 1000
CLIP = (0.01, 100.0)  # of a ratio, so that one odd set cannot decide a geometric mean; as in fev

Task = tuple[str, str]  # contribution, split


@dataclass(frozen=True)
class Judged:
    """The figures of one window, per method."""

    contribution: str
    split: str
    window: int
    series: tuple[str, ...]  # names of the series in it: asset/channel
    figures: Mapping[str, Figures]

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can carry to another rank; floats survive to the last bit."""
        return asdict(self)

    @staticmethod
    def from_json(content: dict[str, Any]) -> Judged:
        """Return what as_json gave away."""
        measured = {method: Figures(**found) for method, found in content["figures"].items()}
        return Judged(**{**content, "series": tuple(content["series"]), "figures": measured})


def score_rows(windows: Sequence[Judged], coverage: Sequence[float]) -> list[dict[str, object]]:
    """Return one row a contribution, split and method."""
    rows = []
    for (contribution, split), found in _by_task(windows).items():
        names = {name for window in found for name in window.series}
        for method in _methods(found):
            all_of = [window.figures[method] for window in found]
            rows.append(
                {
                    "contribution": contribution,
                    "split": split,
                    "method": method,
                    "windows": len(found),
                    "series": len(names),
                    **_means(all_of, coverage),
                }
            )
    return rows


def skill_rows(windows: Sequence[Judged]) -> list[dict[str, object]]:
    """Return skill = 1 - geometric mean of the ratios to the seasonal naive forecast, over several cuts.

    low and high are the 2.5 and 97.5 percentiles of 1000 resamples of the windows within each contribution
    and split (percentile bootstrap, Efron & Tibshirani 1993), drawn with a fixed seed.
    """
    tasks = _by_task(windows)
    rows = []
    for contribution, split in _cuts(tasks):
        chosen = [
            found
            for (name, part), found in tasks.items()
            if contribution in ("all", name) and split in ("all", part)
        ]
        for method in [name for name in _methods(windows) if name != REFERENCE]:
            for metric in METRICS:
                row = _skill(chosen, method, metric)
                if row:
                    rows.append(
                        {
                            "contribution": contribution,
                            "split": split,
                            "method": method,
                            "against": REFERENCE,
                            "metric": metric,
                            **row,
                        }
                    )
    return rows


def _skill(tasks: list[list[Judged]], method: str, metric: str) -> dict[str, float] | None:
    random = np.random.default_rng(0)
    point, drawn = [], []
    for windows in tasks:
        both = [window for window in windows if method in window.figures]
        ours, reference = (
            np.array([getattr(window.figures[name], metric) for window in both])
            for name in (method, REFERENCE)
        )
        if reference.sum() <= 0:
            continue  # nothing here could be scored; the notes say so
        pick = random.integers(0, len(both), (RESAMPLES, len(both)))
        point.append(_log_ratio(ours.sum(), reference.sum()))
        drawn.append(_log_ratio(ours[pick].sum(axis=1), reference[pick].sum(axis=1)))
    if not point:
        return None
    skill = 1 - np.exp(np.mean(point))
    low, high = np.percentile(1 - np.exp(np.mean(drawn, axis=0)), [2.5, 97.5])
    return {"skill": float(skill), "low": float(low), "high": float(high)}


def _log_ratio(ours: Array | float, reference: Array | float) -> Array:
    """Return log(ours / reference), clipped; both have the same number of series, so sums are as good as means."""
    tiny = np.finfo(np.float64).tiny
    ratio = np.asarray(ours) / np.maximum(np.asarray(reference), tiny)
    clipped: Array = np.log(np.clip(ratio, *CLIP))
    return clipped


def _means(found: list[Figures], coverage: Sequence[float]) -> dict[str, object]:
    scored, measured = sum(one.scored for one in found), sum(one.measured for one in found)
    size = sum(one.size for one in found)
    levels = {f"{level:g}" for level in coverage}
    return {
        "sql": sum(one.sql for one in found) / scored if scored else None,
        "mase": sum(one.mase for one in found) / scored if scored else None,
        "wql": sum(one.loss for one in found) / size if size else None,
        "coverage": {
            level: sum(one.inside[level] for one in found) / measured if measured else None
            for level in sorted(levels)
            if all(level in one.inside for one in found)
        },
    }


def _by_task(windows: Iterable[Judged]) -> dict[Task, list[Judged]]:
    tasks: dict[Task, list[Judged]] = {}
    for window in sorted(windows, key=lambda one: (one.contribution, one.split, one.window)):
        tasks.setdefault((window.contribution, window.split), []).append(window)
    return tasks


def _cuts(tasks: Iterable[Task]) -> list[Task]:
    names = sorted({name for name, _ in tasks})
    splits = sorted({split for _, split in tasks})
    return [(name, split) for name in ("all", *names) for split in ("all", *splits)]


def _methods(windows: Sequence[Judged]) -> list[str]:
    """Return the methods in the order in which they were first met."""
    return list(dict.fromkeys(name for window in windows for name in window.figures))
