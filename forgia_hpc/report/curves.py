"""How a training went: one panel a quantity over the steps, and where the time of a step goes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from statistics import fmean

from forgia_hpc.report.figures import duration, percent, si, significant, words
from forgia_hpc.report.markup import Safe, join, tag
from forgia_hpc.report.progress import Points, Progress
from forgia_hpc.report.svg import Frame, padded, panel

MOST_POINTS = 320  # more than a panel has pixels to show


def envelope(points: Points, most: int = MOST_POINTS) -> Points:
    """Thin a line out without losing its spikes: the least and the largest of each bucket."""
    if len(points) <= most:
        return points
    width = 2 * len(points) / most
    kept: Points = []
    for index in range(most // 2):
        bucket = points[round(index * width) : round((index + 1) * width)]
        if bucket:
            low, high = min(bucket, key=_value), max(bucket, key=_value)
            kept += sorted({low, high})
    return kept


def moving_mean(points: Points, window: int) -> Points:
    """Return the mean of about `window` points around each point; at the ends of those there are."""
    sums = [0.0, *itertools.accumulate(map(_value, points))]
    half = window // 2
    means = []
    for index, (step, _) in enumerate(points):
        first, last = max(index - half, 0), min(index + half + 1, len(points))
        means.append((step, (sums[last] - sums[first]) / (last - first)))
    return means


def smoothing(points: Points) -> int:
    """Return over how many points a curve of so many is smoothed."""
    return len(points) // 25 | 1  # odd: as many before as after


def _value(point: tuple[float, float]) -> float:
    return point[1]


def curve(
    title: str,
    points: Points,
    *,
    unit: str = "",
    smooth: bool = True,
    resumed: float | None = None,
    label: Callable[[float], str] | None = None,
) -> Safe | None:
    """Return the panel of one quantity over the steps; None where there are fewer than two points."""
    if len(points) < 2:
        return None
    window = smoothing(points) if smooth else 1
    say = label or significant
    mean = moving_mean(points, window)
    values = [value for _, value in points]
    frame = _frame(points, values, smooth=smooth)
    frame.y_axis(label)
    frame.x_axis("step")
    if resumed is not None and points[0][0] < resumed < points[-1][0]:
        at = frame.x(resumed)
        frame.rule(at, frame.top, at, frame.height - frame.bottom, "mark")
        frame.text(at, frame.top - 5, "resumed", anchor="middle")
    if window > 1:
        frame.line(envelope(points), "faint")
    frame.line(envelope(mean), "accent")
    step, value = mean[-1]
    ending = f"{say(value)} {unit}".rstrip()
    frame.pieces.append(
        tag("circle", cx=f"{frame.x(step):.1f}", cy=f"{frame.y(value):.1f}", r="3.5", class_="dot")
    )
    says = f"{title}: {say(mean[0][1])} at step {mean[0][0]:g}, {ending} at step {step:g}."
    heading = join(title, " ", tag("span", ending, class_="ending"))
    return panel(frame.draw(says), heading)


def _frame(points: Points, values: list[float], *, smooth: bool) -> Frame:
    low, high = min(values), max(values)
    log = smooth and low > 0 and high / low > 30
    limits = (low * 0.85, high * 1.15) if log else padded(values)
    if not log and low >= 0:  # nothing here goes below zero: the air must not either
        limits = (max(limits[0], 0.0), limits[1])
    return Frame((points[0][0], points[-1][0]), limits, log=log)


def curves(figures: Progress) -> list[Safe]:
    """Return the panels of loss, learning rate, gradient norm and throughput that can be drawn."""
    resumed = figures.resumed_from
    drawn = [
        curve("Loss", figures.loss, resumed=resumed),
        curve("Learning rate", figures.learning_rate, smooth=False, resumed=resumed),
        curve("Gradient norm", figures.grad_norm, resumed=resumed),
        curve("Throughput", figures.tokens_per_s, unit="tokens/s", resumed=resumed, label=si),
    ]
    return [one for one in drawn if one is not None]


def time_bar(parts: dict[str, float], logged: int) -> Safe | None:
    """Return the mean step as one bar: data, compute, save, other."""
    whole = sum(parts.values())
    if whole <= 0:
        return None
    shares = {part: seconds / whole for part, seconds in parts.items()}
    bar = [
        tag("span", class_=f"part {part}", style=f"flex-grow:{max(share, 0.004):.4f}")
        for part, share in shares.items()
    ]
    key = [
        tag(
            "li",
            tag("span", class_=f"swatch {part}"),
            f"{words(part)} ",
            tag("b", percent(share)),
            f" · {duration(parts[part])}",
        )
        for part, share in shares.items()
    ]
    says = "Mean step: " + ", ".join(f"{part} {percent(share)}" for part, share in shares.items())
    return tag(
        "div",
        tag("h3", "Where the time of a step goes"),
        tag("p", f"mean of {logged} logged steps, {duration(whole)} each", class_="hint"),
        tag("div", *bar, class_="bar", role="img", aria_label=says),
        tag("ul", *key, class_="key"),
        class_="timing",
    )


def spark(values: Sequence[float], cells: int = 40, *, largest: bool = False) -> str:
    """Return a line of block characters, each the mean (or the largest) of its share of the values."""
    if not values:
        return ""
    cells = min(cells, len(values))
    of = max if largest else fmean
    means = [
        of(values[index * len(values) // cells : (index + 1) * len(values) // cells])
        for index in range(cells)
    ]
    low, high = min(means), max(means)
    if high == low:
        return "▄" * cells
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (mean - low) / (high - low))] for mean in means)
