"""What every page on the terminal is made of: plain text, tables, pairs, titles."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forgia_hpc.report.markup import clean

ACCENT = "dark_orange3"


def plain(text: object, style: str = "") -> Text:
    """Return the text as it is: what looks like markup or steers a terminal does neither."""
    return Text(clean(text), style)


def titled(title: str, *content: Table | Text) -> Group:
    """Return a title with what stands below it."""
    return Group(Text(title, f"bold {ACCENT}"), *content)


def grid(*heads: str, numbers_from: int = 1) -> Table:
    """Return an empty table; the columns from `numbers_from` on hold numbers."""
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False)
    for column, head in enumerate(heads):
        table.add_column(head, justify="right" if column >= numbers_from else "left", no_wrap=True)
    return table


def pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """Return names and values side by side."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(plain(name), plain(value))
    return table
