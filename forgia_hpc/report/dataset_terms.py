"""The terms of a contribution and what vouches for it, as a page tells them."""

from __future__ import annotations

from collections.abc import Iterator

from forgia_hpc.data.access.odrl import read_document
from forgia_hpc.data.access.terms import document_of
from forgia_hpc.data.card import Card
from forgia_hpc.data.catalogue.policy_words import policy_words
from forgia_hpc.data.crypto.keys import locks_of
from forgia_hpc.data.crypto.signatures import Signed, verify
from forgia_hpc.data.crypto.wraps import read_record
from forgia_hpc.data.manifest import Manifest
from forgia_hpc.errors import ForgiaError

Row = tuple[str, str]


def terms(card: Card) -> Iterator[Row]:
    """Yield what may be done with the data, policy by policy."""
    for name, policy in card.terms.items():
        of = f" ({name})" if name else ""
        document = read_document(document_of(policy, card.name, card.contributor, name))
        yield from ((what + of, said) for what, said in policy_words(document))


def standing(manifest: Manifest) -> Iterator[Row]:
    """Yield who has signed it, who can open it, how it is stored, and what was withdrawn."""
    if frozen := manifest.content.get("frozen"):
        yield "Frozen", f"version {frozen['semver']} of {frozen['of']}@{frozen['version'][:12]}"
    yield "Signed", "; ".join(map(_signed, verify(manifest))) or "by nobody"
    if locks := locks_of(manifest):
        yield "Encrypted", f"{len(locks)} data keys, sealed to {_readers(manifest)}"
    if any(entry.profile == "cold" for entry in manifest.shards):
        yield "Stored", "cold (packed); hot again with forgia data repack"
    for one in manifest.tombstones:
        what = "all of it" if one.get("whole") else "some shards"
        yield "Withdrawn", f"{one['contribution']}, {what}, {one['withdrawn']}"


def _signed(one: Signed) -> str:
    if one.by is None:
        return f"for {one.who}: {one.fault}"
    trusted = "trusted" if one.trusted else "not trusted here"
    return f"for {one.who} by {one.by.name} {one.by.fingerprint[:12]}, {trusted}"


def _readers(manifest: Manifest) -> str:
    """Return the people whom the data keys are sealed to."""
    try:
        names = {
            one.name for lock in locks_of(manifest) for one in read_record(lock).people.values()
        }
    except (ForgiaError, OSError, ValueError) as error:
        return f"nobody knows: {str(error).splitlines()[0]}"
    return ", ".join(sorted(names)) or "nobody"
