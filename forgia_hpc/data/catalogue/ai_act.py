"""The AI Act's public summary of training content (Article 53(1)d), after the Commission's template of July 2025.

Its three sections are filled from manifests, policies and, of a run, what it has really seen. What only the
provider of a model can know stays marked, to be filled in; nothing is guessed.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.data.access.policies import sealed_policies
from forgia_hpc.data.access.usage import Document, seen
from forgia_hpc.data.card import Card, load_card
from forgia_hpc.data.catalogue.policy_words import policy_words
from forgia_hpc.data.exports import Told
from forgia_hpc.data.fields.layout import FORMAT as FIELDS
from forgia_hpc.data.manifest import Manifest, load_manifest
from forgia_hpc.errors import InputError, Problem

FILE = "training-content.md"
TO_FILL = "**to be filled in by the provider**"
_OPEN = ("CC0", "CC-BY", "MIT", "Apache", "ODbL", "ODC", "BSD", "PDDL")


@dataclass(frozen=True)
class Source:
    """One contribution, and how many windows and tokens of it a model has seen (None: no run was named)."""

    manifest: Manifest
    card: Card
    windows: int | None
    tokens: float | None

    @property
    def kind(self) -> str:
        """Under which heading of section 2 it belongs."""
        if self.manifest.layout == FIELDS or "simulated" in self.card.tags:
            return "simulated"
        public = "://" in self.card.source and self.card.licence.startswith(_OPEN)
        return "public" if public else "private"


def write_summary(directory: Path, into: Path, told: Told, usage: Document | None = None) -> None:
    """Write training-content.md; with the usage of a run, of what that run has seen."""
    told(directory.name, 0, 1)
    (into / FILE).write_text(summary(directory, usage), encoding="utf-8")


def summary(directory: Path, usage: Document | None = None) -> str:
    """Return the summary as Markdown.

    Raises:
        InputError: the run has seen a version of a contribution that does not lie here.
    """
    manifest = load_manifest(directory)
    sources = _sources(manifest, usage)
    lines = [
        "# Public summary of training content",
        "",
        "After the template of the European Commission (AI Act, Article 53(1)(d)). Made from sealed",
        f"manifests, policies and counts of use; dataset {manifest.identifier}.",
        *_general(sources, usage),
        *_listed(sources, usage),
        *_processing(sources),
    ]
    return "\n".join(lines) + "\n"


def _sources(manifest: Manifest, usage: Document | None) -> list[Source]:
    parts = manifest.contributions()
    if usage is None:
        return [Source(one, load_card(one.directory), None, None) for one in parts]
    counts: dict[tuple[str, str], list[float]] = {}
    for shard in seen(usage):
        sums = counts.setdefault((shard.contribution, shard.version), [0, 0])
        sums[0] += shard.windows
        sums[1] += shard.tokens
    here = {(one.name, one.version): one for one in parts}
    problems = [
        Problem(
            field="--run",
            got=f"{name}@{version[:12]}",
            limit="the run has learnt from it, and this version does not lie here",
            where=str(manifest.directory),
            fix=f"name the dataset that it learnt from, {usage['dataset']['identifier']}",
        )
        for name, version in counts.keys() - here.keys()
    ]
    if problems:
        raise InputError(problems)
    return [
        Source(here[key], load_card(here[key].directory), int(sums[0]), sums[1])
        for key, sums in counts.items()
    ]


def _general(sources: list[Source], usage: Document | None) -> Iterator[str]:
    yield from ("", "## 1. General information", "", "### 1.1 Provider", "")
    yield f"- Name and contact: {TO_FILL}"
    yield f"- Authorised representative in the Union, where there is one: {TO_FILL}"
    yield from ("", "### 1.2 Model", "")
    yield f"- Versioned name: {TO_FILL}"
    yield from _origin(usage)
    yield f"- Date of placing on the Union market: {TO_FILL}"
    yield from ("", "### 1.3 Modalities, size and other characteristics", "")
    yield "- Text, image, audio, video: none."
    layouts = sorted(
        {
            "simulated fields"
            if one.manifest.layout == FIELDS
            else "time series of machines and plants"
            for one in sources
        }
    )
    yield f"- Other: {', '.join(layouts) or 'nothing'}."
    values = sum(entry.values for one in sources for entry in one.manifest.shards)
    size = sum(one.manifest.bytes for one in sources)
    yield f"- Size of the datasets: {values:,} values in {size:,} bytes, held-out parts included."
    if usage is not None:
        windows = sum(one.windows or 0 for one in sources)
        tokens = sum(one.tokens or 0 for one in sources)
        yield f"- Seen in training: {windows:,} windows, {tokens:,.0f} tokens, repetitions counted."
    ends = [entry.t_max_ns for one in sources for entry in one.manifest.shards if entry.t_max_ns]
    if ends:
        last = datetime.datetime.fromtimestamp(max(ends) // 10**9, datetime.UTC)
        yield f"- Latest measurement: {last:%m/%Y}."
    languages = sorted({one.card.language for one in sources})
    yield f"- Languages (of names and labels only): {', '.join(languages)}."


def _origin(usage: Document | None) -> Iterator[str]:
    if usage is None:
        yield f"- Model that it was made from: {TO_FILL}"
        return
    before = usage.get("before", [])
    names = [
        one["unknown"] if "unknown" in one else f"a model of {one['dataset']['identifier']}"
        for one in before
    ]
    yield f"- Model that it was made from: {', '.join(names) or 'none, trained from its beginning'}"
    yield f"- Trained on {usage['dataset']['identifier']}, {usage['step']:,} steps, grant {usage['grant'][:12]}"
    for one in before:
        if "unknown" in one:
            yield f"- What {one['unknown']} has seen is not told: {TO_FILL}"


_SECTIONS = (
    ("public", "2.1 Publicly available datasets"),
    ("private", "2.2 Private datasets obtained from third parties"),
)


def _listed(sources: list[Source], usage: Document | None) -> Iterator[str]:
    yield from ("", "## 2. List of data sources")
    for kind, title in _SECTIONS:
        yield from ("", f"### {title}", "")
        yield from _table([one for one in sources if one.kind == kind], usage)
    yield "Public is here what has an open licence and a public source; correct it where that is wrong."
    yield from ("", "### 2.3 Data crawled and scraped from online sources", "")
    yield "None by us: each dataset was sealed from files that its contributor had named."
    yield from ("", "### 2.4 User data", "")
    yield f"The datasets above hold none. From the provider's own services: {TO_FILL}"
    yield from ("", "### 2.5 Synthetic data", "")
    yield f"No contribution says that a model of artificial intelligence has made it. Others: {TO_FILL}"
    yield from ("", "### 2.6 Other sources: simulations", "")
    yield from _table([one for one in sources if one.kind == "simulated"], usage)


def _table(sources: list[Source], usage: Document | None) -> Iterator[str]:
    if not sources:
        yield from ("None.", "")
        return
    used = " windows seen | tokens seen |" if usage is not None else ""
    yield f"| dataset | contributor | source | licence | values |{used}"
    yield "|---|---|---|---|---:|" + ("---:|---:|" if usage is not None else "")
    for one in sources:
        values = sum(entry.values for entry in one.manifest.shards)
        counts = f" {one.windows:,} | {one.tokens:,.0f} |" if usage is not None else ""
        words = (one.card.title, one.card.contributor, one.card.source, one.card.licence)
        first, *others = map(_cell, words)
        yield f"| {first} ({one.manifest.identifier}) | {' | '.join(others)} | {values:,} |{counts}"
    yield ""


def _processing(sources: list[Source]) -> Iterator[str]:
    yield from ("", "## 3. Data processing", "")
    yield from ("### 3.1 Reservations of rights (text and data mining)", "")
    yield "We mined nothing from the web; where a contributor has its files from, section 2 says. Each"
    yield "contribution is used on its contributor's terms, which are sealed with the data:"
    yield ""
    for one in sources:
        for sealed in sealed_policies(one.manifest, one.card).values():
            said = "; ".join(
                f"{what.lower()}: {value}" for what, value in policy_words(sealed.words)
            )
            yield f"- {one.card.title}: {_cell(said)}"
    yield from ("", "### 3.2 Removal of illegal content", "")
    yield "The data are measured or simulated numbers with units, names of channels and labels; there are"
    yield f"no texts, pictures or recordings. Further measures: {TO_FILL}"
    yield from ("", "### 3.3 Other processing", "")
    for one in sources:
        yield f"- {one.card.title}: {_ingest(one.manifest)}"


def _ingest(manifest: Manifest) -> str:
    """Return what the ingest did, as its report in the manifest has it."""
    report: dict[str, Any] = manifest.provenance.get("report", {})
    if not report:
        return "sealed as it was given."
    mends = ", ".join(
        f"{one['count']} × {one['rule']} in {one['column']}" for one in report["mends"][:5]
    )
    more = len(report["mends"]) - 5
    tail = f" and {more} more" if more > 0 else ""
    return (
        f"{report['rows_in']:,} rows in, {report['rows_out']:,} out, {report['values_out']:,} values; "
        f"mended: {mends or 'nothing'}{tail}."
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
