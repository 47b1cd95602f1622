"""The sections of a run's page; a section with nothing to say is None."""

from __future__ import annotations

from collections.abc import Callable

from forgia_hpc.report.curves import curves, smoothing, time_bar
from forgia_hpc.report.facts import RunFacts
from forgia_hpc.report.figures import count, duration, moment, si, significant, words
from forgia_hpc.report.forecasts import (
    MOST_ANOMALIES,
    MOST_FORECASTS,
    anomaly_panel,
    forecast_key,
    forecast_panel,
)
from forgia_hpc.report.markup import Safe, join, tag
from forgia_hpc.report.origin import command, flat, origin
from forgia_hpc.report.progress import Progress
from forgia_hpc.report.rollouts import rollouts_block
from forgia_hpc.report.scores import score_table
from forgia_hpc.report.skill import skill_hint, skill_panels, skill_table
from forgia_hpc.report.standing import Standing, error_of, trace_of
from forgia_hpc.report.verdict import parameters
from forgia_hpc.rundir import Event

MOST_EVENTS = 60
Fact = tuple[str, str, str]  # what, how much, a remark


def section(name: str, title: str, hint: str, *content: object) -> Safe:
    """Return a section with its heading."""
    lead = tag("p", hint, class_="hint") if hint else None
    return tag(
        "section",
        tag("h2", title, id=f"{name}-title"),
        lead,
        *content,
        id=name,
        aria_labelledby=f"{name}-title",
    )


def panels(drawn: list[Safe]) -> Safe:
    """Return panels side by side."""
    return tag("div", *drawn, class_="panels")


def key_figures(facts: RunFacts, figures: Progress) -> list[Fact]:
    """Return the figures of the run that are known."""
    planned = f"of {count(figures.planned)} asked" if figures.planned is not None else ""
    again = "of the last attempt" if figures.resumed_from else ""
    shown: list[tuple[str, float | None, Callable[[float], str], str]] = [
        ("Steps", figures.steps, count, planned),
        ("Tokens", figures.tokens, count, again or "patches of 16 time steps"),
        ("Throughput", figures.throughput, si, "tokens/s, median of the logged steps"),
        ("Wall time", figures.seconds, duration, again),
        ("Memory", figures.memory_gb, lambda v: f"{significant(v)} GB", "largest seen"),
        ("Parameters", parameters(facts), count, ""),
        ("Resumed from", figures.resumed_from or None, lambda v: f"step {v:.0f}", ""),
        ("Skipped steps", figures.skipped or None, count, "by the optimizer"),
    ]
    return [(name, say(value), remark) for name, value, say, remark in shown if value is not None]


def figures_section(facts: RunFacts, figures: Progress) -> Safe | None:
    """Return the key figures and where the time went."""
    known = key_figures(facts, figures)
    boxes = [
        tag("div", tag("dt", name), tag("dd", value, tag("small", remark) if remark else None))
        for name, value, remark in known
    ]
    bar = time_bar(figures.step_parts, figures.logged)
    if not boxes and bar is None:
        return None
    return section(
        "figures", "Figures", "", tag("dl", *boxes, class_="figures") if boxes else None, bar
    )


def learning_section(figures: Progress) -> Safe | None:
    """Return the curves over the steps."""
    drawn = curves(figures)
    window = smoothing(figures.loss)
    hint = "Over the steps of the optimizer."
    hint += f" Bold: the mean of {window} logged steps; faint: each of them." if window > 1 else ""
    return section("learning", "How it learned", hint, panels(drawn)) if drawn else None


def skill_section(facts: RunFacts) -> Safe | None:
    """Return the dot plots of skill."""
    judged = facts.evaluation
    if judged is None or not judged.skill:
        return None
    others = dict.fromkeys(words(one.method) for one in judged.skill if one.method != "model")
    key = [tag("li", tag("span", class_="ring full"), "model")]
    key += [tag("li", tag("span", class_="ring"), name) for name in others]
    every = tag("details", tag("summary", "Every skill as a table"), skill_table(judged))
    return section(
        "skill",
        "Skill",
        skill_hint(judged),
        tag("ul", *key, class_="key"),
        panels(skill_panels(judged)),
        every,
    )


def scores_section(facts: RunFacts) -> Safe | None:
    """Return the table of scores and the notes of the evaluation."""
    judged = facts.evaluation
    if judged is not None and judged.rollouts:
        return section("scores", "Scores", *rollouts_block(judged))
    if judged is None or not (judged.scores or judged.notes):
        return None
    hint = (
        "SQL: scaled quantile loss, MASE: mean absolute scaled error; less is better. "
        "“In 80 %”: how much of the truth lies in the 80 % band; ideally just that."
    )
    notes = [tag("p", note, class_="hint") for note in judged.notes]
    scores = score_table(judged.scores) if judged.scores else None
    return section("scores", "Scores", hint, scores, *notes)


def forecasts_section(facts: RunFacts) -> Safe | None:
    """Return the example forecasts."""
    examples = facts.evaluation.examples if facts.evaluation else []
    drawn = [one for one in map(forecast_panel, examples[:MOST_FORECASTS]) if one is not None]
    if not drawn:
        return None
    more = more_of(len(examples) - MOST_FORECASTS, "forecasts")
    hint = "Examples of the judged windows, in physical units; the dashed line is the start of the forecast."
    return section("forecasts", "Forecasts", hint, forecast_key(examples), panels(drawn), more)


def anomaly_section(facts: RunFacts) -> Safe | None:
    """Return the anomaly scores."""
    scored = facts.evaluation.anomaly if facts.evaluation else []
    drawn = [one for one in map(anomaly_panel, scored[:MOST_ANOMALIES]) if one is not None]
    if not drawn:
        return None
    key = tag(
        "ul",
        tag("li", tag("span", class_="swatch shaded"), "labelled by the contributor"),
        class_="key",
    )
    hint = (
        "How little each step agrees with the forecast; peaks are kept where the line is thinned. "
        "AUC 0.5 is chance, 1 is perfect."
    )
    more = more_of(len(scored) - MOST_ANOMALIES, "machines")
    return section("anomaly", "Anomaly scores", hint, key, panels(drawn), more)


def more_of(left: int, what: str) -> Safe | None:
    """Return where the rest is, if there is any."""
    words = f"{left} more {what} in output/evaluation.json."
    return tag("p", words, class_="hint") if left > 0 else None


def trouble_section(facts: RunFacts, state: Standing) -> Safe | None:
    """Return what went wrong: the error of the events and the ends of the logs."""
    notes = (
        tag("div", tag("ul", *(tag("li", note) for note in facts.notes)), class_="warning")
        if facts.notes
        else None
    )
    ailing = state.word not in ("finished", "sealed", "submitted", "pending")
    error = "\n\n".join(text for text in (error_of(facts), trace_of(facts)) if text and ailing)
    logs = (
        [
            join(tag("h3", f"logs/{log.name}"), tag("pre", "\n".join(log.lines)))
            for log in facts.logs
        ]
        if ailing
        else []
    )
    saved = (
        f"Newest checkpoint here: step {facts.checkpoints[-1]} (not verified by this page)."
        if ailing and facts.checkpoints
        else ""
    )
    if not (notes or error or logs or saved):
        return None
    return section(
        "trouble",
        "What went wrong" if state.word == "failed" else "Last signs",
        f"{state.because}. {saved}".strip(),
        notes,
        tag("pre", error) if error else None,
        *logs,
    )


def origin_section(facts: RunFacts) -> Safe:
    """Return what the run is made of and how to make it again."""
    again = command(facts)
    return section(
        "origin",
        "Origin",
        "What is needed to make this run again.",
        tag("pre", again) if again else tag("p", "The command was not recorded in this run."),
        facts_table("What the run is made of", origin(facts)),
        _more_facts("result.json", flat(facts.result)),
        _more_facts("receipt.json", flat(facts.receipt)),
    )


def facts_table(caption: str, rows: list[tuple[str, str]]) -> Safe:
    """Return names and values, one below the other."""
    body = [tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in rows]
    return tag(
        "table", tag("caption", caption, class_="unseen"), tag("tbody", *body), class_="facts"
    )


def _more_facts(name: str, rows: list[tuple[str, str]]) -> Safe | None:
    return tag("details", tag("summary", name), facts_table(name, rows)) if rows else None


def events_section(facts: RunFacts) -> Safe | None:
    """Return the events in the order of their times."""
    events = facts.events
    if not events:
        return None
    left = len(events) - MOST_EVENTS
    shown = [*events[: MOST_EVENTS // 3], *events[-2 * MOST_EVENTS // 3 :]] if left > 0 else events
    lines = [_event(event, events[0].time_ns) for event in shown]
    hint = f"Since {moment(events[0].time_ns)}"
    hint += f"; {left} events in the middle are left out." if left > 0 else "."
    return section("events", "Events", hint, tag("ol", *lines, class_="events"))


def event_facts(event: Event, most: int = 300) -> str:
    """Return the facts of an event in one line."""
    silent: tuple[object, ...] = (None, "", {}, [])
    told = {key: value for key, value in event.facts.items() if key != "trace"}
    said = ", ".join(f"{words(key)} {value}" for key, value in told.items() if value not in silent)
    said = " ".join(said.split())
    return said if len(said) <= most else said[: most - 1] + "…"


def _event(event: Event, start_ns: int) -> Safe:
    after = f"+ {duration((event.time_ns - start_ns) / 1e9)}"
    return tag(
        "li",
        tag("time", after, title=moment(event.time_ns)),
        tag("div", tag("b", words(event.what)), " ", tag("span", event_facts(event))),
    )
