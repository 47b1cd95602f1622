"""Tombstones: what a contributor has withdrawn, in an envelope with its signature, and whether that is right.

Who can write to a directory can take shards out of it; that it was the contributor, only the signature says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from forgia_hpc.data.checked import require
from forgia_hpc.data.crypto.public_key import PublicKey
from forgia_hpc.data.crypto.signatures import Signed, opened
from forgia_hpc.data.crypto.trust import Trust, load_trust
from forgia_hpc.data.manifest import Manifest
from forgia_hpc.digest import canonical_json

FOLDER = "tombstones"
PREDICATE = "https://forgia.example/withdrawal/1"
NAMED = ("contribution", "contributor", "version", "whole", "withdrawn")  # in a manifest too


def verify_stones(manifest: Manifest, trust: Trust | None = None) -> list[Signed]:
    """Return who has signed each withdrawal that a manifest names.

    One that nobody has signed, or another than trust.yaml names for the contributor, has a fault; where that names
    nobody for the contributor, a right signature is right and not trusted.
    """
    trust = trust or load_trust(manifest.directory)
    return [one for stone in manifest.tombstones for one in _verify(manifest, stone, trust)]


def _verify(manifest: Manifest, stone: dict[str, Any], trust: Trust) -> Iterator[Signed]:
    who = stone["contributor"]
    about = f"withdrawal of {stone['contribution']} ({stone['withdrawn'][:10]})"
    try:
        people = _signers(manifest, stone)
        if trust.keys.get(who) and not any(trust.trusts(one, who) for one in people):
            by = ", ".join(f"{one.name} {one.fingerprint}" for one in people)
            raise ValueError(f"signed by {by}, whom {trust.where} does not name for {who}")  # noqa: TRY301
    except (OSError, ValueError, LookupError, TypeError) as error:
        fault = f"{manifest.directory / stone['path']}: {about}: {error}"
        yield Signed(who, None, fault, trusted=False, about=about)
        return
    for one in people:
        yield Signed(who, one, "", trusted=trust.trusts(one, who), about=about)


def _signers(manifest: Manifest, stone: dict[str, Any]) -> list[PublicKey]:
    """Return who has signed what a manifest says of a withdrawal; ValueError where it is not so."""
    require(stone["path"] in {one.path for one in manifest.files}, "not among the manifest's files")
    data = (manifest.directory / stone["path"]).read_bytes()
    content = json.loads(data)
    require(data == canonical_json(content), "altered: not canonical JSON")
    payload, people = opened(content)
    said = json.loads(payload)
    require(said["predicateType"] == PREDICATE, "signs something else than a withdrawal")
    facts = said["predicate"]
    require(all(facts[name] == stone[name] for name in NAMED), "signs another withdrawal")
    still = _still_there(manifest, stone, facts["content_ids"])
    require(not still, f"withdrawn, and still there: {', '.join(still)}")
    return people


def _still_there(
    manifest: Manifest, stone: dict[str, Any], content_ids: dict[str, str]
) -> list[str]:
    """Return what was withdrawn and is named by the manifest all the same."""
    if manifest.name == stone["contribution"]:
        return [one.path for one in manifest.shards if content_ids.get(one.path) == one.content_id]
    gone = (stone["contribution"], stone["version"])
    return [one.name for one in manifest.members if (one.name, one.version) == gone]
