"""Seal a contribution: check it, encode it, write its directory so that it appears whole.

Order on disk: each shard as .part, closed, flushed, hashed, renamed; index.pack; card.yaml;
manifest.json; the directory itself renamed last. A killed writer leaves `.<name>.*.part` only.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from forgia_hpc.data import index as index_
from forgia_hpc.data.card import Card, card_from, dump_card
from forgia_hpc.data.layout import FORMAT as TELEMETRY
from forgia_hpc.data.layout import Contribution
from forgia_hpc.data.manifest import (
    CARD,
    FORMAT,
    INDEX,
    MANIFEST,
    SHARDS,
    Manifest,
    flatten,
    load_manifest,
    version_of,
)
from forgia_hpc.data.presence import find_altered
from forgia_hpc.data.writing.admission import problems_of
from forgia_hpc.data.writing.appear import appearing, write_file
from forgia_hpc.data.writing.looks import look_at
from forgia_hpc.data.writing.plan import SHARD_BYTES, plan
from forgia_hpc.data.writing.policies import write_policies
from forgia_hpc.data.writing.shards import Told, write_shards
from forgia_hpc.data.writing.splits import split_problems
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.rundir import sync_directory
from forgia_hpc.runtime.world import World

_NS = 10**9


def seal(
    contribution: Contribution,
    card: dict[str, Any] | Card,
    into: Path,
    *,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> str:
    """Write a contribution as the dataset directory `into` and return its version.

    Raises:
        InputError: everything wrong with card and contribution, or `into` is there already.

    """
    card = card if isinstance(card, Card) else card_from(card, where=f"card of {into.name}")
    with appearing(into, overwrite=overwrite) as temporary:
        content = write_contribution(contribution, card, temporary, shard_bytes=shard_bytes)
    return version_of(content)


def seal_consortium(
    name: str,
    members: list[Path],
    card: dict[str, Any] | Card,
    into: Path,
    *,
    overwrite: bool = False,
) -> str:
    """Write a consortium of sealed contributions as the directory `into`; return its version.

    Raises:
        InputError: the card names other members, is of another name, or has terms of its own.
        SealBrokenError: a member is half-copied or altered.

    """
    card = card if isinstance(card, Card) else card_from(card, where=f"card of {into.name}")
    manifests = flatten([load_manifest(member) for member in members])
    names = sorted(manifest.name for manifest in manifests)
    problems = []
    if sorted(card.members) != names:
        problems.append(Problem(field="card.members", got=sorted(card.members), limit=f"{names}"))
    if card.name != name:
        problems.append(Problem(field="card.name", got=card.name, limit=f"must be {name!r}"))
    if not all(one.plain and one.release != "none" for one in card.terms.values()):
        limit = "terms of a consortium's card would bind nobody: each contribution has its own"
        fix = "write them into the members' cards"
        problems.append(Problem(field="card.policy", got=card.name, limit=limit, fix=fix))
    if problems:
        raise InputError(problems)
    with appearing(into, overwrite=overwrite) as temporary:
        content = {
            "format": FORMAT,
            "name": name,
            "contributor": card.contributor,
            "files": [write_file(temporary, CARD, dump_card(card).encode())],
            "members": [
                {
                    "name": one.name,
                    "version": one.version,
                    "path": os.path.relpath(one.directory.resolve(), into.resolve()),
                }
                for one in sorted(manifests, key=lambda one: one.name)
            ],
        }
        write_file(temporary, MANIFEST, canonical_json(content))
    return version_of(content)


def refuse_frozen(manifest: Manifest) -> None:
    """Refuse to make another form of a frozen version."""
    if "frozen" in manifest.content:
        of = manifest.content["frozen"]["of"]
        limit, fix = "is frozen: it never changes", f"say {of}, which it was frozen of"
        raise InputError(Problem(field="dataset", got=manifest.name, limit=limit, fix=fix))


def seal_again(consortium: Manifest, root: Path, *, overwrite: bool = False) -> str:
    """Write a consortium below a root where other forms of its members lie; card, tombstones and all else stay.

    Raises:
        InputError: it is there already.
        SealBrokenError: a file of its own was altered.
    """
    if altered := find_altered(consortium.files, consortium.directory):
        raise SealBrokenError("\n".join(altered))
    into = root / consortium.name
    names = [one["name"] for one in consortium.content["members"]]
    with appearing(into, overwrite=overwrite) as temporary:
        for entry in consortium.files:
            (temporary / entry.path).parent.mkdir(exist_ok=True)
            write_file(temporary, entry.path, (consortium.directory / entry.path).read_bytes())
        members = [
            {"name": name, "version": load_manifest(root / name).version, "path": f"../{name}"}
            for name in names
        ]
        content = {**consortium.content, "members": members}
        write_file(temporary, MANIFEST, canonical_json(content))
    return version_of(content)


def write_contribution(
    contribution: Contribution,
    card: Card,
    directory: Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    world: World | None = None,
    told: Told | None = None,
) -> dict[str, Any]:
    """Write all files, the manifest last, and return the manifest; ranks share the shards, rank 0 writes the rest.

    Raises:
        InputError: everything wrong with card and contribution.
    """
    looks = look_at(contribution.segments, world)
    problems = problems_of(contribution, card, looks) or split_problems(contribution)
    if problems:
        raise InputError(problems)
    seasons = {**card.season_steps, **contribution.season_steps}
    contribution = replace(contribution, season_steps=seasons)
    laid = plan(contribution, shard_bytes=shard_bytes, looks=looks)
    (directory / SHARDS).mkdir(exist_ok=True)
    index, entries = write_shards(
        laid.index, laid.segments, contribution.contributor, directory, world=world, told=told
    )
    if world is not None and not world.is_root:
        return {}
    sync_directory(directory / SHARDS)
    named = [card.policy_named(name) or "" for name in laid.policies]
    policies, digests = write_policies(card, named, directory)
    content = {
        "format": FORMAT,
        "layout": TELEMETRY,
        "name": contribution.name,
        "contributor": contribution.contributor,
        "files": [
            write_file(directory, INDEX, index_.pack(index)),
            write_file(directory, CARD, dump_card(card).encode()),
            *policies,
        ],
        "shards": [
            {**entry, **({"policy": digest} if digest else {})}
            for entry, digest in zip(entries, digests, strict=True)
        ],
        "season_steps": contribution.season_steps,
        "marks": {
            "sealed": len(index.marks),
            "outside": len(contribution.marks) - len(index.marks),
        },
        "provenance": contribution.provenance,
    }
    write_file(directory, MANIFEST, canonical_json(content))
    return content
