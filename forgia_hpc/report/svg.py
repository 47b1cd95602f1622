"""Plots as small hand-made SVG: scales, ticks, lines and bands. Colours come from classes of the page's style."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from forgia_hpc.report.figures import GAP, signed, significant
from forgia_hpc.report.markup import Safe, tag

Pairs = Sequence[tuple[float, float | None]]
WIDEST = 8  # characters that six names of ticks may have
CLOCK = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


@dataclass(frozen=True)
class Scale:
    """Values low..high onto pixels start..stop, evenly or by logarithm."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log10(max(value, low)), math.log10(low), math.log10(high)
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.stop - self.start)


def nice_ticks(low: float, high: float, at_most: int = 5) -> list[float]:
    """Return round values within low..high, at 1, 2, 2.5 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / max(at_most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= at_most:
            return [index * step for index in range(first, last + 1)]
    return [low, high]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten within low..high, with 2 and 5 between them where there are few."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1.0, 2.0, 5.0) if len(exponents) <= 3 else (1.0,)
    return [
        factor * 10.0**exponent
        for exponent in exponents
        for factor in factors
        if low <= factor * 10.0**exponent <= high
    ]


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Return the values with as many decimals as their steps need, the same for all."""
    gaps = [b - a for a, b in itertools.pairwise(ticks)]
    step = min(gaps, default=abs(ticks[0]) if ticks else 1.0) or 1.0
    largest = max((abs(value) for value in ticks), default=0.0)
    if not 1e-4 <= largest < 1e5:
        return [significant(value) if value else "0" for value in ticks]
    decimals = next((d for d in range(8) if abs(step * 10**d - round(step * 10**d)) < 1e-6), 8)
    return [signed(f"{value or 0.0:,.{decimals}f}".replace(",", GAP)) for value in ticks]


def clock_unit(seconds: float) -> tuple[float, str]:
    """Return the unit that makes a span readable: (seconds in it, its name)."""
    return next(((size, name) for size, name in CLOCK if seconds >= 3 * size), CLOCK[-1])


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """Return the range of the values with some air; a flat line lies in the middle."""
    low, high = min(values), max(values)
    air = (high - low) * share or abs(high) * 0.1 or 1.0
    return low - air, high + air


def path(points: Pairs, x: Scale, y: Scale) -> str:
    """Return the path of a line; None lifts the pen, and a lone point becomes a dot."""
    words: list[str] = []
    down = False
    for at, value in points:
        if value is None:
            down = False
            continue
        place = f"{x(at):.1f} {y(value):.1f}"
        # A move followed by a zero-length line draws a dot under round line caps.
        words.append(f"L{place}" if down else f"M{place}l0 0")
        down = True
    return "".join(words)


def band_paths(lower: Pairs, upper: Pairs, x: Scale, y: Scale) -> str:
    """Return closed outlines between two lines, one for each stretch where both are known."""
    outlines: list[str] = []
    run: list[tuple[float, float, float]] = []
    for (at, low), (_, high) in [*zip(lower, upper, strict=False), ((0.0, None), (0.0, None))]:
        if low is not None and high is not None:
            run.append((at, low, high))
            continue
        if run:
            there = [f"{x(at):.1f} {y(high):.1f}" for at, _, high in run]
            back = [f"{x(at):.1f} {y(low):.1f}" for at, low, _ in reversed(run)]
            outlines.append("M" + "L".join([*there, *back]) + "Z")
        run = []
    return "".join(outlines)


@dataclass
class Frame:
    """The plotting area of one panel; y grows upwards."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: float = 480
    height: float = 232
    left: float = 62
    right: float = 18
    top: float = 16
    bottom: float = 40
    log: bool = False
    log_x: bool = False
    pieces: list[Safe] = field(default_factory=list)

    @property
    def x(self) -> Scale:
        """The scale of the horizontal axis."""
        return Scale(*self.x_range, self.left, self.width - self.right, self.log_x)

    @property
    def y(self) -> Scale:
        """The scale of the vertical axis."""
        return Scale(*self.y_range, self.height - self.bottom, self.top, self.log)

    def line(self, points: Pairs, class_: str) -> None:
        """Draw a line."""
        self.pieces.append(tag("path", d=path(points, self.x, self.y), class_=f"line {class_}"))

    def band(self, lower: Pairs, upper: Pairs, class_: str) -> None:
        """Fill the area between two lines."""
        self.pieces.append(tag("path", d=band_paths(lower, upper, self.x, self.y), class_=class_))

    def rule(self, x1: float, y1: float, x2: float, y2: float, class_: str) -> None:
        """Draw a straight line between two pixels."""
        places = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
        self.pieces.append(
            tag("line", **{key: f"{value:.1f}" for key, value in places.items()}, class_=class_)
        )

    def text(self, x: float, y: float, words: str, class_: str = "", anchor: str = "start") -> None:
        """Write words at a pixel."""
        self.pieces.append(
            tag(
                "text",
                words,
                x=f"{x:.1f}",
                y=f"{y:.1f}",
                class_=class_ or None,
                text_anchor=None if anchor == "start" else anchor,
            )
        )

    def y_axis(self, label: Callable[[float], str] | None = None) -> None:
        """Draw level lines at round values and name them."""
        ticks = log_ticks(*self.y_range) if self.log else nice_ticks(*self.y_range)
        plain = [significant(value, 1) for value in ticks] if self.log else tick_labels(ticks)
        names = [label(value) for value in ticks] if label else plain
        for value, name in zip(ticks, names, strict=True):
            level = self.y(value)
            self.rule(self.left, level, self.width - self.right, level, "grid")
            self.text(self.left - 8, level + 4.5, name, anchor="end")

    def x_axis(self, title: str, *, unit: float = 1.0) -> None:
        """Name round values below the plot; `unit` is how much of x makes one."""
        low, high = self.x_range
        base = self.height - self.bottom
        self.rule(self.left, base, self.width - self.right, base, "base")
        ticks, names = _ticks(low / unit, high / unit, log=self.log_x)
        for value, name in zip(ticks, names, strict=True):
            self.text(self.x(value * unit), base + 17, name, anchor="middle")
        middle = (self.left + self.width - self.right) / 2
        self.text(middle, base + 34, title, anchor="middle")

    def draw(self, says: str) -> Safe:
        """Return the panel; `says` is read aloud in its place."""
        return tag(
            "svg",
            *self.pieces,
            viewBox=f"0 0 {self.width:g} {self.height:g}",
            role="img",
            aria_label=says,
        )


def _ticks(low: float, high: float, *, log: bool) -> tuple[list[float], list[str]]:
    if not log:  # long names only where they are few
        found = [
            (ticks, tick_labels(ticks))
            for most in (6, 3)
            for ticks in [nice_ticks(low, high, most)]
        ]
        return next((one for one in found if max(map(len, one[1])) <= WIDEST), found[-1])
    ticks = log_ticks(low, high)
    ticks = ticks[:: -(-len(ticks) // 7)]
    return ticks, [significant(value, 1) for value in ticks]


def panel(drawing: Safe, title: object, *remarks: object) -> Safe:
    """Return a figure: its title above, the drawing, remarks below."""
    said = [tag("p", remark) for remark in remarks if remark]
    return tag("figure", tag("figcaption", tag("h3", title), *said), drawing)
