"""`data info` as a self-contained page, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from forgia_hpc.report.dataset_bars import error_bars, shown
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
from forgia_hpc.report.dataset_ensemble import PARAMETER_HEAD, ensemble_json, parameter_cells
from forgia_hpc.report.dataset_facts import read_dataset
from forgia_hpc.report.dataset_terms import standing, terms
from forgia_hpc.report.dataset_words import ChannelFacts, ContributionFacts, DatasetFacts
from forgia_hpc.report.figures import significant
from forgia_hpc.report.markup import Safe, join, table, tag
from forgia_hpc.report.page import document
from forgia_hpc.report.sections import facts_table, section
from forgia_hpc.report.svg import Scale, padded, path
from forgia_hpc.rundir import write_text


def dataset_facts(directory: Path) -> dict[str, Any]:
    """Return what `--json` prints of a dataset; raises as `write_dataset_page` does."""
    facts = read_dataset(directory)
    return {
        "identifier": facts.manifest.identifier,
        "version": facts.manifest.version,
        "card": facts.card.as_dict(),
        "standing": [list(row) for row in standing(facts.manifest)],
        "contributions": [
            {
                "identifier": one.manifest.identifier,
                "version": one.manifest.version,
                "card": one.card.as_dict(),
                "machines": one.machines,
                "ensemble": ensemble_json(one.manifest),
                "design": dict(one.design),
                "parameters": [asdict(entry) for entry in one.parameters],
                "marks": one.marks,
                "closed": one.closed,
                "terms": [list(row) for row in terms(one.card)],
                "standing": [list(row) for row in standing(one.manifest)],
                "first_ns": one.first_ns,
                "last_ns": one.last_ns,
                "splits": [{**asdict(split), "split": split.split.value} for split in one.splits],
                "channels": [asdict(entry) for entry in one.channels],
                "errors": {name: shown(bar) for name, bar in error_bars(one).items()},
            }
            for one in facts.contributions
        ],
    }


def write_dataset_page(directory: Path, to: Path) -> Path:
    """Write the page of a dataset, whole, and return its path.

    Raises:
        InputError: no dataset lies in `directory`.
        SealBrokenError: a file of it is missing or altered.
    """
    write_text(to, render(read_dataset(directory)))
    return to


def render(facts: DatasetFacts) -> str:
    """Return the page."""
    several = len(facts.contributions) > 1
    sections = (
        [
            section(
                "overview",
                "Overview",
                facts.card.description.strip(),
                facts_table("What vouches for it", list(standing(facts.manifest))),
                _overview(facts),
            )
        ]
        if several
        else []
    )
    sections += [_section(one) for one in facts.contributions]
    links = {"#overview": "Overview"} if several else {}
    links |= {f"#{one.manifest.name}": one.card.title for one in facts.contributions}
    eyebrow = join(tag("span", "dataset", class_="badge"), facts.manifest.identifier)
    return document(facts.manifest.identifier, eyebrow, sentence(facts), links, sections)


def _overview(facts: DatasetFacts) -> Safe:
    rows: list[list[object]] = [
        [
            tag("a", one.card.title, href=f"#{one.manifest.name}"),
            *overview_cells(one)[1:],
        ]
        for one in facts.contributions
    ]
    return table("The contributions", OVERVIEW_HEAD, rows, text_columns=3)


def _section(one: ContributionFacts) -> Safe:
    splits: list[list[object]] = [list(row) for row in split_cells(one)]
    channels: list[list[object]] = [
        [*channel_cells(entry), sparkline(entry)] for entry in one.channels
    ]
    longest = max((len(entry.excerpt) for entry in one.channels), default=0)
    hint = (
        "Valid: the share of the steps that hold a value. "
        f"Excerpt: {longest} consecutive steps of the longest series."
    )
    head = [*CHANNEL_HEAD, "Excerpt"]
    blocks = [facts_table("Terms and origin", about(one))]
    if one.parameters:
        given: list[list[object]] = [list(parameter_cells(entry)) for entry in one.parameters]
        blocks.append(
            table(f"Parameters of {one.card.title}", PARAMETER_HEAD, given, text_columns=2)
        )
    if splits:
        blocks.append(table(f"Splits of {one.card.title}", split_head(one), splits))
    if channels:
        blocks.append(tag("p", hint, class_="hint"))
        blocks.append(table(f"Channels of {one.card.title}", head, channels, text_columns=4))
    return section(one.manifest.name, one.card.title, one.card.description.strip(), *blocks)


def sparkline(entry: ChannelFacts) -> Safe:
    """Return a small plot of the excerpt; gaps stay gaps."""
    known = [value for value in entry.excerpt if value is not None]
    if not known:
        return tag("span", "no values" if entry.low is None else "–", class_="hint")
    x = Scale(0, max(len(entry.excerpt) - 1, 1), 2, 158)
    y = Scale(*padded(known), 28, 2)
    points = [(float(index), value) for index, value in enumerate(entry.excerpt)]
    says = f"{entry.channel.name}: {significant(min(known))} to {significant(max(known))}"
    return tag(
        "svg",
        tag("path", d=path(points, x, y), class_="line spark-line"),
        viewBox="0 0 160 30",
        role="img",
        aria_label=says,
        class_="spark",
    )
