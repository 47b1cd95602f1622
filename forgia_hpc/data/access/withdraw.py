"""Withdrawal: a contributor takes its data back, in time that hangs on its own shards alone.

A signed tombstone says what was withdrawn; the contribution and each consortium that names it get a new
version without it, the wraps of its data keys are removed, its files deleted. Nobody else's data are read or
written, and the order of the others' windows stays: it hangs on their own content ids.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data import index as index_
from forgia_hpc.data.access.withdraw_plan import Withdrawal, problem
from forgia_hpc.data.card import dump_card, load_card
from forgia_hpc.data.crypto.encrypting import seal_index
from forgia_hpc.data.crypto.key_file import UserKey
from forgia_hpc.data.crypto.keys import locks_of
from forgia_hpc.data.crypto.signatures import FOLDER as SIGNATURES
from forgia_hpc.data.crypto.signatures import PAYLOAD_TYPE, STATEMENT, envelope
from forgia_hpc.data.crypto.stones import FOLDER, NAMED, PREDICATE
from forgia_hpc.data.crypto.trust import load_trust
from forgia_hpc.data.crypto.wraps import FOLDER as KEYS
from forgia_hpc.data.crypto.wraps import read_record
from forgia_hpc.data.index import Index, overlapping
from forgia_hpc.data.index_file import SEALED_INDEX, index_bytes
from forgia_hpc.data.integrity import leaf_count
from forgia_hpc.data.manifest import CARD, INDEX, MANIFEST, Manifest, load_manifest
from forgia_hpc.data.storage import DTYPES
from forgia_hpc.data.writing.appear import appearing, write_file
from forgia_hpc.digest import canonical_json, digest_of
from forgia_hpc.errors import InputError


def withdraw(planned: Withdrawal, user: UserKey, reason: str = "") -> dict[str, str]:
    """Do it; return name → new version of everything that has one.

    Raises:
        InputError: this person's key may not sign for the contributor.
        SealBrokenError: the index that must be written again was altered.
    """
    manifest = planned.manifest
    trust = load_trust(manifest.directory)
    if trust.keys.get(manifest.contributor) and not trust.trusts(user.public, manifest.contributor):
        limit = f"{trust.where} lists others to sign for {manifest.contributor}"
        raise InputError(problem("key", f"{user.public.name} {user.public.fingerprint}", limit))
    stone = _tombstone(planned, user, reason)
    member, found = manifest, {}
    if planned.own:
        member = _without_shards(planned, stone)
        found[manifest.name] = member.version
    for one in planned.consortia:
        found[one.name] = _without_member(one, planned, member, stone).version
    return found


@dataclass(frozen=True)
class Stone:
    """A signed tombstone: its file, and its entry in manifests."""

    path: str
    data: bytes
    entry: dict[str, Any]


def _tombstone(planned: Withdrawal, user: UserKey, reason: str) -> Stone:
    manifest = planned.manifest
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    facts = {
        "contribution": manifest.name,
        "contributor": manifest.contributor,
        "version": manifest.version,
        "whole": planned.whole,
        "withdrawn": now,
        "reason": reason,
        "from": sorted(one.name for one in planned.consortia),
        "content_ids": {one.path: one.content_id for one in planned.shards},
    }
    subject = [{"name": one.path, "digest": {"sha256": one.sha256}} for one in planned.shards]
    said = {"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": facts}
    data = canonical_json(envelope(canonical_json(said), [user], PAYLOAD_TYPE))
    path = f"{FOLDER}/{digest_of(said)[:12]}.dsse.json"
    return Stone(path, data, {"path": path, **{name: facts[name] for name in NAMED}})


def _without_shards(planned: Withdrawal, stone: Stone) -> Manifest:
    """Replace the contribution's directory by one without the shards; what stays is linked, not copied."""
    manifest = planned.manifest
    gone = planned.paths | {INDEX, SEALED_INDEX}
    wraps = {f"{KEYS}/{lock.key_id}.json" for lock in locks_of(manifest) if lock.path in gone}
    index = None if planned.whole else _index(planned)
    marks = {} if index is None else {"marks": _marks(manifest, index)}
    with appearing(manifest.directory, overwrite=True) as temporary:
        _link(manifest.directory, temporary, gone | wraps)
        files = [] if index is None else [_write_index(manifest, index, temporary)]
        files += [one for one in manifest.content["files"] if one["path"] not in gone]
        files.append(_write_stone(stone, temporary))
        shards = [one for one in manifest.content["shards"] if one["path"] not in gone]
        content = _next(manifest, stone, files=files, shards=shards, **marks)
        write_file(temporary, MANIFEST, canonical_json(content))
    return load_manifest(manifest.directory)


def _index(planned: Withdrawal) -> Index:
    path, data = index_bytes(planned.manifest)
    index = index_.unpack(data, where=str(path))
    return without(
        index, [at for at, one in enumerate(planned.manifest.shards) if one in planned.shards]
    )


def _marks(manifest: Manifest, index: Index) -> dict[str, int]:
    return {**manifest.content["marks"], "sealed": len(index.marks)}


def _write_index(manifest: Manifest, index: Index, directory: Path) -> dict[str, Any]:
    """Write the index of what stays, encrypted under a fresh key for the same people where it was."""
    for lock in locks_of(manifest, manifest.files):
        if lock.path == SEALED_INDEX:
            people = list(read_record(lock).people.values())
            return seal_index(manifest, index_.pack(index), directory, people)
    return write_file(directory, INDEX, index_.pack(index))


def _write_stone(stone: Stone, directory: Path) -> dict[str, Any]:
    (directory / FOLDER).mkdir(exist_ok=True)
    return write_file(directory, stone.path, stone.data)


def _link(old: Path, new: Path, leave: set[str]) -> None:
    """Link every file that stays; signatures speak of the old version and go.

    By os.walk: with a Path for each of ten thousand shards it took three times as long.
    """
    gone = leave | {MANIFEST}
    for folder, _, names in os.walk(old):
        place = os.path.relpath(folder, old)
        prefix = "" if place == "." else f"{place}/"
        kept = [one for name in names if (one := prefix + name) not in gone]
        if not kept or prefix.startswith(f"{SIGNATURES}/"):
            continue
        (new / place).mkdir(parents=True, exist_ok=True)
        for one in kept:
            os.link(f"{old}/{one}", f"{new}/{one}")


def _next(manifest: Manifest, stone: Stone, **changed: Any) -> dict[str, Any]:
    """Return the content of the next version: the tombstone, the parent, and what has changed."""
    stones = [*manifest.content.get("tombstones", []), stone.entry]
    return {**manifest.content, **changed, "tombstones": stones, "parent": manifest.version}


def _without_member(
    consortium: Manifest, planned: Withdrawal, member: Manifest, stone: Stone
) -> Manifest:
    """Seal a consortium again: without the member, or with its new version."""
    name = planned.manifest.name
    leaves = planned.whole or not planned.own
    members = [
        {**one, "version": member.version} if one["name"] == name else one
        for one in consortium.content["members"]
        if one["name"] != name or not leaves
    ]
    card = load_card(consortium.directory)
    card = replace(card, members=tuple(one["name"] for one in members))
    with appearing(consortium.directory, overwrite=True) as temporary:
        _link(consortium.directory, temporary, {CARD})
        files = [one for one in consortium.content["files"] if one["path"] != CARD]
        files.insert(0, write_file(temporary, CARD, dump_card(card).encode()))
        files.append(_write_stone(stone, temporary))
        content = _next(consortium, stone, files=files, members=members)
        write_file(temporary, MANIFEST, canonical_json(content))
    return load_manifest(consortium.directory)


def without(index: Index, dropped: Collection[int]) -> Index:
    """Return the index of the shards that stay; their files stay as they are."""
    kept = np.array([at for at in range(len(index.shards)) if at not in dropped], np.int64)
    leaves = [_leaves(index, int(shard)) for shard in kept]
    shards = index.shards[kept]
    shards["leaf0"] = np.cumsum([0, *map(len, leaves)])[:-1]
    rows = np.flatnonzero(np.isin(index.segments["shard"], kept))
    segments = index.segments[rows]
    segments["shard"] = np.searchsorted(kept, segments["shard"])
    segments["series0"] = np.cumsum(segments["series_count"]) - segments["series_count"]
    series = index.series[np.isin(index.series["segment"], rows)]
    series["segment"] = np.searchsorted(rows, series["segment"])
    channels = len(index.channels)
    stats = index.stats.reshape(-1, channels)[kept].reshape(-1)
    return replace(
        index,
        shards=shards,
        segments=segments,
        series=series,
        marks=index.marks[_inside(index, segments)],
        stats=stats,
        leaves=np.concatenate([np.zeros((0, 32), np.uint8), *leaves]),
    )


def _leaves(index: Index, shard: int) -> NDArray[np.uint8]:
    row = index.shards[shard]
    sizes = [int(count) * DTYPES[at].itemsize for at, count in enumerate(row["count"])]
    first = int(row["leaf0"])
    return index.leaves[first : first + sum(map(leaf_count, sizes))]


def _inside(index: Index, segments: Any) -> NDArray[np.bool_]:
    """Return which marks touch a segment that stays."""
    found = [
        overlapping(segments, mark["asset"], mark["first"], mark["last"]).any()
        for mark in index.marks
    ]
    return np.array(found, np.bool_)
