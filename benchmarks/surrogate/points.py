"""Ways to the last step, each with its time and its errors; and what one takes at another's error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from meshes import Asked, Frames

from forgia_hpc.evaluate.field_metrics import rmse, vrmse


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member by one way: CPU seconds, and VRMSE at the last step, channel by channel."""

    seconds: float
    vrmse: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One way to the last step: CPU seconds a member, and errors against the truth; means over the members."""

    name: str
    seconds: float
    vrmse: dict[str, float]  # channel → at the last step
    rmse: dict[str, float]  # in the channel's unit
    over_all: dict[str, float]  # channel → VRMSE, mean over all steps
    members: list[Member]


def point(
    given: Asked, name: str, seconds: Sequence[float], pairs: tuple[list[Frames], list[Frames]]
) -> Point:
    """Return a way's time and errors, and say them; seconds and (frames, truth) of each member."""
    inside, names = np.ones(given.shape, np.bool_), given.channels
    off = np.array([vrmse(truth, one, inside) for one, truth in zip(*pairs, strict=True)])
    wrong = np.mean([rmse(truth, one, inside) for one, truth in zip(*pairs, strict=True)], 0)
    found = Point(
        name=name,
        seconds=float(np.mean(seconds)),
        vrmse=dict(zip(names, off[:, -1].mean(0).tolist(), strict=True)),
        rmse=dict(zip(names, wrong[-1].tolist(), strict=True)),
        over_all=dict(zip(names, off.mean((0, 1)).tolist(), strict=True)),
        members=[
            Member(seconds=float(took), vrmse=dict(zip(names, last, strict=True)))
            for took, last in zip(seconds, off[:, -1].tolist(), strict=True)
        ],
    )
    errors = ", ".join(f"{key} {one:.4f}" for key, one in found.vrmse.items())
    sys.stdout.write(f"{name}: {found.seconds:.4f} s, VRMSE {errors}\n")
    sys.stdout.flush()
    return found


def equal(solver: Sequence[Point | Member], error: float, channel: str) -> tuple[float, str]:
    """Return the seconds at which the solver's lower envelope has an error, and whether that is a bound."""
    curve: list[tuple[float, float]] = []  # error falls, time rises
    for one in sorted(solver, key=lambda one: one.seconds):
        if not curve or one.vrmse[channel] < curve[-1][0]:
            curve.append((one.vrmse[channel], one.seconds))
    errors, seconds = np.log([one[0] for one in curve]), np.log([one[1] for one in curve])
    if np.log(error) >= errors[0]:
        return float(np.exp(seconds[0])), "at most: the fastest mesh errs less"
    if np.log(error) < errors[-1]:
        return float(np.exp(seconds[-1])), "at least: no mesh errs so little"
    return float(np.exp(np.interp(-np.log(error), -errors, seconds))), ""


def compared(solver: Sequence[Point], models: Sequence[Point]) -> list[dict[str, Any]]:
    """Return, of each model point and channel, the solver's time at the same error over the model's.

    Once for the means over the members, and once for each member beside its own curve.
    """
    rows = []
    for one in models:
        for channel, error in one.vrmse.items():
            seconds, bound = equal(solver, error, channel)
            rows.append(
                {
                    "model": one.name,
                    "channel": channel,
                    "vrmse": error,
                    "model_s": one.seconds,
                    "solver_s": seconds,
                    "faster": seconds / one.seconds,
                    "bound": bound,
                    "spread": _spread(solver, one, channel),
                }
            )
    return rows


def _spread(solver: Sequence[Point], model: Point, channel: str) -> dict[str, Any]:
    """Return lowest, median and highest over the members, and how many of the ratios are bounds."""
    found, bounds = [], 0
    for row, mine in enumerate(model.members):
        seconds, bound = equal([one.members[row] for one in solver], mine.vrmse[channel], channel)
        found.append(seconds / mine.seconds)
        bounds += bool(bound)
    errors = [mine.vrmse[channel] for mine in model.members]
    return {
        "faster": found,
        "faster_of": _of(found),
        "vrmse": errors,
        "vrmse_of": _of(errors),
        "bounds": bounds,
    }


def _of(numbers: Sequence[float]) -> dict[str, float]:
    return {
        "lowest": float(min(numbers)),
        "median": float(np.median(numbers)),
        "highest": float(max(numbers)),
    }
