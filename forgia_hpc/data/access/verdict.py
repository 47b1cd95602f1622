"""May a job do this under that policy? A pure function of policy and claim, and the clause that says no."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from forgia_hpc.data.access.odrl import PUBLISH, THIRD_PARTY, USE, Constraint, Document, Rule
from forgia_hpc.data.access.terms import KINDS

CONSORTIUM = "consortium"
# ISO 3166-1 codes of the members of the European Union (27 since 2020-02-01)
_EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EU = frozenset(_EU.split())


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a job says of itself; a fact that nobody knows is None, and holds nowhere."""

    owner: str  # contributor of the data asked for
    action: str = USE
    purposes: tuple[str, ...] = ()  # the KIND of the job, and what it declares
    until: datetime.datetime | None = None  # the last moment at which it may read
    place: str | None = None  # country of the cluster, ISO 3166-1
    groups: tuple[str, ...] = (CONSORTIUM,)
    contributors: int | None = None  # whose data are in the mix
    federated: bool = False  # the data do not leave their owner's machine
    dp_epsilon: float | None = None  # what a trainer attests
    signed: bool | None = None  # the grant; of a model to be given away, its ledger of use
    release: str | None = None  # to whom a model is to be given

    @property
    def restricted(self) -> tuple[str, ...]:
        """What it does that Catena-X has a word to forbid."""
        return (THIRD_PARTY,) if self.action == PUBLISH and self.release == "open" else ()


@dataclass(frozen=True)
class Failure:
    """A clause that says no: the fact, what the claim has, what the policy wants."""

    fact: str
    got: str
    limit: str

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.limit} ({self.got})" if self.got else self.limit


@dataclass(frozen=True)
class Decision:
    """Yes, or no with every clause that says so."""

    allowed: bool
    failures: tuple[Failure, ...] = ()

    @property
    def why(self) -> str:
        """The clauses that failed, in words; empty where it is allowed."""
        return "; ".join(map(str, self.failures))


def evaluate(policy: Document, claim: Claim) -> Decision:
    """Decide. Order: what can't be read, the parties, prohibitions, then the permission that comes nearest."""
    unknown = [Failure("policy", "", f"unknown term: {one}") for one in policy.unknown]
    failures = unknown or [
        *_parties(policy, claim),
        *_prohibitions(policy, claim),
    ]
    if failures:
        return Decision(False, tuple(failures))
    rules = [rule for rule in policy.permissions if rule.action == claim.action]
    if not rules:
        what = "a model made of the data may not leave" if claim.action == PUBLISH else claim.action
        return Decision(False, (Failure("permission", "", f"nothing permits it: {what}"),))
    failed = min((_failures(rule, claim) for rule in rules), key=len)
    return Decision(not failed, failed)


def _prohibitions(policy: Document, claim: Claim) -> list[Failure]:
    return [
        Failure("prohibition", "", f"forbidden: {_said(rule)}")
        for rule in policy.prohibitions
        if _concerns(rule, claim)
        and all(_holds(one, claim) is not False for one in rule.constraints)
    ]


def _concerns(rule: Rule, claim: Claim) -> bool:
    """Whether a prohibition is about this action: `use` is every use, and Catena-X restricts sharing by it."""
    restricts = any(one.fact == "restricted" for one in rule.constraints)
    return rule.action == claim.action or (
        rule.action == USE and (restricts or not rule.constraints)
    )


def _parties(policy: Document, claim: Claim) -> list[Failure]:
    found = []
    if policy.assigner != claim.owner:
        limit = f"the policy is {policy.assigner or 'nobody'}'s, not the contributor's"
        found.append(Failure("assigner", claim.owner, limit))
    if policy.assignee and policy.assignee not in claim.groups:
        limit = f"agreed with {policy.assignee} only"
        found.append(Failure("assignee", ", ".join(claim.groups), limit))
    return found


def _failures(rule: Rule, claim: Claim) -> tuple[Failure, ...]:
    return tuple(
        Failure(one.fact, _has(one.fact, claim), _WANTS[one.fact](one.right))
        for one in rule.constraints
        if not _holds(one, claim)
    )


def _holds(one: Constraint, claim: Claim) -> bool | None:
    """Compare; None where the claim lacks the fact, which permits nothing and escapes no prohibition."""
    value = getattr(claim, one.fact)
    if value is None:
        return None
    holds = bool(_COMPARE[one.fact](value, one))
    return None if one.fact == "purposes" and not holds and _aimless(value, one) else holds


def _aimless(value: tuple[str, ...], one: Constraint) -> bool:
    """Whether it is asked what for, and the job declares nothing: its KIND doesn't tell."""
    return set(value) <= set(KINDS) and not set(one.right) <= set(KINDS)


def _until(value: datetime.datetime, one: Constraint) -> bool:
    before: bool = value < one.right if one.operator == "lt" else value <= one.right
    return before


def _place(value: str, one: Constraint) -> bool:
    return value in one.right or ("EU" in one.right and value in EU)


def _some(value: tuple[str, ...], one: Constraint) -> bool:
    return bool(set(value) & set(one.right))


_COMPARE: dict[str, Callable[[Any, Constraint], bool]] = {
    "purposes": _some,
    "until": _until,
    "place": _place,
    "groups": _some,
    "restricted": _some,
    "contributors": lambda value, one: value >= one.right,
    "release": lambda value, one: value in one.right,
    "federated": lambda value, one: value is one.right,
    "signed": lambda value, one: value is one.right,
    "dp_epsilon": lambda value, one: value <= one.right,
}


def _list(words: tuple[str, ...]) -> str:
    return " or ".join(words)


def _moment(value: datetime.datetime) -> str:
    form = "%Y-%m-%d %H:%M:%S UTC" if value.second else "%Y-%m-%d %H:%M UTC"
    return value.astimezone(datetime.UTC).strftime(form)


_WANTS: dict[str, Callable[[Any], str]] = {
    "purposes": lambda right: f"only for {_list(right)}",
    "until": lambda right: f"may be read until {_moment(right)}",
    "place": lambda right: f"only in {_list(right)}",
    "groups": lambda right: f"only by {_list(right)}",
    "restricted": lambda _: "never for third parties",
    "contributors": lambda right: f"only in a mix of at least {right} contributors",
    "release": lambda right: f"a model may go to {_list(right)}",
    "federated": lambda _: "only where the data lie: federated training",
    "signed": lambda _: "only with a grant, and a ledger of use, that their user has signed",
    "dp_epsilon": lambda right: f"only with differential privacy of epsilon {right} or less",
}


def _has(fact: str, claim: Claim) -> str:
    value = getattr(claim, fact)
    if value is None:
        return _LACKS[fact]
    if isinstance(value, datetime.datetime):
        return f"the job may last until {_moment(value)}"
    if fact in {"purposes", "groups"}:
        return f"asked: {', '.join(value)}"
    return _SAYS.get(fact, f"asked: {value}") if fact != "contributors" else f"it has {value}"


_SAYS = {"federated": "shards are read on the cluster", "signed": "it is not signed"}


_LACKS = {
    "until": "the end of the job is not known",
    "place": "the country of this cluster is not known",
    "contributors": "the mix is not known",
    "dp_epsilon": "the trainer attests none",
    "signed": "nothing is granted here",
    "release": "to whom is not said",
}


def _said(rule: Rule) -> str:
    wants = [_WANTS[one.fact](one.right).removeprefix("only ") for one in rule.constraints]
    return " and ".join([rule.action, *wants])
