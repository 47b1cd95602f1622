"""Runs side by side as a table on the terminal, as CSV, and as a page with one metric over the steps."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from forgia_hpc.report.comparison import Compared
from forgia_hpc.report.curves import envelope, moving_mean, smoothing, spark
from forgia_hpc.report.figures import percent, si, significant
from forgia_hpc.report.markup import Safe, table, tag
from forgia_hpc.report.page import document
from forgia_hpc.report.svg import Frame, padded, panel
from forgia_hpc.report.terminal_parts import grid, plain
from forgia_hpc.rundir import write_text

ROOMY = 9  # columns of a terminal line
SERIES = 6  # lines that have a colour of their own; more are drawn faint
LONGEST = 24  # characters of a config value in a column
MOST_KEYS = 4  # columns of differing config values; CSV and JSON have all


def _keys(found: Sequence[Compared]) -> list[str]:
    """Return the config values that are columns: of several kinds the kind alone, little else is in all."""
    asked = list(found[0].asked) if found else []
    return ["kind"] if "kind" in asked else asked[:MOST_KEYS]


def head(found: Sequence[Compared], metric: str) -> list[str]:
    """Return the names of the columns."""
    keys = [_short(key, found[0].asked) for key in _keys(found)]
    return ["run", "state", *keys, f"{metric} last", "least", "skill", "tokens/s"]


def _short(key: str, keys: Iterable[str]) -> str:
    """Return the last word of a key where no other key ends in it."""
    last = key.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in keys) == 1 else key


def cells(one: Compared, keys: Sequence[str]) -> list[str]:
    """Return one run as words, column by column; `keys` of its config among them."""
    return [
        one.name,
        one.state,
        *(_cut(one.asked[key]) for key in keys),
        *("–" if value is None else significant(value, 4) for value in (one.last, one.best)),
        "–" if one.skill is None else percent(one.skill, sign=True),
        "–" if one.tokens_per_s is None else si(one.tokens_per_s),
    ]


def _cut(value: Any) -> str:
    """Return a config value that fits a column: what differs in a command line is often its end."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 3]}…{text[-LONGEST // 2 :]}"


def show(found: Sequence[Compared], metric: str, console: Console) -> None:
    """Show the table on a terminal, a small curve in each row; what says nothing there is left out."""
    rows = [cells(one, _keys(found)) for one in found]
    heads = head(found, metric)
    told = [
        column
        for column, name in enumerate(heads)
        if name not in ("state", "skill", "tokens/s")
        or {row[column] for row in rows} - {"finished", "–"}
    ]
    told = [column for column in told if heads[column] != "tokens/s" or len(told) < ROOMY]
    curves = ["over the steps"] if any(one.points for one in found) else []
    shown = grid(*(heads[column] for column in told), *curves, numbers_from=1)
    shown.columns[0].min_width = max(len(one.name) for one in found)
    if curves:
        shown.columns[-1].justify = "left"
    for one, row in zip(found, rows, strict=True):
        curve = Text(spark([value for _, value in one.points], 16), "dark_orange3")
        shown.add_row(*(plain(row[column]) for column in told), *([curve] if curves else []))
    console.print(Padding(shown, (0, 1)))
    left = len(found[0].asked) - len(_keys(found)) if found else 0
    if left > 0:
        console.print(f"{left} more config values differ: forgia compare … --csv, or forgia diff")


def as_csv(found: Sequence[Compared], metric: str) -> str:
    """Return the figures as CSV: every differing value, full precision."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    keys = list(found[0].asked) if found else []
    writer.writerow(
        ["run", "state", *keys, metric, f"least_{metric}", "skill", "tokens_per_s", "seconds"]
    )
    for one in found:
        figures = (one.last, one.best, one.skill, one.tokens_per_s, one.seconds)
        writer.writerow([one.name, one.state, *one.asked.values(), *figures])
    return written.getvalue()


def write_comparison(found: Sequence[Compared], metric: str, to: Path) -> Path:
    """Write the page: the plot, then the table."""
    title = f"{len(found)} runs by {metric}"
    rows: list[list[object]] = [list(cells(one, _keys(found))) for one in found]
    curves = any(one.points for one in found)
    over = (tag("h2", "Over the steps"), plot(found, metric), _key(found)) if curves else ()
    content = [
        *([tag("section", *over, id="plot")] if curves else []),
        tag(
            "section",
            tag("h2", "Figures"),
            table(title, head(found, metric), rows, text_columns=2),
            id="table",
        ),
    ]
    best = min((one for one in found if one.last is not None), key=lambda one: one.last or 0.0)
    headline = f"{best.name} ends with the least {metric}: {significant(best.last or 0.0, 4)}."
    links = {**({"#plot": "Over the steps"} if curves else {}), "#table": "Figures"}
    write_text(to, document(title, f"Comparison of {len(found)} runs", headline, links, content))
    return to


def plot(found: Sequence[Compared], metric: str) -> Safe:
    """Return one panel with a line a run."""
    drawn = [one for one in found if one.points]
    steps = [step for one in drawn for step, _ in one.points]
    values = [value for one in drawn for _, value in one.points]
    low, high = min(values), max(values)
    log = low > 0 and high / low > 30
    frame = Frame(
        (min(steps), max(*steps, min(steps) + 1)),
        (low * 0.85, high * 1.15) if log else padded(values),
        width=960,
        height=380,
        log=log,
    )
    frame.y_axis()
    frame.x_axis("step")
    for index, one in reversed(list(enumerate(drawn))):
        line = envelope(moving_mean(one.points, smoothing(one.points)))
        frame.line(line, f"s{index}" if index < SERIES else "faint")
    says = "; ".join(f"{one.name} {significant(one.last or 0.0, 4)}" for one in drawn)
    return panel(frame.draw(f"{metric} over the steps: {says}."), metric)


def _key(found: Sequence[Compared]) -> Safe:
    drawn = [one for one in found if one.points]
    entries = [
        tag("li", tag("span", class_=f"stroke s{index}"), one.name, _asked(one))
        for index, one in enumerate(drawn[:SERIES])
    ]
    more = len(drawn) - SERIES
    rest = [tag("li", f"{more} more, drawn faint")] if more > 0 else []
    return tag("ul", *entries, *rest, class_="key")


def _asked(one: Compared) -> str:
    said = [f"{key.rpartition('.')[2]} {value}" for key, value in list(one.asked.items())[:3]]
    return f" · {', '.join(said)}" if said else ""
