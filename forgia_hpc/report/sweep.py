"""What the points of a sweep reached: one table, one plot, one page."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.metrics import last_row
from forgia_hpc.report.figures import significant
from forgia_hpc.report.markup import Safe, table, tag
from forgia_hpc.report.page import document
from forgia_hpc.report.svg import Frame, padded, panel
from forgia_hpc.rundir import RunDir, read_json, write_text
from forgia_hpc.sweepdir import SweepDir, completed

# in output/: what a command job's program tells, a mapping of names to numbers
OWN = "metrics.json"
_FIRST = re.compile(r"(^|[._])(loss|skill|score|accuracy|error|mae|rmse)$")
_BESIDE = ("attempt", "world_size", "seconds", "step", "of", "phase")  # no figure to compare by
Number = float | int
Cell = str | Number | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One point: its swept values as they were written, and the figures that it reached."""

    index: int
    state: str
    swept: dict[str, str]
    figures: dict[str, Number]

    def cell(self, name: str) -> Cell:
        """Return what stands in a column."""
        own: dict[str, Cell] = {"point": self.index, "state": self.state}
        return {**own, **self.swept, **self.figures}.get(name)


@dataclass(frozen=True, kw_only=True)
class Results:
    """All points of a sweep as a table."""

    name: str
    rows: tuple[Row, ...]

    @property
    def swept(self) -> list[str]:
        """The swept keys, in the order of the command line."""
        return list(dict.fromkeys(key for row in self.rows for key in row.swept))

    @property
    def figures(self) -> list[str]:
        """The names of all figures: what one compares by first, then those that most points have."""
        names = dict.fromkeys(key for row in self.rows for key in row.figures)
        having = {name: sum(name in row.figures for row in self.rows) for name in names}
        return sorted(names, key=lambda name: (_FIRST.search(name) is None, -having[name]))

    @property
    def columns(self) -> list[str]:
        """The columns of the table."""
        return ["point", *self.swept, "state", *self.figures]

    def by(self, name: str, *, descending: bool = False) -> Results:
        """Return the table sorted by a column; who has nothing there comes last.

        Raises:
            InputError: there is no such column.
        """
        if name not in self.columns:
            limit = f"columns there are: {', '.join(self.columns)}"
            raise InputError(Problem(field="--by", got=name, limit=limit))
        having = [row for row in self.rows if row.cell(name) is not None]
        rest = [row for row in self.rows if row.cell(name) is None]
        having.sort(key=lambda row: _order(row.cell(name)), reverse=descending)
        return Results(name=self.name, rows=(*having, *rest))

    def as_json(self) -> dict[str, Any]:
        """Return the table for `--json`."""
        rows = [{name: row.cell(name) for name in self.columns} for row in self.rows]
        return {"sweep": self.name, "columns": self.columns, "rows": rows}

    def as_csv(self) -> str:
        """Return the table as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([row.cell(name) for name in self.columns] for row in self.rows)
        return text.getvalue()


def _order(value: Cell) -> tuple[bool, float, str]:
    number = _number(value)
    return (number is None, number or 0.0, str(value))


def _number(value: object) -> float | None:
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def read_results(sweep: SweepDir, states: Mapping[int, str]) -> Results:
    """Return what every point has reached so far; `states` is told by jobs/points."""
    rows = tuple(
        Row(
            index=point.index,
            state=states.get(point.index, ""),
            swept=dict(_pair(word) for word in point.overrides),
            figures=figures_of(sweep.point(point.index)),
        )
        for point in sweep.points
    )
    return Results(name=sweep.name, rows=rows)


def _pair(word: str) -> tuple[str, str]:
    key, _, value = word.partition("=")
    bare = value[1:-1] if value[:1] in ("'", '"') and value[-1:] == value[:1] else value
    return key.lstrip("+~"), bare


def figures_of(run: RunDir) -> dict[str, Number]:
    """Return a point's last metrics, the figures of its result, and what its own program told."""
    try:
        last = last_row(run.metrics) or {}
    except ValueError:
        last = {}
    found = {**_flat(last), **_flat(completed(run) or {})}
    own = run.output / OWN
    if own.is_file():
        try:
            found |= _flat(read_json(own))
        except InputError:  # it is the program's file: what it left broken is no figure
            return found
    return found


def _flat(content: Any, at: str = "") -> dict[str, Number]:
    """Return every number of nested mappings by its dotted name."""
    if not isinstance(content, dict):
        return {}
    found: dict[str, Number] = {}
    for key, value in content.items():
        name = f"{at}{key}"
        if isinstance(value, dict):
            found |= _flat(value, f"{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and name not in _BESIDE:
            found[name] = value
    return found


def axes(results: Results, metric: str | None) -> tuple[str, str] | None:
    """Return what a plot shows: the swept key with the most numbers, and a figure; None where there is none."""
    values = {key: {row.swept.get(key) for row in results.rows} for key in results.swept}
    numeric = [key for key in values if all(_number(value) is not None for value in values[key])]
    if not numeric or not results.figures:
        return None
    return max(numeric, key=lambda key: len(values[key])), metric or results.figures[0]


def plot(results: Results, key: str, metric: str) -> Safe:
    """Return the plot of a figure against a swept value: a dot a point, a line through their middle."""
    dots = sorted(
        (x, y)
        for row in results.rows
        if (x := _number(row.swept.get(key))) is not None
        and (y := _number(row.figures.get(metric))) is not None
    )
    if not dots:
        return tag("p", f"no point has a {metric} yet")
    place = _places([x for x, _ in dots])
    frame = Frame(x_range=padded([place(x) for x, _ in dots]), y_range=padded([y for _, y in dots]))
    frame.y_axis()
    frame.line([(place(x), _middle([y for at, y in dots if at == x])) for x in _once(dots)], "s1")
    for x, y in dots:
        where = {"cx": round(frame.x(place(x)), 1), "cy": round(frame.y(y), 1)}
        frame.pieces.append(tag("circle", **where, r=3.5, class_="dot"))
    base = frame.height - frame.bottom
    for x in _shown(_once(dots)):
        frame.text(frame.x(place(x)), base + 16, f"{x:g}", "tick", "middle")
    frame.text(frame.width - frame.right, base + 32, key, "axis", "end")
    says = f"{metric} against {key}: {len(dots)} points from {dots[0][0]:g} to {dots[-1][0]:g}"
    return panel(frame.draw(says), f"{metric} against {key}", "the line is the median")


def _once(dots: Sequence[tuple[float, float]]) -> list[float]:
    return list(dict.fromkeys(x for x, _ in dots))


def _middle(values: Sequence[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _shown(values: Sequence[float]) -> Sequence[float]:
    """Return at most eight of the values, evenly."""
    return values[:: max(1, math.ceil(len(values) / 8))]


def _places(values: Sequence[float]) -> Callable[[float], float]:
    """Return where a value lies on the axis: by logarithm where they span more than a factor of 20."""
    if min(values) > 0 and max(values) / min(values) > 20:
        return math.log10
    return float


def page(results: Results, headline: str, metric: str | None) -> str:
    """Return the page of a sweep."""
    shown = axes(results, metric)
    drawn = [tag("section", tag("h2", "Plot"), plot(results, *shown), id="plot")] if shown else []
    cells: list[list[object]] = [
        [_text(row.cell(name)) for name in results.columns] for row in results.rows
    ]
    texts = len(results.swept) + 2
    content = table("Every point", results.columns, cells, text_columns=texts)
    rows = tag("section", tag("h2", "Points"), content, id="points")
    links = {**({"#plot": "Plot"} if drawn else {}), "#points": "Points"}
    return document(results.name, f"sweep · {results.name}", headline, links, [*drawn, rows])


def _text(value: Cell) -> str:
    if value is None:
        return "–"
    return significant(value, 4) if isinstance(value, float) else str(value)


def write_page(
    sweep: SweepDir, results: Results, headline: str, *, metric: str | None, to: Path | None
) -> Path:
    """Write the page of a sweep, whole, and return its path."""
    path = to or sweep.path / "report.html"
    write_text(path, page(results, headline, metric))
    return path
