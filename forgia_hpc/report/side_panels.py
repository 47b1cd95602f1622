"""A surrogate beside its solver: truth, forecast and error as pictures, and the error over the steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from forgia_hpc.report.facts import RunFacts
from forgia_hpc.report.figures import significant, unit, words
from forgia_hpc.report.film_strips import place_of, scale_bar
from forgia_hpc.report.markup import Safe, join, tag
from forgia_hpc.report.pictures import BOTH, EMBER, Colour, Rows, beside, data_url, shades
from forgia_hpc.report.sections import more_of, section
from forgia_hpc.report.sides import Sides
from forgia_hpc.report.svg import Frame, padded, panel

MOST_SIDES = 6
LINES = {"model": "accent", "persistence": "naive", "linear": "context"}


def sides_section(facts: RunFacts) -> Safe | None:
    """Return a surrogate beside its solver."""
    examples = facts.evaluation.sides if facts.evaluation else []
    if not examples:
        return None
    hint = "Windows of the judged splits: the worst one of each, and some others. Error: model less solver."
    drawn = [tag("div", sides_panel(one), class_="pair") for one in examples[:MOST_SIDES]]
    more = more_of(len(examples) - MOST_SIDES, "windows")
    return section("sides", "Model beside solver", hint, *drawn, more)


def sides_panel(one: Sides) -> Safe:
    """Return the pictures of one example, and its error over the steps."""
    seen = _values(one.truth)
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    off = [
        [_difference(a, b) for a, b in zip(model, truth, strict=True)]
        for model, truth in zip(one.model, one.truth, strict=True)
    ]
    most = max(map(abs, _values(off)), default=0.0) or 1.0
    state = " · the worst window" if one.worst else ""
    title = join(
        f"{words(one.channel)} ",
        tag("span", f"{one.member} · {words(one.split)}{state}", class_="unit"),
    )
    heads = [tag("span", f"{at} step{'s' * (at != 1)}") for at in one.ahead]
    grid = tag(
        "div",
        tag("span"),
        *heads,
        _row("solver", one.truth, (low, high), EMBER),
        _row("model", one.model, (low, high), EMBER),
        _row("error", off, (-most, most), BOTH),
        class_="sides",
        style=f"--frames:{len(one.ahead)}",
    )
    bars = join(
        scale_bar(low, high, unit(one.ucum), EMBER), scale_bar(-most, most, unit(one.ucum), BOTH)
    )
    return join(tag("figure", tag("figcaption", tag("h3", title)), grid, bars), _curves(one))


def _values(pictures: Sequence[Rows]) -> list[float]:
    return [value for rows in pictures for row in rows for value in row if value is not None]


def _difference(model: Sequence[float | None], truth: Sequence[float | None]) -> list[float | None]:
    pairs = zip(model, truth, strict=True)
    return [None if a is None or b is None else a - b for a, b in pairs]


def _row(
    name: str, pictures: Sequence[Rows], scale: tuple[float, float], colours: Sequence[Colour]
) -> Safe:
    """Return a row of pictures, all cut out of one."""
    whole = beside([shades(rows, *scale) for rows in pictures])
    height, width = len(pictures[0]), len(pictures[0][0])
    style = f"--film:url({data_url(whole, colours)});--shape:{width}/{max(height, width / 8):g}"
    count = len(pictures)
    frames = [
        tag(
            "div",
            class_="frame",
            role="img",
            aria_label=f"{name}, picture {at + 1} of {count}",
            style=f"--at:{place_of(at, count)}",
        )
        for at in range(count)
    ]
    return tag("div", tag("span", name, class_="row"), *frames, class_="one-row", style=style)


def _curves(one: Sides) -> Safe | None:
    """Return the error over the steps, of the model and of what it must beat."""
    lines = {name: _known(line) for name, line in one.curve.items() if name in LINES}
    values = [value for line in lines.values() for _, value in line]
    steps = max((len(line) for line in lines.values()), default=0)
    if steps < 2:
        return None
    log = min(values) > 0 and max(values) / min(values) > 30
    limits = (min(values) * 0.85, max(values) * 1.15) if log else padded([0.0, *values])
    frame = Frame((1.0, float(steps)), (max(limits[0], 0.0), limits[1]), log=log)
    frame.y_axis()
    frame.x_axis("steps ahead")
    for name, line in reversed(lines.items()):
        frame.line(line, LINES[name])
    ends = {name: significant(line[-1][1]) for name, line in lines.items() if line}
    says = f"VRMSE over {steps} steps: " + ", ".join(f"{name} {end}" for name, end in ends.items())
    key = [tag("li", tag("span", class_=f"stroke {LINES[name]}"), name) for name in lines]
    heading = join("VRMSE ", tag("span", ends.get("model", ""), class_="ending"))
    return panel(join(frame.draw(f"{says}."), tag("ul", *key, class_="key")), heading)


def _known(line: Sequence[float]) -> list[tuple[float, float]]:
    return [(at + 1.0, value) for at, value in enumerate(line) if math.isfinite(value)]
