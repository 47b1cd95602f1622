"""The data section of a model's card: what it has learnt from, to whom it may go, whom to name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from forgia_hpc.data.access.leaving import Credit, judge_release
from forgia_hpc.data.access.usage import Document

FORMAT = "forgia.model_card/1"
JSON, MARKDOWN = "model_card.json", "model_card.md"
_GOES = {
    "none": "It may not be given to anybody.",
    "consortium": "It may be given to the members of the consortium, and to nobody else.",
    "open": "It may be given to anybody.",
}


def model_card(usage: Document, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the card of a model: its facts, and what its use says of its data."""
    verdict = judge_release(usage)
    return {
        "format": FORMAT,
        "model": facts,
        "data": {
            "dataset": usage["dataset"],
            "grant": usage["grant"],
            "steps": usage["step"],
            "release": verdict.release,
            "forbidden": {to: [asdict(one) for one in by] for to, by in verdict.forbidden.items()},
            "contributions": [
                {**asdict(one), "duties": list(one.duties)} for one in verdict.credits
            ],
        },
    }


def card_text(card: dict[str, Any]) -> str:
    """Return the card as Markdown."""
    model, data = card["model"], card["data"]
    credits_ = [Credit(**one) for one in data["contributions"]]
    lines = [
        f"# {model.get('name', 'Model')}",
        "",
        *(f"- {key}: {value}" for key, value in model.items() if key != "name"),
        "",
        "## Data",
        "",
        f"Learnt from {data['dataset']['identifier']} in {data['steps']:,} steps.",
        "",
        "| contribution | contributor | windows | tokens | licence |",
        "|---|---|---:|---:|---|",
        *(
            f"| {_cell(one.title)} ({one.contribution}@{one.version[:12]}) | {one.contributor} "
            f"| {one.windows:,} | {one.tokens:,.0f} | {_cell(one.licence)} |"
            for one in credits_
        ),
        "",
        "## Release",
        "",
        _GOES[data["release"]],
        *(
            f"- not to {to}: {one['contribution']}: {one['why']}"
            for to, by in data["forbidden"].items()
            for one in by
        ),
        "",
        "Whether something of it was withdrawn since, a card can't know:",
        "`forgia data publish-check` looks at what lies there today.",
        "",
        "## To name",
        "",
        *(f"- {credit_line(one)}" for one in credits_),
    ]
    return "\n".join(lines) + "\n"


def credit_line(one: Credit) -> str:
    """Return whom to name and how, with the duties that come with it."""
    words = [one.title, one.citation or one.source, one.licence]
    duties = f" Duties: {', '.join(one.duties)}." if one.duties else ""
    return ". ".join(word.strip().rstrip(".") for word in words if word.strip()) + "." + duties


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
