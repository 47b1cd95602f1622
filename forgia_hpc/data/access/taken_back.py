"""What a model has seen that its contributor has withdrawn since: tombstones tell, its own ledger can't."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from forgia_hpc.data.access.usage import Document, Seen, seen
from forgia_hpc.data.crypto.signatures import opened
from forgia_hpc.data.crypto.stones import verify_stones
from forgia_hpc.data.manifest import MANIFEST, Manifest, load_manifest
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.rundir import read_json

_TELLS = b'"tombstones":'
_UP = 5  # folders from a checkpoint to its run, which may be a point of a sweep


@dataclass(frozen=True, kw_only=True)
class TakenBack:
    """A withdrawal of something that a model has seen."""

    contribution: str
    contributor: str
    day: str
    where: str  # the dataset that holds the tombstone
    windows: int  # seen of what was withdrawn
    fault: str = ""  # why it may not be the contributor's: its signature is wrong


@dataclass(frozen=True, kw_only=True)
class Since:
    """What was withdrawn since a model has seen it, and of what that can't be told here."""

    found: tuple[TakenBack, ...]
    untold: tuple[str, ...]


def find_taken_back(usage: Document, roots: Collection[Path]) -> Since:
    """Return what a model with this use has seen that was withdrawn, by the datasets below these roots."""
    shards = [one for one in seen(usage) if one.windows]
    names = {one.contribution for one in shards}
    trained = _datasets(usage)
    manifests, untold = _load(roots, names | trained)
    of = {one.name: one.content["frozen"]["of"] for one in manifests if "frozen" in one.content}
    trained |= {of[name] for name in trained & of.keys()}
    found: dict[tuple[str, str], TakenBack] = {}
    for manifest in manifests:
        for stone, mine in _stones(manifest, shards):
            if manifest.name in trained or not _stays(stone, manifests):
                key = (stone["contribution"], stone["path"])
                found.setdefault(key, _taken(stone, manifest, mine))
    told = {one.name for one in manifests} | {name for name, _ in found}
    untold += [f"no {name} that can be read lies here" for name in sorted(names - told)]
    return Since(found=tuple(found.values()), untold=tuple(untold))


def roots_of(place: Path, root: Path) -> set[Path]:
    """Return where the datasets of a checkpoint or a model may lie: a root, and what its run's grant names."""
    grants = [one / "inputs" / "grant.json" for one in list(place.parents)[:_UP]]
    grant: Document = next((read_json(one) for one in grants if one.is_file()), {})
    entries = grant.get("contributions", [])
    return {root, *(Path(one["directory"]).parent for one in entries)}


def _datasets(usage: Document) -> set[str]:
    """Return the names of the datasets that were trained on, consortia as such."""
    told = [one.get("dataset", {}) for one in (usage, *usage.get("before", []))]
    parts = [part for one in told for part in str(one.get("identifier", "")).split("+")]
    return {part.partition("@")[0] for part in parts if part}


def _load(roots: Collection[Path], names: Collection[str]) -> tuple[list[Manifest], list[str]]:
    """Return the manifests of these names and all with a tombstone, and which of them are broken."""
    found, broken = [], []
    for path in sorted(path for root in set(roots) for path in root.glob(f"*/{MANIFEST}")):
        here = path.parent
        # thousands of others may lie here: only what says something is parsed
        if here.name.startswith(".") or (here.name not in names and not _tells(path)):
            continue
        try:
            found.append(load_manifest(here))
        except (InputError, SealBrokenError) as error:
            broken.append(str(error))
    return found, broken


def _tells(path: Path) -> bool:
    try:
        return _TELLS in path.read_bytes()
    except OSError:
        return True  # to be told as broken


def _stones(
    manifest: Manifest, shards: Collection[Seen]
) -> Iterator[tuple[dict[str, Any], list[Seen]]]:
    """Yield each tombstone of a manifest and what was seen of what it took, if anything."""
    for stone in manifest.tombstones:
        gone = _gone(manifest.directory, stone)
        mine = [
            one
            for one in shards
            if one.contribution == stone["contribution"]
            and (gone is None or _stem(one.shard) in gone)
            and not _is_later(one.version, stone, manifest)
        ]
        if mine:
            yield stone, mine


def _is_later(version: str, stone: dict[str, Any], manifest: Manifest) -> bool:
    """Return whether a version is certainly one that was made after this withdrawal."""
    name = stone["contribution"]
    mine = [one for one in manifest.tombstones if one["contribution"] == name]
    now = {one.version for one in manifest.members if one.name == name}
    now |= {manifest.version} if manifest.name == name else set()
    after = {one["version"] for one in mine[mine.index(stone) + 1 :]}
    return version != stone["version"] and version in now | after


def _stays(stone: dict[str, Any], manifests: Collection[Manifest]) -> bool:
    """Return whether a contribution has only left a consortium: what was withdrawn there still stands."""
    own = [one for one in manifests if one.name == stone["contribution"]]
    return bool(own) and all(
        stone["path"] not in {entry["path"] for entry in one.tombstones}
        and stone["version"] in {one.version, *(entry["version"] for entry in one.tombstones)}
        for one in own
    )


def _gone(directory: Path, stone: dict[str, Any]) -> set[str] | None:
    """Return the shards that a tombstone names; None: all, or it can't be read and may mean all."""
    if stone["whole"]:
        return None
    try:
        payload, _ = opened(read_json(directory / stone["path"]))
        return {_stem(one["name"]) for one in json.loads(payload)["subject"]}
    except (InputError, LookupError, TypeError, ValueError):
        return None


def _stem(path: str) -> str:
    """Return a shard's path without its ending: an encrypted one is the same data."""
    return str(PurePosixPath(path).with_suffix(""))


def _taken(stone: dict[str, Any], manifest: Manifest, mine: Collection[Seen]) -> TakenBack:
    return TakenBack(
        contribution=stone["contribution"],
        contributor=stone["contributor"],
        day=stone["withdrawn"][:10],
        where=manifest.name,
        windows=sum(one.windows for one in mine),
        fault="; ".join(
            one.fault for one in verify_stones(replace(manifest, tombstones=(stone,))) if one.fault
        ),
    )
