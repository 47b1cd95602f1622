"""Examples of an evaluation of fields: truth and forecast of a few steps, and the error over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from forgia_hpc.report.figures import number
from forgia_hpc.report.pictures import Rows

MOST_CELLS = 96 * 96 * 12  # of one row of pictures: a longer one is no example of ours


@dataclass(frozen=True)
class Sides:
    """One window of a trajectory that was rolled out: one channel at a few steps. Pictures: from the top down."""

    contribution: str
    split: str
    member: str
    channel: str
    ucum: str
    ahead: list[int]
    truth: list[Rows]
    model: list[Rows]
    curve: dict[str, list[float]]  # method → VRMSE of every step
    worst: bool


def sides_of(row: dict[str, Any]) -> Sides:
    """Return an example of evaluation.json.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    found = Sides(
        str(row["contribution"]),
        str(row["split"]),
        str(row["member"]),
        str(row["channel"]),
        str(row.get("unit") or ""),
        [int(at) for at in row["ahead"]],
        [_picture(one) for one in row["truth"]],
        [_picture(one) for one in row["model"]],
        {str(name): [float(value) for value in line] for name, line in row["curve"].items()},
        bool(row.get("worst")),
    )
    sizes = {(len(one), len(line)) for one in [*found.truth, *found.model] for line in one}
    if len(sizes) != 1 or not len(found.ahead) == len(found.truth) == len(found.model) > 0:
        raise ValueError(row["member"])
    rows, columns = next(iter(sizes))
    if rows * columns * len(found.ahead) > MOST_CELLS:
        raise ValueError(row["member"])
    return found


def _picture(rows: Any) -> Rows:
    """Return a plane as a picture: its first axis grows upwards."""
    return [[number(value) for value in row] for row in reversed(rows)]
