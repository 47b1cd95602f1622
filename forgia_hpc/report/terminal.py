"""A run on the terminal: the same content as its page, as rich panels and tables."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from forgia_hpc.report.campaign_terminal import campaign_blocks
from forgia_hpc.report.curves import spark
from forgia_hpc.report.evaluation import Evaluation
from forgia_hpc.report.facts import RunFacts, read_run
from forgia_hpc.report.figures import duration, moment, percent, si, significant, words
from forgia_hpc.report.origin import command, origin
from forgia_hpc.report.progress import Progress, progress
from forgia_hpc.report.scores import best_scores, levels, score_cells, score_head
from forgia_hpc.report.sections import event_facts, key_figures
from forgia_hpc.report.skill import (
    first_metric,
    interval,
    metric_name,
    why_none,
)
from forgia_hpc.report.standing import Standing, error_of, standing
from forgia_hpc.report.terminal_parts import ACCENT, grid, pairs, plain, titled
from forgia_hpc.report.verdict import kind, verdict
from forgia_hpc.rundir import RunDir

LAST_EVENTS = 8
LAST_LINES = 6
BAR_CELLS = 20


def show_run(run: RunDir, console: Console, *, state: str = "", brief: bool = False) -> None:
    """Show a run, whatever became of it; `state` as in `write_report`.

    brief: of a run that ended well only what it reached; the page has the rest.
    """
    facts = read_run(run)
    figures, state_ = progress(facts), standing(facts, state)
    console.print(_headline(facts, figures, state_))
    whole = not brief or state_.word != "finished"
    for block in _blocks(facts, figures, state_) if whole else _reached(facts, figures):
        console.print(Padding(block, (0, 2)))
        console.print()


def _headline(facts: RunFacts, figures: Progress, state: Standing) -> Panel:
    badge = f"bold reverse {ACCENT}" if state.is_trouble else f"bold {ACCENT}"
    title = Text.assemble(
        (f" {state.word} ", badge), "  ", plain(f"{kind(facts)} · {facts.name}", "dim")
    )
    return Panel(
        plain(verdict(facts, figures, state), "bold"),
        title=title,
        title_align="left",
        box=box.ROUNDED,
        border_style=ACCENT if state.is_trouble else "dim",
        padding=(1, 2),
    )


def _blocks(facts: RunFacts, figures: Progress, state: Standing) -> Iterable[Group]:
    judged = facts.evaluation
    if state.word != "finished" or facts.notes:
        yield from _trouble(facts, state)
    if facts.campaign:
        yield from campaign_blocks(facts, facts.campaign)
    elif known := key_figures(facts, figures):
        yield titled(
            "Figures",
            pairs([(name, f"{value}  {remark}".rstrip()) for name, value, remark in known]),
        )
    if figures.step_parts:
        yield titled("Where the time of a step goes", _time(figures))
    if lines := _curves(figures):
        yield titled("How it learned", pairs(lines))
    if judged and judged.skill:
        yield titled(f"Skill ({metric_name(first_metric(judged))})", _skill(judged))
    if judged and judged.scores:
        yield titled("Scores", _scores(judged))
    if judged and judged.anomaly:
        yield titled("Anomaly scores", _anomaly(judged))
    yield titled("Origin", pairs([("Command", command(facts) or "not recorded"), *origin(facts)]))
    if facts.events:
        yield titled("Last events", _events(facts))


def _reached(facts: RunFacts, figures: Progress) -> Iterable[Group]:
    """What a finished run reached: loss and skill, or the figures of a run that has neither."""
    judged = facts.evaluation
    lines = _curves(figures)
    if facts.campaign:
        yield from campaign_blocks(facts, facts.campaign)
        return
    if lines:
        yield titled("How it learned", pairs(lines))
    if judged and judged.skill:
        yield titled(f"Skill ({metric_name(first_metric(judged))})", _skill(judged))
    if not lines and (known := key_figures(facts, figures)):
        yield titled("Figures", pairs([(name, value) for name, value, _ in known]))


def _trouble(facts: RunFacts, state: Standing) -> Iterable[Group]:
    lines = [plain(note) for note in facts.notes]
    if state.word not in ("finished", "sealed", "submitted", "pending"):
        lines += [plain(error_of(facts), "bold")] if error_of(facts) else []
        for log in facts.logs:
            lines += [plain(f"logs/{log.name}", "dim"), *map(plain, log.lines[-LAST_LINES:])]
        if facts.checkpoints:
            lines.append(
                plain(f"newest checkpoint here: step {facts.checkpoints[-1]} (not verified)", "dim")
            )
    if lines:
        yield titled("What went wrong" if state.word == "failed" else "Last signs", *lines)


def _time(figures: Progress) -> Table:
    whole = sum(figures.step_parts.values())
    table = Table.grid(padding=(0, 2))
    for part, seconds in figures.step_parts.items():
        share = seconds / whole
        style = ACCENT if part == "compute" else "dim"
        table.add_row(
            Text(words(part), "dim"),
            Text("█" * max(round(share * BAR_CELLS * 2), 1), style),
            Text(f"{percent(share)} · {duration(seconds)}"),
        )
    return table


def _curves(figures: Progress) -> list[tuple[str, str]]:
    shown = (
        ("Loss", figures.loss, significant),
        ("Learning rate", figures.learning_rate, significant),
        ("Gradient norm", figures.grad_norm, significant),
        ("Tokens/s", figures.tokens_per_s, si),
    )
    return [
        (
            name,
            f"{spark([value for _, value in points])}  {say(points[0][1])} → {say(points[-1][1])}",
        )
        for name, points, say in shown
        if len(points) > 1
    ]


def _skill(judged: Evaluation) -> Table:
    """One row a contribution and split: the model's skill with its interval, the other methods beside it."""
    chosen = [one for one in judged.skill if one.metric == first_metric(judged)]
    others = list(dict.fromkeys(one.method for one in chosen if one.method != "model"))
    table = grid(
        "Contribution",
        "Split",
        "Model",
        "95 %",
        *(words(o).capitalize() for o in others),
        "",
        numbers_from=2,
    )
    for column in table.columns[2:]:
        column.no_wrap = True
    table.columns[-1].justify = "left"
    rows = dict.fromkeys((one.contribution, one.split) for one in chosen)
    for contribution, split in rows:
        here = {
            one.method: one
            for one in chosen
            if (one.contribution, one.split) == (contribution, split)
        }
        model = here.get("model")
        cells = round(min(abs(model.skill), 1.0) * BAR_CELLS / 2) if model else 0
        table.add_row(
            plain(words(contribution)),
            plain(words(split)),
            Text(percent(model.skill, sign=True) if model else "–", f"bold {ACCENT}"),
            Text((interval(model) or why_none(model) if model else None) or "–", "dim"),
            *(Text(percent(here[o].skill, sign=True) if o in here else "–", "dim") for o in others),
            Text(("█" if model and model.skill >= 0 else "░") * cells, ACCENT),
        )
    return table


def _scores(judged: Evaluation) -> Table:
    covered, best = levels(judged.scores), best_scores(judged.scores)
    table = grid("Contribution", "Split", "Method", *score_head(covered), numbers_from=3)
    for index, one in enumerate(judged.scores):
        style = "bold" if index in best else ""
        before = judged.scores[index - 1] if index else None
        names = [words(one.contribution), words(one.split)]
        if before and (before.contribution, before.split) == (one.contribution, one.split):
            names = ["", ""]
        cells = [*names, words(one.method), *score_cells(one, covered)]
        table.add_row(*(plain(cell, style) for cell in cells))
    return table


def _anomaly(judged: Evaluation) -> Table:
    table = grid(
        "Machine",
        "Contribution",
        "AUC",
        "Baseline",
        "Scores (the largest of each stretch)",
        numbers_from=2,
    )
    table.columns[-1].justify = "left"
    for one in judged.anomaly:
        known = [value for value in one.scores if value is not None]
        table.add_row(
            plain(one.asset),
            plain(words(one.contribution)),
            *(
                "–" if value is None else significant(value)
                for value in (one.auc, one.baseline_auc)
            ),
            Text(spark(known, 32, largest=True), ACCENT),
        )
    return table


def _events(facts: RunFacts) -> Table:
    start = facts.events[0].time_ns
    rows = [
        (
            f"+ {duration((event.time_ns - start) / 1e9)}",
            f"{words(event.what)}  {event_facts(event, 100)}".rstrip(),
        )
        for event in facts.events[-LAST_EVENTS:]
    ]
    return pairs([("since", moment(start)), *rows])
