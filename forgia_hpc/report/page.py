"""report.html: one self-contained page of a run, whatever became of it."""

from __future__ import annotations

from pathlib import Path

from forgia_hpc import __version__
from forgia_hpc.report.campaign_sections import campaign_sections
from forgia_hpc.report.facts import RunFacts, read_run
from forgia_hpc.report.figures import moment
from forgia_hpc.report.markup import Safe, join, tag
from forgia_hpc.report.progress import progress
from forgia_hpc.report.receipt import cost_section
from forgia_hpc.report.sections import (
    anomaly_section,
    events_section,
    figures_section,
    forecasts_section,
    learning_section,
    origin_section,
    scores_section,
    skill_section,
    trouble_section,
)
from forgia_hpc.report.side_panels import sides_section
from forgia_hpc.report.standing import Standing, standing
from forgia_hpc.report.theme import STYLE
from forgia_hpc.report.verdict import kind, verdict
from forgia_hpc.rundir import RunDir, write_text

# The page needs nothing but its own style: no script, no network, whatever a log line tries.
# Pictures are in the page itself.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
NAMES = {
    "trouble": "Trouble",
    "campaign": "Campaign",
    "design": "Design",
    "fields": "Fields",
    "checks": "Residuals",
    "left-out": "Left out",
    "course": "Course",
    "figures": "Figures",
    "learning": "Learning",
    "skill": "Skill",
    "scores": "Scores",
    "sides": "Beside the solver",
    "forecasts": "Forecasts",
    "anomaly": "Anomalies",
    "cost": "Cost",
    "origin": "Origin",
    "events": "Events",
}


def write_report(run: RunDir, to: Path | None = None, *, state: str = "") -> Path:
    """Write the page of a run, whole, and return its path (`<run>/report.html` unless told).

    `state` is the word of jobs/track, used only where the run's own files leave it open.
    """
    path = to or run.path / "report.html"
    write_text(path, render(read_run(run, films=True), state))
    return path


def render(facts: RunFacts, told: str = "") -> str:
    """Return the page."""
    figures, state = progress(facts), standing(facts, told)
    found: dict[str, Safe | None] = {
        "trouble": trouble_section(facts, state),
        **campaign_sections(facts),
        "figures": None if facts.campaign else figures_section(facts, figures),
        "skill": skill_section(facts),
        "learning": learning_section(figures),
        "scores": scores_section(facts),
        "sides": sides_section(facts),
        "forecasts": forecasts_section(facts),
        "anomaly": anomaly_section(facts),
        "cost": cost_section(facts),
        "origin": origin_section(facts),
        "events": events_section(facts),
    }
    sections = {name: content for name, content in found.items() if content is not None}
    links = {f"#{name}": NAMES[name] for name in sections}
    eyebrow = _eyebrow(facts, state)
    return document(
        facts.name, eyebrow, verdict(facts, figures, state), links, list(sections.values())
    )


def _eyebrow(facts: RunFacts, state: Standing) -> Safe:
    badge = tag("span", state.word, class_=f"badge{' trouble' if state.is_trouble else ''}")
    when = f" · {moment(facts.events[-1].time_ns)}" if facts.events else ""
    label = f" · {facts.asked('label')}" if facts.asked("label") else ""
    return join(badge, f"{kind(facts)} · {facts.name}{label}{when}")


def document(
    title: str, eyebrow: object, headline: str, links: dict[str, str], content: list[Safe]
) -> str:
    """Return a whole HTML document of ours."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Safe(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{title} · forgia"),
        Safe(f"<style>{STYLE}</style>"),
    )
    jumps = [tag("li", tag("a", name, href=target)) for target, name in links.items()]
    header = tag(
        "header",
        tag("p", eyebrow, class_="eyebrow"),
        tag("h1", headline),
        tag("nav", tag("ul", *jumps), aria_label="Sections"),
    )
    footer = tag(
        "footer", f"Made by forgia {__version__} from the files of {title}; no network is used."
    )
    skip = tag("a", "Skip to the content", href="#content", class_="skip")
    body = tag("body", skip, header, tag("main", *content, id="content"), footer)
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"
