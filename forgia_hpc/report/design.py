"""The design of an ensemble: every pair of inputs against each other, coloured by what became of the members."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from forgia_hpc.report.campaign import Campaign, Input, MemberFacts
from forgia_hpc.report.figures import count, significant, unit, words
from forgia_hpc.report.markup import Safe, join, tag
from forgia_hpc.report.svg import Frame, Scale, log_ticks, nice_ticks, padded, panel, tick_labels

MOST_INPUTS = 6  # more pairs than 15 nobody reads
MOST_POINTS = {"admitted": 500, "rejected": 200, "poison": 200, "": 200}  # in one plot
MARKS = {  # drawn with one path a plot: a dot, a cross, a square, a ring's stand-in
    "admitted": "M{x:.1f} {y:.1f}l0 0",
    "rejected": "M{x0:.1f} {y0:.1f}l6 6m0-6l-6 6",
    "poison": "M{x0:.1f} {y0:.1f}h6v6h-6z",
    "": "M{x:.1f} {y:.1f}l0 0",
}
SAID = {"admitted": "admitted", "rejected": "rejected", "poison": "poison", "": "not settled"}
CELL, GAP, LEFT, BOTTOM = 150.0, 14.0, 64.0, 46.0


def shown_inputs(campaign: Campaign) -> list[Input]:
    """Return the inputs that are drawn."""
    return [one for one in campaign.inputs if one.varies][:MOST_INPUTS]


def design_panels(campaign: Campaign) -> Safe | None:
    """Return the plots; None where no input varies."""
    inputs = shown_inputs(campaign)
    groups = {word: thinned(campaign.ended(word), MOST_POINTS[word]) for word in MARKS}
    if not inputs:
        return None
    if len(inputs) == 1:
        return _against_seconds(inputs[0], groups)
    plots = len(inputs) - 1
    side = plots * (CELL + GAP)
    pieces = []
    for row, column in itertools.product(range(plots), repeat=2):
        if column <= row:
            pieces += _plot(inputs[column], inputs[row + 1], groups, (row, column, plots))
    names = ", ".join(one.name for one in inputs)
    drawing = tag(
        "svg",
        *pieces,
        viewBox=f"0 0 {LEFT + side:g} {side + BOTTOM:g}",
        role="img",
        aria_label=f"Members by {names}, each against each.",
        style=f"max-width:{1.15 * (LEFT + side):.0f}px",
    )
    return tag("figure", drawing)


def design_key(campaign: Campaign) -> Safe:
    """Return what the marks mean, with how many there are."""
    there = {word: len(campaign.ended(word)) for word in MARKS}
    items = [
        tag(
            "li",
            tag(
                "svg",
                tag("path", d=_mark(word, 7, 7), class_=f"marks {word or 'open'}"),
                viewBox="0 0 14 14",
                class_="mark-key",
                role="img",
                aria_label=SAID[word],
            ),
            f"{SAID[word]} ",
            tag("b", count(many)),
        )
        for word, many in there.items()
        if many
    ]
    return tag("ul", *items, class_="key")


def thinned(members: Sequence[MemberFacts], most: int) -> Sequence[MemberFacts]:
    """Return at most `most` of them, evenly spaced."""
    if len(members) <= most:
        return members
    return [members[at * len(members) // most] for at in range(most)]


def _scale(one: Input, start: float, stop: float) -> Scale:
    low, high = min(one.values), max(one.values)
    if one.log:
        air = (high / low) ** 0.05
        return Scale(low / air, high * air, start, stop, log=True)
    return Scale(*padded((low, high), 0.05), start, stop)


def _plot(
    across: Input,
    up: Input,
    groups: dict[str, Sequence[MemberFacts]],
    at: tuple[int, int, int],
) -> list[Safe]:
    row, column, plots = at
    left, top = LEFT + column * (CELL + GAP), row * (CELL + GAP)
    x, y = _scale(across, left, left + CELL), _scale(up, top + CELL, top)
    pieces = [_box(left, top)]
    if row == plots - 1:
        pieces += _ticks_below(across, x, top + CELL)
    if column == 0:
        pieces += _ticks_left(up, y)
    for word, members in groups.items():
        spots = [(x(across.values[one.number]), y(up.values[one.number])) for one in members]
        pieces += _marks(word, spots)
    return pieces


def _box(left: float, top: float) -> Safe:
    return tag(
        "rect", x=f"{left:g}", y=f"{top:g}", width=f"{CELL:g}", height=f"{CELL:g}", class_="frame"
    )


def _marks(word: str, spots: Sequence[tuple[float, float]]) -> list[Safe]:
    if not spots:
        return []
    drawn = "".join(_mark(word, *spot) for spot in spots)
    return [tag("path", d=drawn, class_=f"marks {word or 'open'}")]


def _mark(word: str, x: float, y: float) -> str:
    return MARKS[word].format(x=x, y=y, x0=x - 3, y0=y - 3)


def _named(one: Input) -> str:
    return " ".join(
        filter(None, (words(one.name), f"({unit(one.ucum)})" if unit(one.ucum) else ""))
    )


def ticks_of(scale: Scale) -> list[tuple[float, str]]:
    """Return where an axis has marks, and their words."""
    if scale.log:
        ticks = log_ticks(scale.low, scale.high)
        if ticks:
            ticks = ticks[:: -(-len(ticks) // 5)]
            return [(scale(value), significant(value, 1)) for value in ticks]
    ticks = nice_ticks(scale.low, scale.high, 4)
    return [(scale(v), name) for v, name in zip(ticks, tick_labels(ticks), strict=True)]


def _ticks_below(one: Input, x: Scale, base: float) -> list[Safe]:
    found = [
        tag("text", name, x=f"{at:.1f}", y=f"{base + 17:g}", text_anchor="middle")
        for at, name in ticks_of(x)
    ]
    middle = (x.start + x.stop) / 2
    name = tag(
        "text",
        _named(one),
        x=f"{middle:.1f}",
        y=f"{base + 36:g}",
        text_anchor="middle",
        class_="name",
        textLength=f"{CELL:g}" if len(_named(one)) > 24 else None,
        lengthAdjust="spacingAndGlyphs" if len(_named(one)) > 24 else None,
    )
    return [*found, name]


def _ticks_left(one: Input, y: Scale) -> list[Safe]:
    found = [
        tag("text", name, x=f"{LEFT - 6:g}", y=f"{at + 4:.1f}", text_anchor="end")
        for at, name in ticks_of(y)
    ]
    middle = (y.start + y.stop) / 2
    long = len(_named(one)) > 24
    name = tag(
        "text",
        _named(one),
        transform=f"translate(12 {middle:.1f}) rotate(-90)",
        text_anchor="middle",
        class_="name",
        textLength=f"{CELL:g}" if long else None,
        lengthAdjust="spacingAndGlyphs" if long else None,
    )
    return [*found, name]


def _against_seconds(one: Input, groups: dict[str, Sequence[MemberFacts]]) -> Safe | None:
    """Return the one input that varies against the seconds of its members."""
    timed = {
        word: [(one.values[m.number], m.seconds) for m in some if m.seconds is not None]
        for word, some in groups.items()
    }
    every = [pair for some in timed.values() for pair in some]
    if len(every) < 2:
        return None
    frame = Frame(padded([x for x, _ in every]), padded([y for _, y in every]))
    frame.y_axis()
    frame.x_axis(_named(one))
    for word, some in timed.items():
        frame.pieces += _marks(word, [(frame.x(x), frame.y(y)) for x, y in some])
    says = f"Seconds of a member by {one.name}."
    return panel(frame.draw(says), join("Seconds of a member by ", one.name))
