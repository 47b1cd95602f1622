"""`data info` on the terminal: short for a consortium, deep for a contribution."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from forgia_hpc.report.curves import spark
from forgia_hpc.report.dataset_cells import (
    CHANNEL_HEAD,
    OVERVIEW_HEAD,
    about,
    channel_cells,
    overview_cells,
    sentence,
    split_cells,
    split_head,
)
from forgia_hpc.report.dataset_ensemble import PARAMETER_HEAD, parameter_cells
from forgia_hpc.report.dataset_facts import read_dataset
from forgia_hpc.report.dataset_terms import standing, terms
from forgia_hpc.report.dataset_words import ContributionFacts, DatasetFacts
from forgia_hpc.report.terminal_parts import ACCENT, grid, pairs, plain

MOST_CHANNELS = 24  # of a contribution; the page shows all


def show_dataset(directory: Path, console: Console) -> None:
    """Show a dataset on the terminal; raises as `write_dataset_page` does."""
    facts = read_dataset(directory)
    console.print(
        Text.assemble(
            plain(facts.card.title, f"bold {ACCENT}"), "  ", plain(facts.manifest.identifier, "dim")
        )
    )
    console.print(plain(sentence(facts)))
    console.print()
    if facts.manifest.members:
        _show_short(facts, console)
        return
    for one in facts.contributions:
        console.print(plain(one.card.title, "bold"))
        blocks = [pairs(about(one))]
        blocks += [_parameter_rows(one)] if one.parameters else []
        blocks += [_split_rows(one)] if one.splits else []
        blocks += [_channel_rows(one)] if one.channels else []
        for block in blocks:
            console.print(Padding(block, (0, 0, 1, 2)))


def _show_short(facts: DatasetFacts, console: Console) -> None:
    """Show a consortium: a line for each contribution, and how to see more."""
    console.print(pairs([*standing(facts.manifest)]))
    shown = grid(*OVERVIEW_HEAD, "Signed", "Terms", numbers_from=3)
    for column in shown.columns[-2:]:
        column.justify, column.no_wrap, column.overflow = "left", False, "fold"
    for one in facts.contributions:
        told = dict(standing(one.manifest))
        said = "; ".join(f"{what.lower()}: {value}" for what, value in terms(one.card))
        shown.add_row(*map(plain, (*overview_cells(one), told["Signed"], said)))
    console.print(shown)
    for one in facts.contributions:
        if one.closed:
            console.print(plain(f"{one.manifest.name}: {one.closed}"))
    console.print(
        plain(f"more of one: forgia data info {facts.contributions[0].manifest.name}", "dim")
    )


def _parameter_rows(one: ContributionFacts) -> Table:
    shown = grid(*PARAMETER_HEAD, numbers_from=2)
    for entry in one.parameters:
        shown.add_row(*map(plain, parameter_cells(entry)))
    return shown


def _split_rows(one: ContributionFacts) -> Table:
    shown = grid(*split_head(one))
    for row in split_cells(one):
        shown.add_row(*map(plain, row))
    return shown


def _channel_rows(one: ContributionFacts) -> Table:
    shown = grid(*CHANNEL_HEAD, "Excerpt", numbers_from=3)
    for entry in one.channels[:MOST_CHANNELS]:
        line = Text(spark([v for v in entry.excerpt if v is not None], 24), ACCENT)
        shown.add_row(*map(plain, channel_cells(entry)), line)
    left = len(one.channels) - MOST_CHANNELS
    if left > 0:
        shown.add_row(plain(f"… {left} more", "dim"))
    return shown
