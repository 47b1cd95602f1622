"""What `forgia data leaks` found: words, cells and a self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forgia_hpc.report.figures import count, percent
from forgia_hpc.report.markup import join, table, tag
from forgia_hpc.report.page import document
from forgia_hpc.report.sections import section
from forgia_hpc.rundir import write_text

FIELD_HEAD = ("A", "B", "Field", "Correlation", "Scale")
HEAD = ("A", "B", "Correlation", "Scale", "Shift", "Rate", "Chance")


def summary(found: dict[str, Any]) -> str:
    """Return a sentence on what was compared and found."""
    said = found["search"]
    pairs = len(found["pairs"]) + len(found["trajectories"])
    what = f"{pairs} pair{'' if pairs == 1 else 's'} of copies" if pairs else "no copies"
    left = said["pairs_untried"]
    rest = f"; {count(left)} weaker candidates were not looked at" if left else ""
    return (
        f"{found['dataset']}: {what} between {found['between']}, in {count(said['series'])} series of "
        f"{count(said['values'])} values{rest}"
    )


def cells(pair: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of a pair, under HEAD."""
    return (
        _stretch(pair["a"]),
        _stretch(pair["b"]),
        f"{pair['correlation']:+.3f}",
        f"{pair['scale']:.4g}",
        f"{pair['shift']:.1f}",
        f"{pair['rate']:.4f}",
        f"1e{pair['log10_expected_by_chance']:.0f}",
    )


def field_cells(pair: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of a pair of trajectories, under FIELD_HEAD."""
    a, b = (
        f"{one['contribution']}/{one['member']} ({one['split']})" for one in (pair["a"], pair["b"])
    )
    return a, b, pair["field"], f"{pair['correlation']:+.4f}", f"{pair['scale']:.4g}"


def share_lines(found: dict[str, Any]) -> list[str]:
    """Return a line for each contaminated split and who contaminates it."""
    return [
        f"{row['contribution']}, {row['split']}: {percent(row['share'])} "
        f"has a copy in the training data of {row['by']}"
        for row in found["contaminated"]
    ]


def write_leaks_page(found: dict[str, Any], to: Path) -> Path:
    """Write the page, whole, and return its path."""
    rows: list[list[object]] = [list(cells(pair)) for pair in found["pairs"]]
    fields: list[list[object]] = [list(field_cells(pair)) for pair in found["trajectories"]]
    lines = [tag("p", line) for line in (summary(found), *share_lines(found))]
    body = section(
        "leaks",
        "Copies",
        "Chance: how many such pairs unrelated data would give in the whole search.",
        *lines,
        table("Pairs", list(HEAD), rows, text_columns=2) if rows else None,
        table("Trajectories", list(FIELD_HEAD), fields, text_columns=3) if fields else None,
    )
    badge = join(tag("span", "leak watch", class_="badge"), found["dataset"])
    write_text(to, document(found["dataset"], badge, summary(found), {}, [body]))
    return to


def _stretch(one: dict[str, Any]) -> str:
    place = f"{one['contribution']}/{one['asset']}/{one['channel']}"
    return f"{place} {one['first']}–{one['last']} ({one['split']})"
