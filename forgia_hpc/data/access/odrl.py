"""A policy document: the part of ODRL 2.2 that can be decided here. What is not in it denies; nothing is skipped.

An Offer (to whoever reads the data) or an Agreement (with its assignee). Permissions, prohibitions, obligations; a
constraint is atomic, and all of a rule's must hold. No inheritance, no `or`, no `xone`. The names are ODRL's and,
where Catena-X has one for the same thing (CX-0152, release 2025-09), its own; what neither has is `forgia:`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

CONTEXT = [
    "https://w3id.org/catenax/2025/9/policy/odrl.jsonld",
    "https://w3id.org/catenax/2025/9/policy/context.jsonld",
    {"forgia": "https://forgia.example/policy/1#"},
]
KINDS = ("Offer", "Agreement")
USE, PUBLISH = "use", "forgia:publish"
THIRD_PARTY = "cx.thirdParty.forbidden:1"
RELEASES = ("none", "consortium", "open")  # who may have a model made of the data
DUTIES = ("attribute", "inform", "delete")


@dataclass(frozen=True)
class Term:
    """A left operand: the fact of a claim that it speaks of, its operators, and what it may be compared with."""

    fact: str
    operators: tuple[str, ...]
    convert: Callable[[object], Any]
    forbids: bool = False  # whether a prohibition may use it


@dataclass(frozen=True)
class Constraint:
    """One comparison; `right` is a tuple of texts, a moment, a number or True."""

    left: str
    operator: str
    right: Any

    @property
    def fact(self) -> str:
        """The fact of a claim that it speaks of."""
        return TERMS[self.left].fact


@dataclass(frozen=True)
class Rule:
    """An action, and what must hold; nothing: it holds always."""

    action: str
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Document:
    """A policy in words; `unknown` is what could not be read: while there is any, the policy permits nothing."""

    kind: str
    uid: str
    assigner: str
    assignee: str
    permissions: tuple[Rule, ...]
    prohibitions: tuple[Rule, ...]
    duties: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def read_document(content: object) -> Document:
    """Return a document's words; never raises: what it does not know stands in `unknown`."""
    try:
        return _read(content)
    except RecursionError:  # a thousand `and`s in each other
        return _read({"@type": "nested too deeply"})


def _read(content: object) -> Document:
    unknown: list[str] = []
    top = _mapping(content, _TOP, "policy", unknown)
    kind, owner, party = (_text(top.get(key)) for key in ("@type", "assigner", "assignee"))
    if kind not in KINDS:
        unknown.append(f"@type {top.get('@type')!r}, known: {', '.join(KINDS)}")
    if not owner:
        unknown.append("no assigner")
    if kind == "Agreement" and not party:
        unknown.append("an Agreement without assignee")
    return Document(
        kind=kind,
        uid=_text(top.get("@id")),
        assigner=owner,
        assignee=party,
        permissions=tuple(_rules(top.get("permission"), (USE, PUBLISH), unknown)),
        prohibitions=tuple(_rules(top.get("prohibition"), FORBIDDEN, unknown, forbids=True)),
        duties=tuple(rule.action for rule in _rules(top.get("obligation"), DUTIES, unknown)),
        unknown=tuple(unknown),
    )


def _rules(
    content: object, actions: tuple[str, ...], unknown: list[str], *, forbids: bool = False
) -> Iterator[Rule]:
    for one in _list(content):
        rule = _mapping(one, ("action", "constraint"), "rule", unknown)
        action = _text(rule.get("action"))
        if action not in actions:
            unknown.append(f"action {rule.get('action')!r}, known here: {', '.join(actions)}")
            continue
        if actions is DUTIES and "constraint" in rule:
            unknown.append(f"a constraint of the obligation {action}")
        yield Rule(action, tuple(_constraints(rule.get("constraint"), unknown, forbids)))


def _constraints(content: object, unknown: list[str], forbids: bool) -> Iterator[Constraint]:
    """Yield the atomic constraints of a list and of every `and` in it."""
    for one in _list(content):
        if isinstance(one, dict) and set(one) == {"and"} and _list(one["and"]):
            yield from _constraints(one["and"], unknown, forbids)
            continue
        words = _mapping(one, ("leftOperand", "operator", "rightOperand"), "constraint", unknown)
        left, operator = _text(words.get("leftOperand")), _text(words.get("operator"))
        term = TERMS.get(left)
        if term is None or (forbids and not term.forbids) or operator not in term.operators:
            unknown.append(f"constraint {left or one} {operator}".strip())
            continue
        try:
            yield Constraint(left, operator, term.convert(words.get("rightOperand")))
        except ValueError:
            unknown.append(f"{left} {operator} {words.get('rightOperand')!r}")


def _mapping(
    content: object, known: tuple[str, ...], what: str, unknown: list[str]
) -> dict[str, Any]:
    if not isinstance(content, dict):
        unknown.append(f"{what} {content!r}: not an object")
        return {}
    unknown += [f"{what}: {key}" for key in content if key not in known]
    return content


def _list(content: object) -> list[Any]:
    """Return a list; JSON-LD may leave the brackets of a single one away."""
    if content is None:
        return []
    return content if isinstance(content, list) else [content]


def _text(content: object) -> str:
    return content if isinstance(content, str) else ""


def _words(value: object) -> tuple[str, ...]:
    found = tuple(_list(value))
    if not found or not all(isinstance(one, str) and one for one in found):
        raise ValueError
    return found


def _moment(value: object) -> datetime.datetime:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004  # one kind of refusal
    found = datetime.datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError
    try:
        return found.astimezone(datetime.UTC)
    except OverflowError as error:  # the year 1 with a zone before it
        raise ValueError from error


def _places(value: object) -> tuple[str, ...]:
    """Return codes as a cluster's country is written: a prohibition of `it` or `ITA` would forbid nothing."""
    found = _words(value)
    if not all(
        len(one) == 2 and one.isascii() and one.isalpha() and one.isupper() for one in found
    ):
        raise ValueError
    return found


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise ValueError
    return value


def _true(value: object) -> bool:
    if value is not True:
        raise ValueError
    return True


def _releases(value: object) -> tuple[str, ...]:
    found = _words(value)
    if not set(found) <= set(RELEASES[1:]):
        raise ValueError
    return found


def _restrictions(value: object) -> tuple[str, ...]:
    if _words(value) != (THIRD_PARTY,):
        raise ValueError
    return (THIRD_PARTY,)


_TOP = (
    "@context", "@type", "@id", "profile", "target", "assigner", "assignee",
    "permission", "prohibition", "obligation",
)  # fmt: skip
# what nobody does here in the name of a job stays forbidden without being asked: raw data never leave a reader
FORBIDDEN = (USE, PUBLISH, "distribute", "forgia:extract")
_ANY = ("isAnyOf", "eq")
TERMS = {
    "UsagePurpose": Term("purposes", _ANY, _words, forbids=True),
    "purpose": Term("purposes", _ANY, _words, forbids=True),
    "DataUsageEndDate": Term("until", ("eq",), _moment),
    "dateTime": Term("until", ("lt", "lteq"), _moment),
    # not Catena-X's JurisdictionLocation: CX-0152 means by it the court of disputes
    "spatial": Term("place", _ANY, _places, forbids=True),
    "BusinessPartnerGroup": Term("groups", ("isAnyOf",), _words),
    "UsageRestriction": Term("restricted", (*_ANY, "isAllOf"), _restrictions, forbids=True),
    "forgia:minContributors": Term("contributors", ("gteq",), _number),
    "forgia:release": Term("release", _ANY, _releases, forbids=True),
    "forgia:signedGrant": Term("signed", ("eq",), _true),
    "forgia:federatedOnly": Term("federated", ("eq",), _true),
    "forgia:dpEpsilon": Term("dp_epsilon", ("lteq",), _number),
}
