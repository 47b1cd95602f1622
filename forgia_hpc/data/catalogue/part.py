"""One contribution of a dataset as it is, or as it was when a version of it was frozen: plain facts, no values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from forgia_hpc.data.access.policies import Sealed, sealed_policies
from forgia_hpc.data.card import Card, load_card
from forgia_hpc.data.catalogue.policy_words import policy_words
from forgia_hpc.data.fields.layout import FORMAT as FIELDS
from forgia_hpc.data.fields.opening import load_field_index
from forgia_hpc.data.index import Index
from forgia_hpc.data.manifest import Manifest, ShardEntry, load_manifest
from forgia_hpc.data.presence import find_altered, find_faults
from forgia_hpc.data.reader import load_index
from forgia_hpc.errors import InputError, SealBrokenError

FOLDER = "members"  # of a frozen version: a file for each part
FORMAT = "forgia.part/1"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A contribution in facts. `channels` None: encrypted, and the key is not sealed to this person."""

    name: str
    version: str
    contributor: str
    layout: str
    card: dict[str, str]  # title, licence, source, citation
    shards: dict[
        str, dict[str, Any]
    ]  # path → content_id, sha256, split, steps, values, bytes, policy
    channels: dict[str, dict[str, str]] | None
    terms: dict[str, list[list[str]]] = field(default_factory=dict)  # policy → (what, said)
    format: str = FORMAT

    @property
    def identifier(self) -> str:
        """`name@<first 12 hex of the version>`."""
        return f"{self.name}@{self.version[:12]}"

    def total(self, fact: str) -> int:
        """Return the sum of a number over all shards."""
        return sum(int(shard[fact]) for shard in self.shards.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the part as plain data, as `part_from` takes it."""
        return asdict(self)


def parts_of(directory: Path) -> dict[str, Part]:
    """Return the contributions of a dataset by name; of a frozen version, as they were then.

    Raises:
        InputError: no dataset lies there.
        SealBrokenError: a member is missing or of another version, or a file was altered.
    """
    manifest = load_manifest(directory)
    if "frozen" in manifest.content:
        return _frozen_parts(manifest)
    return {one.name: part_of(one) for one in manifest.contributions()}


def part_of(manifest: Manifest) -> Part:
    """Return the facts of a contribution."""
    card = load_card(manifest.directory)
    policies = sealed_policies(manifest, card)
    return Part(
        name=manifest.name,
        version=manifest.version,
        contributor=manifest.contributor,
        layout=manifest.layout,
        card={name: getattr(card, name) for name in ("title", "licence", "source", "citation")},
        shards={entry.path: _shard(entry) for entry in manifest.shards},
        channels=channels_of(manifest),
        terms=_terms(manifest, card, policies),
    )


def channels_of(manifest: Manifest) -> dict[str, dict[str, str]] | None:
    """Return the channels by group and name: unit, meaning, role and rates; None where they can't be read here."""
    if not manifest.shards:
        return {}
    try:
        if manifest.layout == FIELDS:
            return _field_channels(manifest)
        return _telemetry_channels(load_index(manifest))
    except InputError:
        if any(entry.key_id for entry in manifest.files):
            return None
        raise


def _telemetry_channels(index: Index) -> dict[str, dict[str, str]]:
    found = {}
    for one in index.channels:
        mine = index.segments[index.segments["group"] == one.group]
        rates = np.unique(mine[["rate_num", "rate_den"]])
        channel = one.channel
        found[f"{index.groups[one.group]}/{channel.name}"] = {
            **_meaning(channel.ucum, channel.quantity, channel.semantic_id),
            "role": channel.role,
            "rate_hz": ", ".join(_ratio(int(a), int(b)) for a, b in rates.tolist()),
        }
    return found


def _field_channels(manifest: Manifest) -> dict[str, dict[str, str]]:
    schema = load_field_index(manifest).schema
    fields = {
        f"fields/{one.name}": {
            **_meaning(one.ucum, one.quantity, one.semantic_id),
            "role": "field" if one.time_varying else "static field",
            "shape": " x ".join(map(str, one.cells(schema.grid))),
        }
        for one in schema.fields
    }
    inputs = {
        f"inputs/{one.name}": {**_meaning(one.ucum, "", one.semantic_id), "role": role}
        for role, given in (("parameter", schema.parameters), ("signal", schema.signals))
        for one in given
    }
    return fields | inputs


def _meaning(ucum: str, quantity: str, semantic_id: str) -> dict[str, str]:
    return {"ucum": ucum, "quantity": quantity, "semantic_id": semantic_id}


def _ratio(above: int, below: int) -> str:
    return str(above) if below == 1 else f"{above}/{below}"


def _shard(entry: ShardEntry) -> dict[str, Any]:
    names = ("content_id", "sha256", "steps", "values", "bytes", "policy", "profile", "key_id")
    return {"split": entry.split.value, **{name: getattr(entry, name) for name in names}}


def _terms(
    manifest: Manifest, card: Card, policies: dict[str, Sealed]
) -> dict[str, list[list[str]]]:
    """Return each policy in words, by its own name, with the splits that it holds for."""
    found = {}
    for digest, sealed in policies.items():
        splits = _splits(entry for entry in manifest.shards if entry.policy == digest)
        name = sealed.words.uid.removeprefix(f"urn:forgia:policy:{card.name}").lstrip(":")
        rows = [*policy_words(sealed.words), ("Holds for", ", ".join(splits))]
        found[name] = [list(row) for row in rows]
    return found


def _splits(entries: Iterable[ShardEntry]) -> list[str]:
    return list(dict.fromkeys(entry.split.value for entry in entries))


def _frozen_parts(manifest: Manifest) -> dict[str, Part]:
    files = [entry for entry in manifest.files if entry.path.startswith(f"{FOLDER}/")]
    directory = manifest.directory
    faults = find_faults(manifest, directory) or find_altered(files, directory)
    if faults:
        raise SealBrokenError("\n".join(faults))
    found = [part_from(json.loads((directory / entry.path).read_bytes())) for entry in files]
    return {part.name: part for part in found}


def part_from(content: dict[str, Any]) -> Part:
    """Return a part from plain data.

    Raises:
        SealBrokenError: it is of another format.
    """
    if content.get("format") != FORMAT:
        raise SealBrokenError(f"{content.get('format')!r} is not {FORMAT}")
    return Part(**content)
