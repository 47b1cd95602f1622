"""Many windows → the rows of the report: mean scores, and skill against the seasonal naive forecast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from forgia_hpc.evaluate.metrics import Array, Figures

REFERENCE = "seasonal_naive"
METRICS = ("sql", "mase")
RESAMPLES = 1000
FEWEST = 3  # that were drawn apart: resamples of fewer say nothing of the next one
CLIP = (0.01, 100.0)  # of a ratio, so that one odd set cannot decide a geometric mean; as in fev

Task = tuple[str, str]  # contribution, split


class Window(Protocol):
    """A judged window: the figures of each method, whatever they are."""

    @property
    def figures(self) -> Mapping[str, Any]:
        """Method → figures."""


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
    return skill_of(_by_task(windows), METRICS, REFERENCE, getattr)


def skill_of(
    tasks: Mapping[Task, Sequence[Window]],
    metrics: Sequence[str],
    reference: str,
    measure: Callable[[Any, str], float],
    apart: Callable[[Any], object] | None = None,
) -> list[dict[str, object]]:
    """Return the rows of `skill_rows` for windows of any kind; measure(figures, metric) gives a number.

    apart(window) names what windows may share, a trajectory: where a part of the data has fewer than three, low
    and high are None, and `series` says how many there are.
    """
    rows: list[dict[str, object]] = []
    methods = list(
        dict.fromkeys(name for some in tasks.values() for one in some for name in one.figures)
    )
    for contribution, split in _cuts(tasks):
        chosen = [
            found
            for (name, part), found in tasks.items()
            if contribution in ("all", name) and split in ("all", part)
        ]
        drawn = [len({apart(one) for one in found}) for found in chosen] if apart else []
        for method in [name for name in methods if name != reference]:
            for metric in metrics:
                pairs = [_pairs(found, (method, reference), metric, measure) for found in chosen]
                if row := _skill(pairs):
                    rows.append(
                        {
                            "contribution": contribution,
                            "split": split,
                            "method": method,
                            "against": reference,
                            "metric": metric,
                            **_with_series(row, drawn),
                        }
                    )
    return rows


def _with_series(row: Mapping[str, float], drawn: Sequence[int]) -> dict[str, float | None]:
    """Return a skill with how many were drawn apart, and without its interval where they are too few."""
    if not drawn:
        return dict(row)
    found: dict[str, float | None] = {**row, "series": sum(drawn)}
    return found | {"low": None, "high": None} if min(drawn) < FEWEST else found


def _pairs(
    windows: Sequence[Window],
    methods: tuple[str, str],
    metric: str,
    measure: Callable[[Any, str], float],
) -> tuple[Array, Array]:
    """Return a metric of both methods, of the windows that both have."""
    both = [window for window in windows if methods[0] in window.figures]
    ours, reference = (
        np.array([measure(window.figures[name], metric) for window in both]) for name in methods
    )
    return ours, reference


def _skill(tasks: list[tuple[Array, Array]]) -> dict[str, float] | None:
    random = np.random.default_rng(0)
    point, drawn = [], []
    for ours, reference in tasks:
        if reference.sum() <= 0:
            continue  # nothing here could be scored; the notes say so
        pick = random.integers(0, len(ours), (RESAMPLES, len(ours)))
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
