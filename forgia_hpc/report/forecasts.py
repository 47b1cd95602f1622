"""Forecasts and anomaly scores as small panels."""

from __future__ import annotations

from forgia_hpc.report.evaluation import Anomaly, Forecast, Series
from forgia_hpc.report.figures import significant, unit, words
from forgia_hpc.report.markup import Safe, join, tag
from forgia_hpc.report.svg import Frame, Pairs, clock_unit, padded, panel

MOST_FORECASTS = 24
MOST_ANOMALIES = 12
BUCKETS = 420  # about one a pixel of a panel


def bands(one: Forecast) -> list[tuple[float, Series, Series]]:
    """Return (level, lower, upper) from wide to narrow: 80 and 50 %, else the widest pair there is."""
    pairs = {
        round(1 - 2 * low, 6): (one.quantiles[low], one.quantiles[high])
        for low in sorted(one.quantiles)
        for high in one.quantiles
        if low < 0.5 and abs(low + high - 1) < 1e-6
    }
    wanted = [level for level in (0.8, 0.5) if level in pairs] or sorted(pairs)[-1:]
    return [(level, *pairs[level]) for level in wanted]


def middle(one: Forecast) -> Series:
    """Return the median of the forecast, or nothing where it has none."""
    return next((values for level, values in one.quantiles.items() if abs(level - 0.5) < 1e-6), [])


def forecast_panel(one: Forecast) -> Safe | None:
    """Return context, truth, median, bands and the naive forecast; None where nothing was measured."""
    horizon = max(len(one.truth), len(middle(one)), 1)
    context = one.context[-(horizon + horizon // 2) :]
    lines = [
        context,
        one.truth,
        middle(one),
        one.naive,
        *(s for _, *two in bands(one) for s in two),
    ]
    seen = [value for line in lines for value in line if value is not None]
    if not seen:
        return None
    step = one.step_seconds or 0.0
    length, name = clock_unit(step * (len(context) + horizon)) if step > 0 else (1.0, "steps")
    step = step or 1.0
    frame = Frame((-len(context) * step, horizon * step), padded(seen), bottom=42)
    frame.y_axis()
    frame.x_axis(f"{name} from the start of the forecast", unit=length)
    start = frame.x(0)
    frame.rule(start, frame.top - 4, start, frame.height - frame.bottom, "mark")
    _forecast_lines(frame, one, context, step)
    where = f"{words(one.contribution)} · {one.asset}"
    title = join(one.channel, " ", tag("span", f"in {unit(one.unit) or 'no unit'}", class_="unit"))
    says = f"Forecast of {one.channel} of {where}, {words(one.split)}, {horizon} steps."
    return panel(frame.draw(says), title, f"{where} · {words(one.split)}")


def _forecast_lines(frame: Frame, one: Forecast, context: Series, step: float) -> None:
    def ahead(values: Series) -> Pairs:
        return [((index + 1) * step, value) for index, value in enumerate(values)]

    for (_, low, high), class_ in zip(bands(one), ("band wide", "band narrow"), strict=False):
        frame.band(ahead(low), ahead(high), class_)
    past = [((index + 1 - len(context)) * step, value) for index, value in enumerate(context)]
    frame.line(ahead(one.naive), "naive")
    frame.line(past, "context")
    frame.line([*past[-1:], *ahead(one.truth)], "truth")
    frame.line(ahead(middle(one)), "accent")


def forecast_key(examples: list[Forecast]) -> Safe:
    """Return what the lines and bands of the panels mean."""
    seen = list(dict.fromkeys(level for one in examples for level, *_ in bands(one)))
    shades = ("wide", "narrow")
    items = [("context", "context"), ("truth", "truth"), ("accent", "median forecast")]
    if any(one.naive for one in examples):
        items.append(("naive", "seasonal naive"))
    strokes = [
        tag("li", tag("span", class_=f"stroke {class_}"), words_) for class_, words_ in items
    ]
    fills = [
        tag("li", tag("span", class_=f"swatch band {shade}"), f"{level * 100:.0f} % band")
        for level, shade in zip(sorted(seen, reverse=True), shades, strict=False)
    ]
    return tag("ul", *strokes, *fills, class_="key")


def peaks(scores: Series, buckets: int = BUCKETS) -> list[tuple[float, float | None]]:
    """Return (index, largest score) of each bucket: a peak is never thinned away."""
    if len(scores) <= buckets:
        return [(float(index), value) for index, value in enumerate(scores)]
    kept: list[tuple[float, float | None]] = []
    for number in range(buckets):
        first = number * len(scores) // buckets
        last = (number + 1) * len(scores) // buckets
        known = [value for value in scores[first:last] if value is not None]
        kept.append(((first + last - 1) / 2, max(known, default=None)))
    return kept


def anomaly_panel(one: Anomaly) -> Safe | None:
    """Return the scores over time with the labelled stretches shaded; None where there is no score."""
    known = [value for value in one.scores if value is not None]
    if not known:
        return None
    step = one.step_seconds or 0.0
    steps = len(one.scores) * one.stride
    length, name = clock_unit(step * steps) if step > 0 else (1.0, "steps")
    step = step or 1.0
    low, high = padded(known)
    frame = Frame((0, steps * step), (max(low, min(0, *known)), high))
    frame.y_axis()
    _labels(frame, one, step)
    frame.x_axis(f"{name} from step {one.start:.0f}", unit=length)
    pitch = one.stride * step
    frame.line([((at + 0.5) * pitch, value) for at, value in peaks(one.scores)], "truth")
    figures = [
        f"AUC {significant(value)}{suffix}"
        for value, suffix in ((one.auc, ""), (one.baseline_auc, " (baseline)"))
        if value is not None
    ]
    ending = tag("span", " · ".join(figures) or "no AUC", class_="ending")
    says = (
        f"Anomaly score of {one.asset}, {len(one.labels)} labelled stretches, {', '.join(figures)}."
    )
    channels = f"{one.channels:.0f} channels" if one.channels is not None else ""
    remark = " · ".join(word for word in (words(one.contribution), channels) if word)
    return panel(frame.draw(says), join(one.asset, " ", ending), remark)


def _labels(frame: Frame, one: Anomaly, step: float) -> None:
    top, base = frame.top - 8, frame.height - frame.bottom
    for first, last in one.labels:
        # `last` is included; a label may begin before the first score, and one of a step must still be seen.
        left = max(first - one.start, 0.0)
        right = min(last + 1 - one.start, len(one.scores) * one.stride)
        if right <= left:
            continue
        x1, x2 = frame.x(left * step), frame.x(right * step)
        frame.pieces.append(
            tag(
                "rect",
                tag("title", f"labelled: steps {first:.0f} to {last:.0f}"),
                x=f"{x1:.1f}",
                y=f"{top:.1f}",
                width=f"{max(x2 - x1, 1.5):.1f}",
                height=f"{base - top:.1f}",
                class_="label",
            )
        )
