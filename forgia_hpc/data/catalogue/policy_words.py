"""A policy in words that a person reads: of a card's short form and of an ODRL document alike."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from forgia_hpc.data.access.odrl import PUBLISH, RELEASES, USE, Constraint, Document, Rule
from forgia_hpc.data.access.terms import KINDS

_WHAT = {
    "purposes": "May be used for",
    "until": "Until",
    "place": "Only in",
    "contributors": "Only among",
    "federated": "Only where",
    "groups": "Only by",
    "restricted": "Never by",
    "signed": "Only with",
    "dp_epsilon": "Only with",
    "release": "Models go to",
}
_FIXED = {
    "federated": "the data lie: federated training",
    "restricted": "third parties",
    "signed": "a signed grant and ledger of use",
}
_ALWAYS = {"distribute", "forgia:extract"}  # forbidden by every policy, and impossible here


def policy_words(document: Document) -> list[tuple[str, str]]:
    """Return what a policy says, as (what, value); one that can't be decided says only that."""
    if document.unknown:
        return [("Denies everything", f"it can't be decided: {'; '.join(document.unknown)}")]
    uses = [rule for rule in document.permissions if rule.action == USE]
    rows = [] if uses else [("May be used for", "nothing")]
    for number, rule in enumerate(uses):
        rows += [(f"or: {what}" if number else what, said) for what, said in _use(rule)]
    rows += [("Never", _said(rule)) for rule in document.prohibitions if _worth_saying(rule)]
    rows += [("Duties", ", ".join(document.duties))] if document.duties else []
    return [*rows, ("Models go to", _released(document))]


def ends_of(document: Document) -> datetime.datetime | None:
    """Return the first moment at which no use is permitted any more, or None."""
    ends = [_end(rule) for rule in document.permissions if rule.action == USE]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _end(rule: Rule) -> datetime.datetime | None:
    return min((one.right for one in rule.constraints if one.fact == "until"), default=None)


def _use(rule: Rule) -> Iterator[tuple[str, str]]:
    if all(one.fact != "purposes" for one in rule.constraints):
        yield "May be used for", "every kind of job"
    for one in rule.constraints:
        yield _what(one), _value(one)


def _what(one: Constraint) -> str:
    """Return what a constraint limits: of purposes, by which jobs, or for what they are declared."""
    declared = one.fact == "purposes" and not set(one.right) & set(KINDS)
    return "For the purpose of" if declared else _WHAT[one.fact]


def _value(one: Constraint) -> str:
    """Return what a constraint compares with, in words."""
    if one.fact == "until":
        return _moment(one.right)
    if one.fact == "contributors":
        return f"at least {one.right:g} contributors"
    if one.fact == "dp_epsilon":
        return f"differential privacy of epsilon {one.right:g} or less"
    if one.fact in _FIXED:
        return _FIXED[one.fact]
    return ", ".join(one.right)


def _moment(end: datetime.datetime) -> str:
    """Return the last day, or the moment where it is not the end of one."""
    utc = end.astimezone(datetime.UTC)
    if utc.time() == datetime.time():
        return f"{(utc - datetime.timedelta(days=1)).date()}, that day included"
    return utc.strftime("%Y-%m-%d %H:%M UTC")


def _worth_saying(rule: Rule) -> bool:
    return rule.action not in _ALWAYS or bool(rule.constraints)


def _said(rule: Rule) -> str:
    action = {USE: "used", PUBLISH: "a model of it given away"}.get(rule.action, rule.action)
    limits = [f"{_what(one).lower()} {_value(one)}" for one in rule.constraints]
    return " where ".join([action, " and ".join(limits)]) if limits else action


def _released(document: Document) -> str:
    """Return the widest release that a permission names; without any constraint, everybody."""
    found = {"none"}
    for rule in document.permissions:
        if rule.action == PUBLISH:
            found |= {
                word for one in rule.constraints if one.fact == "release" for word in one.right
            } or {"open"}
    return max(found, key=RELEASES.index)
