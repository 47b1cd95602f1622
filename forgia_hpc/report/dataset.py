"""`data info`: a dataset on the terminal and as a self-contained page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from forgia_hpc.report.curves import spark
from forgia_hpc.report.dataset_facts import (
    ChannelFacts,
    ContributionFacts,
    DatasetFacts,
    read_dataset,
)
from forgia_hpc.report.figures import (
    count,
    duration,
    moment,
    percent,
    significant,
    size,
    unit,
    words,
)
from forgia_hpc.report.markup import Safe, join, table, tag
from forgia_hpc.report.page import document
from forgia_hpc.report.sections import facts_table, section
from forgia_hpc.report.svg import Scale, padded, path
from forgia_hpc.report.terminal import ACCENT, grid, pairs, plain
from forgia_hpc.rundir import write_text

MOST_CHANNELS = 24  # of a contribution on the terminal; the page shows all
CHANNEL_HEAD = ["Channel", "Role", "Unit", "Step", "Valid", "Least", "Mean", "Largest"]
SPLIT_HEAD = ["Split", "Machines", "Segments", "Series", "Steps", "Values", "Size"]


def dataset_facts(directory: Path) -> dict[str, Any]:
    """Return what `--json` prints of a dataset; raises as `write_dataset_page` does."""
    facts = read_dataset(directory)
    return {
        "identifier": facts.manifest.identifier,
        "version": facts.manifest.version,
        "card": facts.card.as_dict(),
        "contributions": [
            {
                "identifier": one.manifest.identifier,
                "version": one.manifest.version,
                "card": one.card.as_dict(),
                "machines": one.machines,
                "marks": one.marks,
                "first_ns": one.first_ns,
                "last_ns": one.last_ns,
                "splits": [{**asdict(split), "split": split.split.value} for split in one.splits],
                "channels": [asdict(entry) for entry in one.channels],
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
    for one in facts.contributions:
        console.print(plain(one.card.title, "bold"))
        for block in (pairs(about(one)), _split_rows(one), _channel_rows(one)):
            console.print(Padding(block, (0, 0, 1, 2)))


def sentence(facts: DatasetFacts) -> str:
    """Return how much there is, in one sentence."""
    machines = sum(one.machines for one in facts.contributions)
    channels = sum(len(one.channels) for one in facts.contributions)
    values = sum(split.values for one in facts.contributions for split in one.splits)
    held = sum(one.manifest.bytes for one in facts.contributions)
    many = len(facts.contributions)
    who = f"{many} contributions" if many > 1 else "one contribution"
    return (
        f"{facts.card.title}: {who}, {_many(machines, 'machine')}, {_many(channels, 'channel')}, "
        f"{count(values)} values in {size(held)}."
    )


def _many(number: int, what: str) -> str:
    return f"{count(number)} {what}" + ("" if number == 1 else "s")


def about(one: ContributionFacts) -> list[tuple[str, str]]:
    """Return who gives the data, under what terms, and what time they cover."""
    policy = one.card.policy
    when = [moment(at) for at in (one.first_ns, one.last_ns) if at is not None]
    marks = ", ".join(f"{words(code)} {count(often)} times" for code, often in one.marks.items())
    rows = [
        ("Contributor", one.card.contributor),
        ("Version", one.manifest.identifier),
        ("Licence", one.card.licence),
        ("Source", one.card.source),
        ("Citation", one.card.citation),
        ("May be used for", ", ".join(policy.purposes) or "every kind of job"),
        ("Until", policy.expires),
        ("Models go to", policy.release),
        ("Covers", " to ".join(when) or "no calendar: a clock by index"),
        ("Machines", count(one.machines)),
        ("Labels and events", marks),
    ]
    return [(name, value) for name, value in rows if value]


def split_cells(one: ContributionFacts) -> list[list[str]]:
    """Return the rows of `SPLIT_HEAD`."""
    return [
        [
            words(split.split.value),
            *(
                count(v)
                for v in (split.machines, split.segments, split.series, split.steps, split.values)
            ),
            size(split.bytes),
        ]
        for split in one.splits
    ]


def channel_cells(one: ChannelFacts) -> list[str]:
    """Return the cells of `CHANNEL_HEAD`."""
    coded = bool(one.channel.codes)
    figures = (one.low, None if coded else one.mean, one.high)
    return [
        one.channel.name,
        one.channel.role,
        unit(one.channel.ucum) or "–",
        ", ".join(map(duration, one.step_seconds[:2]))
        + (" …" if len(one.step_seconds) > 2 else ""),
        "–" if one.valid is None else _share(one.valid),
        *("–" if value is None else significant(value) for value in figures),
    ]


def _share(valid: float) -> str:
    """Return a share that says 100 % only where nothing is missing."""
    return percent(valid) if valid == 1 or valid < 0.99 else f"{min(valid, 0.9999) * 100:.2f} %"


def _split_rows(one: ContributionFacts) -> Table:
    shown = grid(*SPLIT_HEAD)
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


def render(facts: DatasetFacts) -> str:
    """Return the page."""
    several = len(facts.contributions) > 1
    sections = (
        [section("overview", "Overview", facts.card.description.strip(), _overview(facts))]
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
            one.card.contributor,
            one.card.licence,
            count(one.machines),
            count(len(one.channels)),
            count(sum(split.values for split in one.splits)),
            size(one.manifest.bytes),
        ]
        for one in facts.contributions
    ]
    head = ["Contribution", "Contributor", "Licence", "Machines", "Channels", "Values", "Size"]
    return table("The contributions", head, rows, text_columns=3)


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
    return section(
        one.manifest.name,
        one.card.title,
        one.card.description.strip(),
        facts_table("Terms and origin", about(one)),
        table(f"Splits of {one.card.title}", SPLIT_HEAD, splits),
        tag("p", hint, class_="hint"),
        table(
            f"Channels of {one.card.title}", [*CHANNEL_HEAD, "Excerpt"], channels, text_columns=4
        ),
    )


def sparkline(entry: ChannelFacts) -> Safe:
    """Return a small plot of the excerpt; gaps stay gaps."""
    known = [value for value in entry.excerpt if value is not None]
    if not known:
        return tag("span", "no values", class_="hint")
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
