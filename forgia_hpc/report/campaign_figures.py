"""The figures of a campaign: counts, cost, checks, failures; for the page and for the terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from forgia_hpc.report.campaign import Campaign, MemberFacts
from forgia_hpc.report.facts import RunFacts
from forgia_hpc.report.figures import count, number, significant
from forgia_hpc.simulate.retry import OUTSIDE

Fact = tuple[str, str, str]  # what, how much, a remark
MOST_POINTS = 60  # of the course


def counts(campaign: Campaign) -> list[Fact]:
    """Return how many members were planned, and what became of them."""
    planned = campaign.planned()
    ended = Counter(one.ending for one in planned)
    refined = campaign.planned(1)
    known = [
        one for one in planned if one.ending and one.seconds is None and one.ending != "poison"
    ]
    found = [
        ("Planned", len(planned), _splits(campaign)),
        ("Admitted", ended["admitted"], f"{count(len(known))} known before" if known else ""),
        ("Rejected", ended["rejected"], "a check has failed"),
        ("Poison", ended["poison"], "given up"),
        ("Not settled", ended[""], ""),
    ]
    always = {"Planned", "Admitted", "Rejected", "Poison"}
    rows = [(name, count(n), note if n else "") for name, n, note in found if n or name in always]
    return rows + ([_refined(refined)] if refined else [])


def _refined(members: Sequence[MemberFacts]) -> Fact:
    """Return how many of the refined members were admitted, and what became of the others."""
    ended = Counter(one.ending for one in members)
    rest = [f"{count(ended[one])} {one}" for one in ("rejected", "poison") if ended[one]]
    note = ", ".join([f"of {count(len(members))}, twice as fine", *rest])
    return "Refined", count(ended["admitted"]), note


def _splits(campaign: Campaign) -> str:
    return ", ".join(f"{count(n)} {name}" for name, n in campaign.splits.items())


def seconds_of(campaign: Campaign, level: int = 0) -> list[float]:
    """Return what the computed members of a level took, in seconds."""
    return [one.seconds for one in campaign.planned(level) if one.seconds is not None]


def cores(facts: RunFacts) -> int:
    """Return the cores that a group holds."""
    ranks = number(facts.asked("ensemble.ranks_per_member")) or 1
    return int(ranks * (number(facts.asked("resources.cpus_per_rank")) or 1))


def core_hours(facts: RunFacts) -> float | None:
    """Return what the receipt counts of the whole run, in core-hours; None where there is none yet."""
    billed = facts.receipt.get("billed")
    if isinstance(billed, dict) and (found := number(billed.get("core_h"))):
        return found
    held = number(facts.receipt.get("cpu_seconds"))
    return held / 3600 if held else None


def made_of(facts: RunFacts, campaign: Campaign) -> list[tuple[str, str]]:
    """Return what the campaign has made, and of what."""
    name, design = facts.asked("solver.name"), campaign.design
    drawn = f"{design.get('method')}, seed {design.get('seed')}"
    limits = design.get("constraints") or []
    warning = campaign.account.get("warning")
    return [
        ("Dataset", f"{campaign.named()}, {campaign.into}"),
        ("Solver", f"{name} ({facts.asked('solver.kind')}), digest {campaign.solver[:16]}"),
        ("Design", "; ".join([drawn, *map(str, limits)])),
        ("Groups", f"{campaign.groups} of {facts.asked('ensemble.ranks_per_member') or 1} rank(s)"),
        *([("Warning", str(warning))] if warning else []),
    ]


def cost_facts(facts: RunFacts, campaign: Campaign) -> list[tuple[str, str]]:
    """Return what a member costs: by its own time, and by the receipt of the whole run."""
    taken = seconds_of(campaign)
    rows = []
    if taken:
        one = median(taken) * cores(facts)
        longest = max(taken) * cores(facts)
        rows.append(("A member, solving alone", f"{significant(one)} core-s, the median"))
        rows.append(("The longest member", f"{significant(longest)} core-s"))
    if (finer := seconds_of(campaign, 1)) and taken:
        ratio = significant(median(finer) / max(median(taken), 1e-9))
        one = median(finer) * cores(facts)
        rows.append(("A refined member", f"{significant(one)} core-s, {ratio} times as long"))
    hours, admitted = core_hours(facts), len(campaign.ended("admitted"))
    if hours is not None:
        rows.append(("The whole run, by its receipt", f"{significant(hours)} core-h"))
        if admitted and taken:
            each = hours * 3600 / admitted
            inside = sum(taken + finer) * cores(facts) / (hours * 3600)
            share = f"{100 * min(inside, 1):.0f} % of it inside of members"
            rows.append(
                ("An admitted member, all included", f"{significant(each)} core-s; {share}")
            )
    return rows


@dataclass(frozen=True)
class Check:
    """One check over all members that it looked at."""

    name: str
    values: list[float]
    failed: int
    seen: int
    limit: str  # as the worst member has it

    @property
    def varies(self) -> bool:
        """Whether its values differ enough to be drawn."""
        return len({f"{value:.9g}" for value in self.values}) > 2


def checks(campaign: Campaign) -> list[Check]:
    """Return what each check saw, in the solver's order."""
    values: dict[str, list[float]] = {}
    limits: dict[str, tuple[float, str]] = {}  # of the value that is farthest from 0
    seen: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for member in campaign.members:
        for one in member.findings:
            name, value = str(one.get("check")), number(one.get("value"))
            seen[name] += 1
            failed[name] += not one.get("passed")
            if value is not None:
                values.setdefault(name, []).append(value)
            far = (abs(value or 0.0), str(one.get("limit")))
            limits[name] = max(limits.get(name, far), far, key=lambda pair: pair[0])
    return [
        Check(name, values.get(name, []), failed[name], many, limits[name][1])
        for name, many in seen.items()
    ]


def errors(campaign: Campaign) -> dict[str, dict[str, float]]:
    """Return the refinement errors by field, as far as they are numbers."""
    told = campaign.account.get("errors")
    found = {}
    for name, row in told.items() if isinstance(told, dict) else ():
        numbers = (
            {key: number(value) for key, value in row.items()} if isinstance(row, dict) else {}
        )
        found[str(name)] = {str(key): value for key, value in numbers.items() if value is not None}
    return {name: row for name, row in found.items() if row}


def causes(campaign: Campaign) -> list[tuple[str, str, int, int, str]]:
    """Return for each kind of failure: the kind, whose doing, how often, of how many members, how these ended."""
    ending = {one.number: one.ending or "not settled" for one in campaign.members}
    rows = []
    for kind, failed in campaign.failures.items():
        ends = Counter(ending[member] for member in set(failed))
        said = ", ".join(f"{n} {word}" for word, n in sorted(ends.items()))
        whose = "from outside" if kind in OUTSIDE else "the member's own"
        rows.append((kind, whose, len(failed), len(set(failed)), said))
    return rows


@dataclass(frozen=True)
class Course:
    """Members settled a second over the time that any group was at work; idle stretches are left out."""

    seconds: float
    idle: float  # left out
    total: list[tuple[float, float]]  # (time at work, members/s)
    groups: dict[int, list[tuple[float, float]]]


IDLE_S = 300.0  # longer than this without a member at work: between two attempts


def course(campaign: Campaign) -> Course | None:
    """Return how fast members were settled; None where fewer than two were."""
    ends = sorted(one for some in campaign.solved.values() for one in some)
    if len(ends) < 2:
        return None
    start, gaps = min(at - seconds for at, seconds in ends), _gaps(ends)
    idle = sum(length for _, length in gaps)
    whole = ends[-1][0] - start - idle
    if not whole > 0:
        return None
    size = max(2, min(MOST_POINTS, len(ends) // 4))
    groups = {
        number_: _rates([_at_work(at, gaps) - start for at, _ in some], whole, size)
        for number_, some in campaign.solved.items()
    }
    total = [
        (rows[0][0], sum(rate for _, rate in rows)) for rows in zip(*groups.values(), strict=True)
    ]
    return Course(whole, idle, total, groups)


def _gaps(ends: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return (end, length) of every stretch in which no member was at work."""
    found, until = [], math.inf
    for begin, end in sorted((at - seconds, at) for at, seconds in ends):
        if begin - until > IDLE_S:
            found.append((begin, begin - until))
        until = end if until == math.inf else max(until, end)
    return found


def _at_work(at: float, gaps: Sequence[tuple[float, float]]) -> float:
    return at - sum(length for end, length in gaps if end <= at)


def _rates(times: Sequence[float], whole: float, size: int) -> list[tuple[float, float]]:
    """Return (middle, members/s) of each of `size` equal stretches."""
    width = whole / size
    found = Counter(min(int(at / width), size - 1) for at in times)
    return [((at + 0.5) * width, found[at] / width) for at in range(size)]
