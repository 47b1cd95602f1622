"""May the values of a dataset leave their sealed form? Terms do not go along with an exported file."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from forgia_hpc.data.access.odrl import Document
from forgia_hpc.data.access.policies import sealed_policies
from forgia_hpc.data.access.terms import EXPORT, TAKES_ALONG
from forgia_hpc.data.access.verdict import Claim, Failure, evaluate
from forgia_hpc.data.card import load_card
from forgia_hpc.data.manifest import Manifest, flatten
from forgia_hpc.data.presence import find_altered
from forgia_hpc.errors import InputError, Problem, SealBrokenError


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
    problems = dict.fromkeys(one for part in others for one in _forbidden(part, companies))
    if problems:
        raise InputError(list(problems))


def _forbidden(manifest: Manifest, companies: int) -> Iterator[Problem]:
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
        for failure in (*evaluate(policy.words, claim).failures, *_prohibitions(policy.words)):
            named = f": {policy.words.uid}" if policy.words.uid else ""
            yield Problem(
                field=EXPORT,
                got=manifest.name,
                limit=failure.limit,
                where=f"policy of {manifest.name}{named}",
                fix=f"ask {manifest.contributor}; if you act for them: --owner {manifest.contributor}",
            )


def _prohibitions(words: Document) -> Iterator[Failure]:
    for rule in words.prohibitions:
        if rule.action in TAKES_ALONG:
            yield Failure("prohibition", "", f"forbidden: {rule.action}")
