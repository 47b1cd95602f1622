"""Many rolled-out windows → the rows of the report: scores, skill against persistence, worst, cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from forgia_hpc.evaluate.field_metrics import BANDS
from forgia_hpc.evaluate.rollout import Rolled

REFERENCE = "persistence"
WORST = 5
ORDER = 2  # of the reference solver's error in the width of a cell
COARSEST = 2  # cells an axis: with fewer there is no mesh left whose error could be foretold
Rows = list[dict[str, Any]]


def score_rows(windows: Sequence[Rolled], horizons: Sequence[int]) -> Rows:
    """Return one row a contribution, split and method: means over the windows at each horizon."""
    rows = []
    for (contribution, split), some in by_task(windows).items():
        for method in some[0].figures:
            means = _means([one.figures[method] for one in some])
            rows.append(
                {
                    "contribution": contribution,
                    "split": split,
                    "method": method,
                    "windows": len(some),
                    "series": len({one.member for one in some}),
                    "vrmse": {str(at): means[f"vrmse_{at}"] for at in horizons},
                    "drift": {str(at): means[f"drift_{at}"] for at in horizons},
                    "bands": {
                        str(at): [means.get(f"{band}_{at}") for band in BANDS] for at in horizons
                    },
                    "curve": np.mean([one.curve[method] for one in some], axis=0).tolist(),
                }
            )
    return rows


def worst_rows(windows: Sequence[Rolled], metric: str) -> Rows:
    """Return the trajectories that the model does worst on, by the mean over their windows."""
    found: dict[tuple[str, str, str], list[Rolled]] = {}
    for one in windows:
        found.setdefault((one.contribution, one.split, one.member), []).append(one)
    rows: Rows = [
        {
            "contribution": contribution,
            "split": split,
            "member": member,
            "windows": len(some),
            **_means([one.figures["model"] for one in some]),
        }
        for (contribution, split, member), some in found.items()
    ]
    return sorted(rows, key=lambda row: -row[metric])[:WORST]


def looked_at(frames: Sequence[dict[str, Any]], most: int) -> Rows:
    """Return the examples that are kept, a contribution and split: the worst one, and `most` others."""
    tasks: dict[tuple[str, str], Rows] = {}
    for one in frames:
        tasks.setdefault((one["contribution"], one["split"]), []).append(one)
    kept: Rows = []
    for some in tasks.values():
        worst = max(some, key=lambda one: float(np.mean(one["curve"]["model"])))
        rest = [one for one in some if one["member"] != worst["member"]]
        count = min(most, len(rest))
        others = [rest[(2 * at + 1) * len(rest) // (2 * count)] for at in range(count)]
        kept += [{**worst, "worst": True}, *({**one, "worst": False} for one in others)]
    return kept


def cost(
    windows: Sequence[Rolled],
    solver: Mapping[str, float],
    noise: Sequence[float],
    grid: Sequence[int],
) -> dict[str, Any]:
    """Return seconds a step of model and solver, and what the solver would take at the model's error.

    solver: member → seconds a step of the model; empty where nobody noted them. noise: RMS error of the solver
    a channel. grid: cells an axis. The estimate: the error falls with the cell's width squared, the time of an
    explicit step with its power of axes + 2; no mesh is coarser than COARSEST cells an axis.
    """
    model = float(np.median([one.seconds for one in windows]))
    members = {one.member for one in windows}
    theirs = [seconds for member, seconds in solver.items() if member in members]
    found: dict[str, Any] = {"model_s": model, "solver_s": None, "faster": None, "equal": None}
    if not theirs:
        return found
    whole = float(np.median(theirs))
    found |= {"solver_s": whole, "faster": whole / model}
    if (ratio := _error_ratio(windows, noise)) is not None:
        wider, widest = ratio ** (1 / ORDER), max(1.0, min(grid) / COARSEST)
        coarse = whole * min(wider, widest) ** -(len(grid) + 2)
        found["equal"] = {
            "error_ratio": ratio,
            "solver_s": coarse,
            "faster": coarse / model,
            "coarsest": wider > widest,
        }
    return found


def _error_ratio(windows: Sequence[Rolled], noise: Sequence[float]) -> float | None:
    """Return the model's error over the solver's, the worst channel; None where it can't be had.

    A channel in which refinement changed nothing (a phase that never forms) has no error to compare with.
    """
    error = np.mean([one.errors for one in windows], axis=0)
    ratios = [mine / theirs for mine, theirs in zip(error, noise, strict=False) if theirs > 0]
    worst = max(ratios, default=0.0)
    return float(worst) if 0 < worst < np.inf else None


def notes_on(windows: Sequence[Rolled], wished: Sequence[int], found: Sequence[int]) -> list[str]:
    """Return what a reader must know."""
    said = []
    if lost := [at for at in wished if at not in found]:
        many = ", ".join(str(at) for at in lost)
        said.append(
            f"No rollout of {many} steps: the trajectories are too short; {found[-1]} is the longest."
        )
    at = max(found)
    lost_to = [
        one
        for one in windows
        if one.figures["model"][f"vrmse_{at}"] > one.figures[REFERENCE][f"vrmse_{at}"]
    ]
    if lost_to:
        said.append(
            f"In {len(lost_to)} of {len(windows)} windows the model is worse than persistence after {at} steps."
        )
    return said


def by_task(windows: Iterable[Rolled]) -> dict[tuple[str, str], list[Rolled]]:
    """Return the windows of each contribution and split, in their order."""
    tasks: dict[tuple[str, str], list[Rolled]] = {}
    for one in sorted(windows, key=lambda one: (one.contribution, one.split, one.window)):
        tasks.setdefault((one.contribution, one.split), []).append(one)
    return tasks


def _means(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each figure over those that have it."""
    names = dict.fromkeys(name for one in figures for name in one)
    return {name: float(np.mean([one[name] for one in figures if name in one])) for name in names}
