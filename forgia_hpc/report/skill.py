"""Skill against the baseline: dots with intervals, one panel a split; and the table of the scores."""

from __future__ import annotations

from forgia_hpc.report.evaluation import Evaluation, Skill
from forgia_hpc.report.figures import percent, words
from forgia_hpc.report.markup import Safe, table, tag
from forgia_hpc.report.svg import Frame, nice_ticks, panel

METRICS = {"sql": "scaled quantile loss", "mase": "mean absolute scaled error"}
VRMSE = "vrmse_"  # before the steps ahead
ROW_PX = 38.0
WORST = -1.0  # a dot further left is drawn at the edge: the number beside it still says all


def metric_words(metric: str) -> str:
    """Return a metric in words."""
    if metric.startswith(VRMSE):
        return f"error after {_steps(metric)}"
    return METRICS.get(metric, metric)


def metric_name(metric: str) -> str:
    """Return a metric's short name."""
    if metric.startswith(VRMSE):
        return f"VRMSE, {_steps(metric)}"
    return metric.upper()


def _steps(metric: str) -> str:
    ahead = metric.removeprefix(VRMSE)
    return f"{ahead} step{'s' * (ahead != '1')}"


def interval(one: Skill) -> str:
    """Return the interval in words, or an empty string; the evaluation's are of 95 %."""
    if one.low is None or one.high is None:
        return ""
    return f"{percent(one.low)} to {percent(one.high)}"


def between(one: Skill) -> str:
    """Return the interval as a sentence has it, or why there is none; empty where nobody knows."""
    return f"95 % interval {interval(one)}" if interval(one) else why_none(one)


def why_none(one: Skill) -> str:
    """Return why there is no interval: too few trajectories; empty where nobody knows."""
    if one.series is None:
        return ""
    said = "one trajectory" if one.series == 1 else f"{one.series:g} trajectories"
    return f"{said}: no interval"


def skill_panels(judged: Evaluation) -> list[Safe]:
    """Return one panel a split, of the first metric that has skills."""
    metric = first_metric(judged)
    chosen = [one for one in judged.skill if one.metric == metric]
    splits = list(dict.fromkeys(one.split for one in chosen))
    if len(splits) > 1 and {one.contribution for one in chosen if one.split == "all"} == {"all"}:
        splits.remove("all")  # a panel of one row; the headline and the table say it
    limits = _limits(chosen)
    return [
        _panel(split, [one for one in chosen if one.split == split], limits) for split in splits
    ]


def first_metric(judged: Evaluation) -> str:
    """Return the metric shown: sql where it is there."""
    metrics = list(dict.fromkeys(one.metric for one in judged.skill))
    return "sql" if "sql" in metrics else next(iter(metrics), "")


def _limits(chosen: list[Skill]) -> tuple[float, float]:
    seen = [
        value for one in chosen for value in (one.skill, one.low, one.high) if value is not None
    ]
    return max(min([*seen, -0.1]), WORST) - 0.03, min(max([*seen, 0.1]), 1.0) + 0.03


def _panel(split: str, chosen: list[Skill], limits: tuple[float, float]) -> Safe:
    names = dict.fromkeys(one.contribution for one in chosen)
    rows = sorted(names, key=lambda name: name != "all")  # the whole first, the rest as it comes
    frame = Frame(
        limits,
        (0, 1),
        height=ROW_PX * len(rows) + 56,
        left=166,
        right=24,
        top=22,
        bottom=34,
    )
    _axis(frame)
    says = []
    for index, name in enumerate(rows):
        level = frame.top + ROW_PX * (index + 0.5)
        label = "all contributions" if name == "all" else words(name)
        frame.text(
            frame.left - 12,
            level + 4.5,
            _short(label),
            "name whole" if name == "all" else "name",
            "end",
        )
        ordered = sorted(
            (one for one in chosen if one.contribution == name), key=lambda o: o.method == "model"
        )
        for one in ordered:
            _dot(frame, level, one, lone=len(ordered) == 1)
            says.append(f"{label}, {words(one.method)}: {percent(one.skill, sign=True)}")
    title = "All splits" if split == "all" else words(split).capitalize()
    return panel(frame.draw(f"{title}. " + "; ".join(says) + "."), title)


def _short(name: str, most: int = 20) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _axis(frame: Frame) -> None:
    base = frame.height - frame.bottom
    for value in nice_ticks(*frame.x_range, 5):
        at = frame.x(value)
        frame.rule(at, frame.top, at, base, "zero" if value == 0 else "grid")
        frame.text(at, base + 17, percent(value, sign=value != 0), anchor="middle")
    zero = frame.x(0)
    frame.text(zero - 6, frame.top - 8, "← worse", anchor="end")
    frame.text(zero + 6, frame.top - 8, "better →")


def _dot(frame: Frame, level: float, one: Skill, *, lone: bool) -> None:
    low, high = frame.x_range
    is_model = one.method == "model"
    class_ = "model" if is_model else "other"
    level += 0 if lone else (-7 if is_model else 8)
    if one.low is not None and one.high is not None:
        ends = [frame.x(min(max(value, low), high)) for value in (one.low, one.high)]
        frame.rule(ends[0], level, ends[1], level, f"whisker {class_}")
    at = frame.x(min(max(one.skill, low), high))
    tip = f"{words(one.method)}: {percent(one.skill, sign=True)}"
    if between(one):
        tip += f", {between(one)}"
    frame.pieces.append(
        tag(
            "circle",
            tag("title", tip),
            cx=f"{at:.1f}",
            cy=f"{level:.1f}",
            r="5.5" if is_model else "4",
            class_=f"dot {class_}",
        )
    )
    if is_model:
        _value(frame, level + 4.5, one)


def _value(frame: Frame, level: float, one: Skill) -> None:
    """Write the skill beside its interval: on the right, or on the left where there is no room."""
    low, high = frame.x_range
    ends = [value for value in (one.skill, one.low, one.high) if value is not None]
    right = frame.x(min(max(*ends, low), high)) + 10
    left = frame.x(max(min(*ends, high), low)) - 10
    words_ = percent(one.skill, sign=True)
    if right + 44 < frame.width:
        frame.text(right, level, words_, "value")
    else:
        frame.text(left, level, words_, "value", "end")


def skill_hint(judged: Evaluation) -> str:
    """Return what the panels show, in words."""
    metric = first_metric(judged)
    against = " and ".join(dict.fromkeys(words(one.against) for one in judged.skill))
    return (
        f"By how much the {metric_words(metric)} ({metric_name(metric)}) is lower than that of the {against}. "
        "Zero is as good as the baseline; bars are 95 % intervals."
    )


def skill_table(judged: Evaluation) -> Safe:
    """Return every skill with its interval, as a table."""
    rows: list[list[object]] = [
        [
            words(one.contribution),
            words(one.split),
            words(one.method),
            words(one.against),
            metric_name(one.metric),
            percent(one.skill, sign=True),
            interval(one) or why_none(one) or "–",
        ]
        for one in judged.skill
    ]
    head = ["Contribution", "Split", "Method", "Against", "Metric", "Skill", "95 % interval"]
    return table("Skill against the baseline", head, rows, text_columns=5)
