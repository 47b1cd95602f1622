"""What may leave: the values of a dataset (export), and a model that has seen them (publish-check).

Terms do not go along with an exported file, so each policy must allow that by name. Of a model, the union of the
policies of everything that it has seen decides.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from forgia_hpc.data.access import odrl
from forgia_hpc.data.access.odrl import PUBLISH, RELEASES, read_document
from forgia_hpc.data.access.policies import sealed_policies
from forgia_hpc.data.access.terms import EXPORT, TAKES_ALONG, digest_of_document
from forgia_hpc.data.access.usage import Document, Seen, seen, signer_of_use
from forgia_hpc.data.access.verdict import Claim, Failure, evaluate
from forgia_hpc.data.card import load_card
from forgia_hpc.data.manifest import Manifest, flatten
from forgia_hpc.data.presence import find_altered
from forgia_hpc.errors import InputError, Problem, SealBrokenError

WHO_SAYS_NOTHING = "it began from a model that does not say what it has seen"


@dataclass(frozen=True)
class Forbidden:
    """Who forbids a release, and by which clause."""

    contribution: str
    contributor: str
    policy: str
    why: str


@dataclass(frozen=True)
class Credit:
    """Whom to name for what was seen."""

    contribution: str
    version: str
    contributor: str
    title: str
    licence: str
    citation: str
    source: str
    windows: int
    tokens: float
    duties: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """To whom a model may go at most, and who keeps it from going further: release → who forbids it."""

    release: str
    forbidden: dict[str, tuple[Forbidden, ...]]
    credits: tuple[Credit, ...]

    def allows(self, to: str) -> bool:
        """Whether it may go there."""
        return RELEASES.index(to) <= RELEASES.index(self.release)


def judge_release(usage: Document, now: datetime.datetime | None = None) -> Verdict:
    """Return to whom a model with this use may be given.

    Raises:
        SealBrokenError: a policy in it was altered.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    forbidden = {to: tuple(_forbidden(usage, to, now)) for to in RELEASES[1:]}
    release = "none"
    for to in RELEASES[1:]:
        if forbidden[to]:
            break
        release = to
    return Verdict(release, forbidden, tuple(_credits(usage)))


def _forbidden(usage: Document, to: str, now: datetime.datetime) -> Iterator[Forbidden]:
    policies = _policies(usage)
    shards = list(seen(usage))
    owners = {one.contributor for one in shards}
    signed = signer_of_use(usage) is not None and all(
        one.get("signed_by") for one in usage.get("before", [])
    )
    for entry in (usage, *usage.get("before", [])):
        if "contributions" not in entry:
            yield Forbidden(str(entry.get("unknown")), "unknown", "", WHO_SAYS_NOTHING)
    for name, owner, digest in dict.fromkeys(
        (one.contribution, one.contributor, one.policy) for one in shards
    ):
        claim = Claim(
            owner=owner,
            action=PUBLISH,
            release=to,
            until=now,
            contributors=len(owners),
            signed=signed,
        )
        decision = evaluate(policies.get(digest) or read_document(None), claim)
        if not decision.allowed:
            yield Forbidden(name, owner, digest, "; ".join(map(_said, decision.failures)))


def _said(failure: Failure) -> str:
    return failure.limit if failure.fact in {"release", "restricted"} else str(failure)


def _policies(usage: Document) -> dict[str, Any]:
    """Return the documents by digest, each compared with it."""
    found = {}
    for one in (usage, *usage.get("before", [])):
        for digest, content in one.get("policies", {}).items():
            if digest_of_document(content) != digest:
                raise SealBrokenError(f"usage.json: policy {digest[:12]} was altered")
            found[digest] = read_document(content)
    return found


def _credits(usage: Document) -> Iterator[Credit]:
    policies = _policies(usage)
    facts = {
        (name, entry["version"]): entry
        for one in (usage, *usage.get("before", []))
        for name, entry in one.get("contributions", {}).items()
    }
    shards: dict[tuple[str, str], list[Seen]] = {}
    for one in seen(usage):
        shards.setdefault((one.contribution, one.version), []).append(one)
    for key, mine in shards.items():
        known = [policies[one.policy] for one in mine if one.policy in policies]
        duties = {duty for one in known for duty in one.duties}
        entry = facts[key]
        yield Credit(
            contribution=key[0],
            version=key[1],
            contributor=entry["contributor"],
            title=entry["title"],
            licence=entry["licence"],
            citation=entry["citation"],
            source=entry["source"],
            windows=sum(one.windows for one in mine),
            tokens=sum(one.tokens for one in mine),
            duties=tuple(sorted(duties)),
        )


def require_leave(manifest: Manifest, owner: str = "") -> None:
    """Refuse to export a dataset unless each policy in it allows that; `owner` is not bound by its own.

    Raises:
        InputError: every clause of every contribution that forbids it.
        SealBrokenError: a card or a policy was altered.
    """
    parts = flatten([manifest])
    if altered := [one for part in parts for one in find_altered(part.files, part.directory)]:
        raise SealBrokenError("\n".join(altered))
    companies = len({part.contributor for part in parts})
    others = [part for part in parts if part.contributor != owner]
    problems = dict.fromkeys(one for part in others for one in _withheld(part, companies))
    if problems:
        raise InputError(list(problems))


def _withheld(manifest: Manifest, companies: int) -> Iterator[Problem]:
    card = load_card(manifest.directory)
    claim = Claim(
        owner=manifest.contributor,
        purposes=(EXPORT,),
        until=datetime.datetime.now(datetime.UTC),
        contributors=companies,
    )
    for digest, policy in sealed_policies(manifest, card).items():
        if not digest and card.policy.plain:
            continue  # nobody has said a word about use
        for failure in (*evaluate(policy.words, claim).failures, *_takes_along(policy.words)):
            named = f": {policy.words.uid}" if policy.words.uid else ""
            yield Problem(
                field=EXPORT,
                got=manifest.name,
                limit=failure.limit,
                where=f"policy of {manifest.name}{named}",
                fix=f"ask {manifest.contributor}; if you act for them: --owner {manifest.contributor}",
            )


def _takes_along(words: odrl.Document) -> Iterator[Failure]:
    for rule in words.prohibitions:
        if rule.action in TAKES_ALONG:
            yield Failure("prohibition", "", f"forbidden: {rule.action}")
