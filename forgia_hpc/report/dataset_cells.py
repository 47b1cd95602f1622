"""What a dataset's page and terminal say alike: sentences and the cells of tables."""

from __future__ import annotations

from forgia_hpc.data.fields.layout import FORMAT as FIELDS
from forgia_hpc.report.dataset_bars import error_rows
from forgia_hpc.report.dataset_ensemble import ensemble_of, ensemble_rows
from forgia_hpc.report.dataset_terms import standing, terms
from forgia_hpc.report.dataset_words import ChannelFacts, ContributionFacts, DatasetFacts
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

OVERVIEW_HEAD = ["Contribution", "Contributor", "Licence", "Machines", "Channels", "Values", "Size"]
_OF_ENSEMBLE = {"held_out_time": "valid", "held_out_machines": "test"}  # ensemble.split
_SINGULAR = {"Machines": "machine", "Members": "member", "Trajectories": "simulation"}
CHANNEL_HEAD = ["Channel", "Role", "Unit", "Step", "Valid", "Least", "Mean", "Largest"]


def sentence(facts: DatasetFacts) -> str:
    """Return how much there is, in one sentence."""
    channels = sum(len(one.channels) for one in facts.contributions)
    values = sum(split.values for one in facts.contributions for split in one.splits)
    held = sum(one.manifest.bytes for one in facts.contributions)
    many = len(facts.contributions)
    who = f"{many} contributions" if many > 1 else "one contribution"
    told = [*_counts(facts), _many(channels, "channel")]
    if closed := sum(bool(one.closed) for one in facts.contributions):
        told = [f"{closed} closed here", *(told if closed < many else [])]
    return f"{facts.card.title}: {who}, {', '.join(told)}, {count(values)} values in {size(held)}."


def _counts(facts: DatasetFacts) -> list[str]:
    """Return how many machines, members of ensembles and other trajectories there are."""
    sums: dict[str, int] = {}
    for one in facts.contributions:
        what = _SINGULAR[counted(one)]
        sums[what] = sums.get(what, 0) + one.machines
    return [_many(number, what) for what, number in sums.items()]


def _many(number: int, what: str) -> str:
    return f"{count(number)} {what}" + ("" if number == 1 else "s")


def about(one: ContributionFacts) -> list[tuple[str, str]]:
    """Return who gives the data, under what terms, and what time they cover."""
    when = [moment(at) for at in (one.first_ns, one.last_ns) if at is not None]
    marks = ", ".join(
        f"{words(code)} {count(often)} {'time' if often == 1 else 'times'}"
        for code, often in one.marks.items()
    )
    rows = [
        ("Contributor", one.card.contributor),
        ("Version", one.manifest.identifier),
        ("Licence", one.card.licence),
        ("Source", one.card.source),
        ("Citation", one.card.citation),
        *terms(one.card),
        *standing(one.manifest),
        ("Closed", one.closed),
        ("Covers", " to ".join(when) or _without_calendar(one)),
        *_made_of(one),
        ("Labels and events", marks),
        *error_rows(one),
    ]
    return [(name, value) for name, value in rows if value]


def _made_of(one: ContributionFacts) -> list[tuple[str, str]]:
    """Return how much of what there is, and how it was simulated."""
    if not one.closed and (told := ensemble_rows(one.manifest, one.machines, one.design)):
        return told
    return [(counted(one), "" if one.closed else count(one.machines))]


def counted(one: ContributionFacts) -> str:
    """Return what a contribution has several of."""
    if one.manifest.layout != FIELDS:
        return "Machines"
    return "Members" if ensemble_of(one.manifest) else "Trajectories"


def _without_calendar(one: ContributionFacts) -> str:
    """Return what stands for the days: a simulation has none."""
    return "" if one.manifest.layout == FIELDS else "no calendar: a clock by index"


def split_head(one: ContributionFacts) -> list[str]:
    """Return the head of `split_cells`."""
    return ["Split", counted(one), "Segments", "Series", "Steps", "Values", "Size"]


def split_cells(one: ContributionFacts) -> list[list[str]]:
    """Return the rows of a table of splits."""
    return [
        [
            _part(one, split.split.value),
            *(
                "–" if v is None else count(v)
                for v in (split.machines, split.segments, split.series, split.steps, split.values)
            ),
            size(split.bytes),
        ]
        for split in one.splits
    ]


def _part(one: ContributionFacts, split: str) -> str:
    """Return a split's name; of an ensemble's, the word that asked for it first."""
    asked = _OF_ENSEMBLE.get(split) if ensemble_of(one.manifest) else None
    return f"{asked} ({words(split)})" if asked else words(split)


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


def overview_cells(one: ContributionFacts) -> list[str]:
    """Return the cells of `OVERVIEW_HEAD`."""
    return [
        one.manifest.identifier,
        one.card.contributor,
        one.card.licence,
        "–" if one.closed else count(one.machines),
        "–" if one.closed else count(len(one.channels)),
        count(sum(split.values for split in one.splits)),
        size(one.manifest.bytes),
    ]


def _share(valid: float) -> str:
    """Return a share that says 100 % only where nothing is missing."""
    return percent(valid) if valid == 1 or valid < 0.99 else f"{min(valid, 0.9999) * 100:.2f} %"
