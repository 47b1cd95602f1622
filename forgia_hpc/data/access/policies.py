"""The policy documents of a contribution, as they are sealed; read on the login node."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from forgia_hpc.data.access.odrl import Document, read_document
from forgia_hpc.data.access.terms import digest_of_document, document_of
from forgia_hpc.data.card import Card
from forgia_hpc.data.manifest import Manifest
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import SealBrokenError

FOLDER = "policies"


@dataclass(frozen=True)
class Sealed:
    """A policy as it is sealed: its SHA-256, its JSON, and its words."""

    digest: str
    content: dict[str, Any]
    words: Document


def place_of(digest: str) -> str:
    """Return the path of a document in the dataset's directory."""
    return f"{FOLDER}/{digest[:12]}.json"


def sealed_policies(manifest: Manifest, card: Card) -> dict[str, Sealed]:
    """Return the policies of a contribution's shards by what `ShardEntry.policy` says.

    Raises:
        SealBrokenError: each document that is missing or altered.
    """
    found: dict[str, Sealed] = {}
    faults = []
    for digest in dict.fromkeys(entry.policy for entry in manifest.shards):
        if not digest and (card.policies or not card.policy.plain):
            faults.append(f"{manifest.directory}: a shard names none of the card's policies")
            continue
        if not digest:
            content = document_of(card.policy, card.name, card.contributor)
            found[""] = Sealed(digest_of_document(content), content, read_document(content))
            continue
        path = manifest.directory / place_of(digest)
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(data).hexdigest() != digest:
            what = "altered: its SHA-256 is not the sealed one" if data else "missing"
            faults.append(f"{path}: policy of {manifest.name} is {what}")
            continue
        found[digest] = read_sealed(digest, data)
    if faults:
        raise SealBrokenError("\n".join(faults))
    return found


def read_sealed(digest: str, data: bytes) -> Sealed:
    """Return a sealed document; one that is not canonical JSON, as each is sealed, permits nothing.

    Of a key that stands there twice, JSON readers take the one or the other.
    """
    try:
        content = json.loads(data)
        if canonical_json(content) != data:
            content = None
    except (ValueError, RecursionError):
        content = None
    return Sealed(digest, content if isinstance(content, dict) else {}, read_document(content))
