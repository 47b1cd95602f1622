"""How numbers are spread: a histogram, evenly or by logarithm."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from forgia_hpc.report.figures import significant
from forgia_hpc.report.markup import Safe, join, tag
from forgia_hpc.report.svg import Frame, panel

MOST_BINS = 36
WIDE = 30.0  # largest over smallest: from here on by logarithm


def histogram(title: str, values: Sequence[float], unit: str = "", *remarks: object) -> Safe | None:
    """Return the panel of a quantity over members; None where there are fewer than two different ones."""
    if len(set(values)) < 2:
        return None
    edges, log = bins(values)
    heights = filled(values, edges, log=log)
    frame = Frame((edges[0], edges[-1]), (0.0, max(heights) * 1.08), log_x=log)
    frame.y_axis()
    frame.x_axis(unit or "value")
    base = frame.y(0.0)
    bars = "".join(
        f"M{frame.x(left):.1f} {base:.1f}V{frame.y(height):.1f}H{frame.x(right):.1f}V{base:.1f}Z"
        for left, right, height in zip(edges, edges[1:], heights, strict=False)
        if height
    )
    frame.pieces.append(tag("path", d=bars, class_="bars"))
    middle = sorted(values)[len(values) // 2]
    frame.rule(frame.x(middle), frame.top - 4, frame.x(middle), base, "mark")
    ending = f"median {significant(middle)} {unit}".rstrip()
    says = (
        f"{title}: {len(values)} members, {significant(min(values))} to {significant(max(values))} "
        f"{unit}, {ending}."
    )
    return panel(frame.draw(says), join(title, " ", tag("span", ending, class_="ending")), *remarks)


def bins(values: Sequence[float]) -> tuple[list[float], bool]:
    """Return the edges of the bins, and whether they are even by logarithm."""
    low, high = min(values), max(values)
    log = low > 0 and high / low > WIDE
    many = max(5, min(MOST_BINS, math.ceil(2 * len(values) ** 0.5)))
    if log:
        first, last = math.log10(low), math.log10(high)
        edges = [10 ** (first + (last - first) * at / many) for at in range(many + 1)]
    else:
        edges = [low + (high - low) * at / many for at in range(many + 1)]
    return edges, log


def filled(values: Sequence[float], edges: Sequence[float], *, log: bool) -> list[int]:
    """Return how many values lie in each bin; the last bin has its upper edge."""
    of = math.log10 if log else float
    low, high, many = of(edges[0]), of(edges[-1]), len(edges) - 1
    found = Counter(min(int((of(v) - low) / (high - low) * many), many - 1) for v in values)
    return [found[at] for at in range(many)]
