"""The sections of a campaign's page; a section with nothing to say is None."""

from __future__ import annotations

from forgia_hpc.report.campaign import Campaign
from forgia_hpc.report.campaign_figures import (
    Check,
    Course,
    causes,
    checks,
    cost_facts,
    counts,
    course,
    errors,
    made_of,
    seconds_of,
)
from forgia_hpc.report.dataset_bars import shown
from forgia_hpc.report.design import MOST_INPUTS, design_key, design_panels
from forgia_hpc.report.facts import RunFacts
from forgia_hpc.report.figures import count, duration, significant
from forgia_hpc.report.film_strips import film_block
from forgia_hpc.report.histogram import histogram
from forgia_hpc.report.markup import Safe, join, table, tag
from forgia_hpc.report.sections import facts_table, panels, section
from forgia_hpc.report.svg import Frame, clock_unit, panel

MOST_LEFT_OUT = 30
MOST_LINES = 6  # groups with a line of their own


def campaign_sections(facts: RunFacts) -> dict[str, Safe | None]:
    """Return the sections by name, in order; empty for any other job."""
    campaign = facts.campaign
    if campaign is None:
        return {}
    return {
        "campaign": _summary(facts, campaign),
        "design": _design(campaign),
        "fields": _fields(facts, campaign),
        "checks": _checks(campaign),
        "left-out": _left_out(campaign),
        "course": _course(campaign),
    }


def _summary(facts: RunFacts, campaign: Campaign) -> Safe:
    boxes = [
        tag("div", tag("dt", name), tag("dd", value, tag("small", remark) if remark else None))
        for name, value, remark in counts(campaign)
    ]
    rows = [*made_of(facts, campaign), *cost_facts(facts, campaign)]
    return section(
        "campaign",
        "Campaign",
        "",
        tag("dl", *boxes, class_="figures"),
        facts_table("What was solved, and what it cost", rows),
    )


def _design(campaign: Campaign) -> Safe | None:
    drawn = design_panels(campaign)
    if drawn is None:
        return None
    more = sum(one.varies for one in campaign.inputs) - MOST_INPUTS
    hint = "Every pair of inputs; large ensembles are thinned out evenly, what was left out is not."
    hint += f" {more} more inputs vary." if more > 0 else ""
    return section("design", "Design", hint, design_key(campaign), drawn)


def _fields(facts: RunFacts, campaign: Campaign) -> Safe | None:
    if not facts.films:
        return None
    by_number = {one.number: one for one in campaign.members}
    fields = dict.fromkeys(one.field for one in facts.films)
    drawn = [
        film_block([one for one in facts.films if one.field == name], by_number, campaign.inputs)
        for name in fields
    ]
    hint = (
        f"Some members over time, read from {campaign.named()}: {facts.films[0].planes}. "
        "The scale of a field is that of its admitted members."
    )
    return section("fields", "Fields", hint, *drawn)


def _checks(campaign: Campaign) -> Safe | None:
    found = checks(campaign)
    differ = errors(campaign)
    if not (found or differ):
        return None
    drawn = [_check_panel(one) for one in found if one.varies]
    return section(
        "checks",
        "Residuals and checks",
        "What the physics says of each member; refined ones too.",
        _checks_table(found) if found else None,
        panels([one for one in drawn if one is not None]),
        _errors_table(differ) if differ else None,
    )


def _check_panel(one: Check) -> Safe | None:
    values = [abs(value) for value in one.values]
    zeros = values.count(0.0)
    known = [value for value in values if value] if zeros < len(values) else values
    remark = f"{count(zeros)} of {count(len(values))} are 0" if zeros else ""
    return histogram(one.name.replace("_", " "), known, "", one.limit, remark)


def _checks_table(found: list[Check]) -> Safe:
    rows: list[list[object]] = [
        [
            one.name.replace("_", " "),
            tag("span", one.limit, class_="why"),
            count(one.seen),
            count(one.failed) if one.failed else "none",
            significant(sorted(one.values)[len(one.values) // 2]) if one.values else "–",
            significant(max(one.values, key=abs)) if one.values else "–",
        ]
        for one in found
    ]
    head = ["Check", "Limit, of the farthest", "Members", "Failed", "Median", "Farthest from 0"]
    return table("Checks over all members", head, rows, text_columns=2)


def _errors_table(found: dict[str, dict[str, float]]) -> Safe:
    keys = list(dict.fromkeys(key for row in found.values() for key in row))
    rows: list[list[object]] = [
        [name, *(significant(row[key]) if key in row and shown(row) else "–" for key in keys)]
        for name, row in found.items()
    ]
    head = ["Refinement error", *(key.replace("_", " ") for key in keys)]
    hint = (
        "Refinement: what changes on a mesh of half the width, over all refined members, in units of the field. "
        "No figure: they gave the same on both meshes, as where a phase never forms."
    )
    return join(tag("p", hint, class_="hint"), table("Refinement errors by field", head, rows))


def _left_out(campaign: Campaign) -> Safe | None:
    out = campaign.left_out()
    if not out:
        return None
    inputs = [one for one in campaign.inputs if one.varies]
    rows: list[list[object]] = [
        [
            str(one.number),
            one.id,
            one.ended,
            tag("span", one.why[:300], class_="why"),
            *(significant(each.values[one.number]) for each in inputs),
        ]
        for one in out[:MOST_LEFT_OUT]
    ]
    head = ["Member", "Id", "Ending", "Why", *(one.name for one in inputs)]
    left = len(out) - MOST_LEFT_OUT
    hint = "What each has left lies in output/campaign/rejected/<id>."
    hint += f" Here are {MOST_LEFT_OUT}, {left} more are there." if left > 0 else ""
    return section(
        "left-out", "Left out", hint, table("Members left out", head, rows, text_columns=4)
    )


def _course(campaign: Campaign) -> Safe | None:
    taken, went, failed = seconds_of(campaign), course(campaign), causes(campaign)
    spread = histogram("Seconds of a member", taken, "s") if taken else None
    drawn = [one for one in (spread, _pace(went) if went else None) if one is not None]
    if not (drawn or failed):
        return None
    rows: list[list[object]] = [
        [kind, whose, ends, count(times), count(members)]
        for kind, whose, times, members, ends in failed
    ]
    head = ["Tries that failed", "Whose doing", "How their members ended", "Times", "Members"]
    return section(
        "course",
        "Course",
        _pauses(went),
        panels(drawn),
        table("Tries that failed, by cause", head, rows, text_columns=3)
        if failed
        else tag("p", "No try has failed.", class_="hint"),
    )


def _pauses(went: Course | None) -> str:
    if went is None or not went.idle:
        return ""
    return f"{duration(went.idle)} in which no member was at work are left out."


def _pace(went: Course) -> Safe:
    """Return members a second over time: of all together, and of each group where they are few."""
    length, name = clock_unit(went.seconds)
    highest = max(rate for _, rate in went.total)
    frame = Frame((0.0, went.seconds), (0.0, highest * 1.08 or 1.0))
    frame.y_axis()
    frame.x_axis(f"{name} with members at work", unit=length)
    some = went.groups if 1 < len(went.groups) <= MOST_LINES else {}
    for at, line in enumerate(some.values()):
        frame.line(line, f"s{at}")
    frame.line(went.total, "truth")
    mean = sum(rate for _, rate in went.total) / len(went.total)
    key = [tag("li", tag("span", class_="stroke"), "all groups")]
    key += [
        tag("li", tag("span", class_=f"stroke s{at}"), f"group {group}")
        for at, group in enumerate(some)
    ]
    ending = f"{significant(mean)} members/s"
    says = f"Throughput over {duration(went.seconds)}: {ending} in the mean."
    title = join("Throughput ", tag("span", ending, class_="ending"))
    return panel(join(frame.draw(says), tag("ul", *key, class_="key")), title)
