"""The manifest: which files make a dataset, with their digests. Written last; read without HDF5.

The file's bytes are the canonical JSON of its content, and their SHA-256 is the version: `sha256sum
manifest.json` tells it. A consortium's manifest has no files of its own but names the versions of
its members.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest_words import file_words, one_word, stone_words
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, Problem, SealBrokenError

FORMAT = "forgia.dataset/1"
MANIFEST, INDEX, CARD, SHARDS = "manifest.json", "index.pack", "card.yaml", "shards"


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """A file of a dataset's directory."""

    path: str
    bytes: int
    sha256: str
    key_id: str = ""  # of the data key that opens it; empty: not encrypted


@dataclass(frozen=True, kw_only=True)
class ShardEntry(FileEntry):
    """A shard: one contribution, one split."""

    split: Split
    merkle_root: str
    content_id: str
    segments: int
    series: int
    steps: int  # over all segments
    values: int  # steps * channels over all segments
    t_min_ns: int | None
    t_max_ns: int | None
    profile: str = "hot"  # how it is stored: or cold (packed; as hot: hot_bytes, hot_sha256)
    hot_bytes: int = 0
    hot_sha256: str = ""
    policy: str = ""  # SHA-256 of the policy's document; empty: the card's alone


@dataclass(frozen=True, kw_only=True)
class Member:
    """A contribution of a consortium, by name, version and place relative to the consortium's."""

    name: str
    version: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a dataset is made of; `content` is the JSON itself, `directory` where it was read."""

    name: str
    contributor: str
    version: str
    directory: Path
    content: dict[str, Any]
    files: tuple[FileEntry, ...]  # index.pack and card.yaml, as far as they belong to it
    shards: Sequence[ShardEntry]
    members: tuple[Member, ...]
    season_steps: dict[str, int]
    provenance: dict[str, Any]
    tombstones: tuple[dict[str, Any], ...] = ()  # of what was withdrawn

    @property
    def identifier(self) -> str:
        """`name@<first 12 hex of the version>`, as jobs and checkpoints cite it."""
        return f"{self.name}@{self.version[:12]}"

    @property
    def layout(self) -> str:
        """The layout of its shards, e.g. `forgia.telemetry/1`; empty for a consortium."""
        return str(self.content.get("layout", ""))

    @property
    def bytes(self) -> int:
        """Size of all files named, without the members'."""
        return sum(entry.bytes for entry in (*self.files, *self.shards))

    def content_id(self, split: Split) -> str:
        """Return the digest of the decoded values of a split: what a sampler's order hangs on."""
        ids = [entry.content_id for entry in self.shards if entry.split is split]
        return hashlib.sha256(canonical_json([self.name, split.value, ids])).hexdigest()

    def contributions(self) -> list[Manifest]:
        """Return itself, or the manifests of all members of a consortium.

        Raises:
            SealBrokenError: every member that is missing, or not of the version named.
        """
        if not self.members:
            return [self]
        found, faults = [], []
        for member in self.members:
            try:
                manifest = load_manifest(self.directory / member.path)
            except SealBrokenError as error:
                faults.append(str(error))
                continue
            except InputError:
                path = self.directory / member.path
                faults.append(f"{path}: member {member.name} is missing or half-copied")
                continue
            if (manifest.name, manifest.version) != (member.name, member.version):
                wanted = f"{member.name}@{member.version[:12]}"
                faults.append(f"{manifest.directory}: is {manifest.identifier}, not {wanted}")
            found.append(manifest)
        if faults:
            raise SealBrokenError("\n".join(faults))
        return found


def load_manifest(directory: Path) -> Manifest:
    """Load the manifest of a dataset's directory.

    Raises:
        InputError: there is none: the directory is no dataset, or half-copied.
        SealBrokenError: it is not what a writer leaves.
    """
    path = directory / MANIFEST
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            Problem(
                field="dataset",
                got=str(directory),
                limit=f"has no readable {MANIFEST}: no dataset, or half-copied",
                where=error.strerror or "",
                fix="check the name, or copy or prepare it again",
            )
        ) from error
    try:
        content = json.loads(data)
        canonical = canonical_json(content)
    except (ValueError, RecursionError) as error:
        raise SealBrokenError(f"{path}: broken JSON ({error}): half-copied or altered") from error
    if data != canonical:
        raise SealBrokenError(f"{path}: altered after it was sealed (not canonical JSON)")
    return manifest_from(content, directory, hashlib.sha256(data).hexdigest())


def manifest_from(content: dict[str, Any], directory: Path, version: str = "") -> Manifest:
    """Return a manifest's content (as `inputs/manifest.json` keeps it) in words.

    version: where the caller has it; of ten thousand shards it takes 60 ms.
    """
    try:
        if content["format"] != FORMAT:
            raise SealBrokenError(f"{directory}: format {content['format']!r}, known: {FORMAT}")
        return Manifest(
            name=one_word(content["name"]),
            contributor=one_word(content["contributor"]),
            version=version or version_of(content),
            directory=directory,
            content=content,
            files=tuple(FileEntry(**file_words(entry)) for entry in content["files"]),
            shards=shard_entries(content),
            members=tuple(Member(**entry) for entry in content.get("members", [])),
            season_steps=content.get("season_steps", {}),
            provenance=content.get("provenance", {}),
            tombstones=tuple(stone_words(entry) for entry in content.get("tombstones", [])),
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        what = f"broken manifest ({type(error).__name__}: {error})"
        raise SealBrokenError(f"{directory}: {what}") from error


def shard_entries(content: dict[str, Any]) -> tuple[ShardEntry, ...]:
    """Return the entries of a manifest's shards."""
    found = tuple(
        ShardEntry(**{**file_words(entry), "split": Split(entry["split"])})
        for entry in content.get("shards", [])
    )
    if len({entry.path for entry in found}) < len(found):
        raise ValueError("a shard is listed twice")  # under two policies, the milder would open it
    return found


def version_of(content: dict[str, Any]) -> str:
    """Return the version: the SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(content)).hexdigest()


def flatten(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Return the contributions of these datasets, each once, in order of appearance.

    Raises:
        InputError: one name with two versions.
    """
    found: dict[str, Manifest] = {}
    problems = []
    for manifest in (part for whole in manifests for part in whole.contributions()):
        known = found.setdefault(manifest.name, manifest)
        if known.version != manifest.version:
            problems.append(
                Problem(
                    field="dataset.members",
                    got=manifest.identifier,
                    limit=f"{known.identifier} is there already",
                    where=str(manifest.directory),
                    fix="seal the consortium again, with one version of each member",
                )
            )
    if problems:
        raise InputError(problems)
    return list(found.values())
