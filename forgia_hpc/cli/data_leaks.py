"""forgia data leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from forgia_hpc.cli.bars import bar_of
from forgia_hpc.cli.data import complete_dataset, directory_of
from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import ExitCode

_HELP = """\b
Examples:
  forgia data leaks consortium
  forgia data leaks consortium --between splits --fail
  forgia data leaks refinery --html leaks.html --json"""


@click.command(epilog=_HELP)
@click.argument("name", metavar="DATASET", shell_complete=complete_dataset)
@click.option(
    "--between",
    type=click.Choice(["contributors", "splits", "all"]),
    default="all",
    show_default=True,
    help="Which series are compared: of different contributors; train with what is held out.",
)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page too.")
@click.option("--fail", is_flag=True, help="Exit code 2 where something was found.")
@json_option
def leaks(name: str, between: str, html: Path | None, fail: bool, as_json: bool) -> None:
    """Find series that are copies of each other: shifted, scaled, turned over, resampled, noisy.

    Of fields: whole trajectories that are, scaled, turned over or noisy.

    A search of `all` is kept under the data root, and evaluations cite it.
    """
    from forgia_hpc.data.leaks.report import watch_leaks
    from forgia_hpc.report.leaks import write_leaks_page

    with bar_of(name) as told:
        found = watch_leaks(directory_of(name), between, told)
    if as_json:
        say_json("data", {"leaks": found})
    else:
        _show(found)
    if html:
        note(f"page: {write_leaks_page(found, html)}")
    if fail and (found["pairs"] or found["trajectories"]):
        raise click.exceptions.Exit(int(ExitCode.INPUT))


def _show(found: dict[str, Any]) -> None:
    from forgia_hpc.report.leaks import (
        FIELD_HEAD,
        HEAD,
        cells,
        field_cells,
        share_lines,
        summary,
    )
    from forgia_hpc.report.terminal_parts import grid, plain

    say(summary(found))
    if found["pairs"]:
        shown = grid(*HEAD, numbers_from=2)
        for pair in found["pairs"]:
            shown.add_row(*map(plain, cells(pair)))
        for column in shown.columns[:2]:
            column.no_wrap, column.overflow = False, "fold"
        for column in shown.columns[2:]:
            column.no_wrap = True
        console().print(shown)
    if found["trajectories"]:
        shown = grid(*FIELD_HEAD, numbers_from=3)
        for pair in found["trajectories"]:
            shown.add_row(*map(plain, field_cells(pair)))
        console().print(shown)
    for line in share_lines(found):
        say(line)
