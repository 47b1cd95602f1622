"""A campaign on the terminal: the same figures as on its page."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.table import Table

from forgia_hpc.report.campaign import Campaign
from forgia_hpc.report.campaign_figures import (
    Check,
    causes,
    checks,
    cost_facts,
    counts,
    course,
    errors,
    made_of,
)
from forgia_hpc.report.curves import spark
from forgia_hpc.report.dataset_bars import shown, unshown
from forgia_hpc.report.facts import RunFacts
from forgia_hpc.report.figures import significant, words
from forgia_hpc.report.terminal_parts import ACCENT, grid, pairs, plain, titled

MOST_LEFT_OUT = 8


def campaign_blocks(facts: RunFacts, campaign: Campaign) -> Iterable[Group]:
    """Yield what a campaign came to: members, cost, checks, what failed."""
    told = [(name, f"{value}  {remark}".rstrip()) for name, value, remark in counts(campaign)]
    told += [*made_of(facts, campaign), *cost_facts(facts, campaign)]
    if went := course(campaign):
        told.append(("Members/s", spark([rate for _, rate in went.total])))
    yield titled("Campaign", pairs(told))
    if found := checks(campaign):
        yield titled("Checks", _checks(found))
    if differ := errors(campaign):
        rows = [(name, _refined(row)) for name, row in differ.items()]
        yield titled("Refinement error", pairs(rows))
    if failed := causes(campaign):
        rows = [(kind, f"{_times(many)}, {whose}; {ends}") for kind, whose, many, _, ends in failed]
        yield titled("Tries that failed", pairs(rows))
    if out := campaign.left_out():
        rows = [(one.id, f"{one.ended}: {one.why[:160]}") for one in out[:MOST_LEFT_OUT]]
        more = [("", f"and {len(out) - len(rows)} more")] if len(out) > len(rows) else []
        yield titled("Left out", pairs([*rows, *more]))


def _times(many: int) -> str:
    return "once" if many == 1 else f"{many} times"


def _refined(row: dict[str, float]) -> str:
    if not shown(row):
        return unshown(varies=True)
    return ", ".join(
        f"{name.replace('_', ' ')} {significant(value)}" for name, value in row.items()
    )


def _checks(found: Iterable[Check]) -> Table:
    table = grid("Check", "Members", "Failed", "Median", "Farthest from 0")
    for one in found:
        ends = (
            (sorted(one.values)[len(one.values) // 2], max(one.values, key=abs))
            if one.values
            else ()
        )
        cells = [words(one.name), str(one.seen), str(one.failed or "none"), *map(significant, ends)]
        table.add_row(*map(plain, cells), style=f"bold {ACCENT}" if one.failed else "")
    return table
