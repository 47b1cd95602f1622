"""Write the policy documents of a contribution beside its shards, one for each policy in use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from forgia_hpc.data.access.policies import FOLDER, place_of
from forgia_hpc.data.access.terms import digest_of_document, document_of
from forgia_hpc.data.card import Card
from forgia_hpc.data.writing.appear import write_file
from forgia_hpc.digest import canonical_json


def write_policies(
    card: Card, names: Sequence[str], directory: Path
) -> tuple[list[dict[str, Any]], list[str]]:
    """Write the documents of the policies that shards name; return the files' entries and each shard's digest.

    A card that says no more than who may have a model needs none: it is one by itself.
    """
    if not card.policies and card.policy.plain:
        return [], [""] * len(names)
    written: dict[str, dict[str, Any]] = {}
    digests = []
    for name in names:
        document = document_of(card.terms[name], card.name, card.contributor, name)
        digest = digest_of_document(document)
        digests.append(digest)
        if digest not in written:
            (directory / FOLDER).mkdir(exist_ok=True)
            written[digest] = write_file(directory, place_of(digest), canonical_json(document))
    return list(written.values()), digests
