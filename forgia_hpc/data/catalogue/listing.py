"""What lies under a data root: one line a dataset, from its manifest, its card and its signatures alone.

Whether files are whole, `forgia data check` says; a signature holds the manifest's digest, and so verifies without
them. A thousand datasets take less than a second, a thousand signed ones less than two.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from forgia_hpc.data.access.odrl import read_document
from forgia_hpc.data.access.terms import document_of
from forgia_hpc.data.card import load_card
from forgia_hpc.data.catalogue.policy_words import ends_of
from forgia_hpc.data.crypto.signatures import FOLDER as SIGNATURES
from forgia_hpc.data.crypto.signatures import Signed, verify
from forgia_hpc.data.crypto.stones import verify_stones
from forgia_hpc.data.crypto.trust import load_trust
from forgia_hpc.data.manifest import MANIFEST, Manifest, load_manifest
from forgia_hpc.errors import ForgiaError


@dataclass(frozen=True)
class Signature:
    """A signature of a dataset, or of a withdrawal: right or not, and whether trust.yaml names the key."""

    who: str  # the contributor it speaks for, or "consortium"
    by: str  # whose key, by name; empty: it can't be read
    state: str  # trusted | right (of a key that trust.yaml does not name) | wrong
    about: str  # dataset, or which withdrawal
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A dataset in one line; of a consortium, sums over its members. `fault`: why nothing more is known."""

    name: str
    directory: str = ""  # its name under the root, which verbs take
    version: str = ""
    title: str = ""
    layouts: tuple[str, ...] = ()
    contributors: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    steps: dict[str, int] = field(default_factory=dict)  # split → steps
    values: int = 0
    shards: int = 0
    bytes: int = 0
    profiles: tuple[str, ...] = ()  # hot, cold
    encrypted: bool = False
    signatures: tuple[Signature, ...] = ()  # verified; of a withdrawal too
    expires: datetime.datetime | None = None  # the first of its policies to end
    tombstones: int = 0
    frozen: str = ""  # the version people gave it, e.g. 1.2.0
    made: bool = True
    fault: str = ""

    @property
    def identifier(self) -> str:
        """`name@<first 12 hex of the version>`; the name alone where it is not made."""
        return f"{self.name}@{self.version[:12]}" if self.version else self.name

    def days_left(self, now: datetime.datetime) -> int | None:
        """Return whole days until the first policy ends; negative: it has ended; None: none ends."""
        return None if self.expires is None else (self.expires - now).days


def list_datasets(root: Path, shipped: Iterable[str] = ()) -> list[Listed]:
    """Return the datasets under a root by name, and the names of `shipped` cards that nobody has made here."""
    read: dict[Path, Listed | ForgiaError] = {}
    places = sorted(path.parent for path in root.glob(f"*/{MANIFEST}"))
    found = [_listed(place, read) for place in places if not place.name.startswith(".")]
    there = {one.name for one in found} | {place.name for place in places}
    missing = [Listed(name=name, made=False) for name in shipped if name not in there]
    return sorted([*found, *missing], key=lambda one: one.name)


def _listed(directory: Path, read: dict[Path, Listed | ForgiaError]) -> Listed:
    """Return a dataset's line, or what is wrong with it."""
    try:
        return _one(directory.resolve(), read)
    except ForgiaError as error:
        return Listed(
            name=directory.name, directory=directory.name, fault=str(error).splitlines()[0]
        )


def _one(directory: Path, read: dict[Path, Listed | ForgiaError]) -> Listed:
    """Return a dataset's line, each directory read once; raises what is wrong with it every time."""
    if directory not in read:
        try:
            read[directory] = _read(directory, read)
        except ForgiaError as error:
            read[directory] = error
    found = read[directory]
    if isinstance(found, ForgiaError):
        raise found
    return found


def _read(directory: Path, read: dict[Path, Listed | ForgiaError]) -> Listed:
    manifest = load_manifest(directory)
    card = load_card(directory)
    ends = [
        ends_of(read_document(document_of(policy, card.name, card.contributor)))
        for policy in card.terms.values()
    ]
    steps: dict[str, int] = {}
    for entry in manifest.shards:
        steps[entry.split.value] = steps.get(entry.split.value, 0) + entry.steps
    own = Listed(
        name=manifest.name,
        directory=directory.name,
        version=manifest.version,
        title=card.title,
        layouts=(manifest.layout,) if manifest.layout else (),
        contributors=() if manifest.members else (manifest.contributor,),
        members=tuple(one.name for one in manifest.members),
        steps=steps,
        values=sum(entry.values for entry in manifest.shards),
        shards=len(manifest.shards),
        bytes=manifest.bytes,
        profiles=tuple(sorted({entry.profile for entry in manifest.shards})),
        encrypted=any(entry.key_id for entry in manifest.shards),
        signatures=_signatures(manifest),
        expires=min((end for end in ends if end), default=None),
        tombstones=len(manifest.tombstones),
        frozen=str(manifest.content.get("frozen", {}).get("semver", "")),
    )
    return _with_members(own, manifest, read)


def _signatures(manifest: Manifest) -> tuple[Signature, ...]:
    if not manifest.tombstones and not (manifest.directory / SIGNATURES).is_dir():
        return ()
    trust = load_trust(manifest.directory)
    found = (*verify(manifest, trust), *verify_stones(manifest, trust))
    return tuple(map(_signature, found))


def _signature(one: Signed) -> Signature:
    state = "wrong" if one.by is None else "trusted" if one.trusted else "right"
    by = one.by.name if one.by else ""
    return Signature(one.who, by, state, one.about or "dataset", one.fault)


def _with_members(
    own: Listed, manifest: Manifest, read: dict[Path, Listed | ForgiaError]
) -> Listed:
    """Return a consortium's line: its own facts and the sums over its members."""
    if not manifest.members:
        return own
    parts, fault = [], ""
    for member in manifest.members:
        try:
            part = _one((manifest.directory / member.path).resolve(), read)
        except ForgiaError as error:
            fault = fault or str(error).splitlines()[0]
            continue
        if part.version != member.version:
            fault = fault or f"{member.name} is {part.identifier} now, not {member.version[:12]}"
        parts.append(part)
    steps: dict[str, int] = {}
    for part in parts:
        for split, count in part.steps.items():
            steps[split] = steps.get(split, 0) + count
    ends = [one.expires for one in (own, *parts) if one.expires]
    return replace(
        own,
        layouts=_union(part.layouts for part in parts),
        contributors=_union(part.contributors for part in parts),
        steps=steps,
        values=sum(part.values for part in parts),
        shards=sum(part.shards for part in parts),
        bytes=own.bytes + sum(part.bytes for part in parts),
        profiles=_union(part.profiles for part in parts),
        encrypted=any(part.encrypted for part in parts),
        expires=min(ends, default=None),
        fault=fault,
    )


def _union(words: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({word for part in words for word in part}))
