"""A large manifest without its ten thousand shard entries: index.pack says where everything lies.

The manifest's bytes are hashed, so its version is known; its keys before `shards` are read, so index.pack
can be compared with its digest. The entries are parsed when somebody asks for one (a content id, a key),
and only then is the JSON compared with its canonical form, which is as long as the manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from forgia_hpc.data.manifest import (
    MANIFEST,
    Manifest,
    ShardEntry,
    load_manifest,
    manifest_from,
    shard_entries,
)
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import SealBrokenError

SMALL_BYTES = 256 << 10  # some 500 shards: parsed whole in milliseconds
# what a reader must know before it touches a shard: the manifest is parsed whole
TELLING = (b'"profile":', b'"key_id":', b'"tombstones":', b'"hot_bytes":')


class Entries(Sequence[ShardEntry]):
    """The shard entries of a manifest, parsed at the first question."""

    def __init__(self, data: bytes, directory: Path) -> None:
        """Take the manifest's bytes."""
        self._data, self._directory = data, directory

    @cached_property
    def _parsed(self) -> Sequence[ShardEntry]:
        path = self._directory / MANIFEST
        try:
            content = json.loads(self._data)
            entries = shard_entries(content)
        except (ValueError, LookupError, TypeError) as error:
            raise _broken(path, error) from error
        if self._data != canonical_json(content):
            raise SealBrokenError(f"{path}: altered after it was sealed (not canonical JSON)")
        return entries

    def __len__(self) -> int:
        """Return the number of shards."""
        return len(self._parsed)

    def __iter__(self) -> Iterator[ShardEntry]:
        """Yield all entries."""
        return iter(self._parsed)

    @overload
    def __getitem__(self, number: int) -> ShardEntry: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[ShardEntry]: ...
    def __getitem__(self, number: int | slice) -> ShardEntry | Sequence[ShardEntry]:
        """Return entries."""
        return self._parsed[number]


def glance(directory: Path) -> Manifest:
    """Return the manifest of a dataset; of a large plain one the `content` ends before its shards.

    Raises:
        InputError: there is none: the directory is no dataset, or half-copied.
        SealBrokenError: it is not what a writer leaves.

    """
    path = directory / MANIFEST
    try:
        data = path.read_bytes()
    except OSError:
        return load_manifest(directory)  # says what is wrong
    if len(data) < SMALL_BYTES or any(word in data for word in TELLING):
        return load_manifest(directory)
    try:
        head = _head(data.decode())
        if not head["files"]:
            return load_manifest(directory)
        found = manifest_from({**head, "shards": []}, directory)
    except (ValueError, LookupError) as error:
        raise _broken(path, error) from error
    version = hashlib.sha256(data).hexdigest()
    return replace(found, version=version, shards=Entries(data, directory))


def _head(text: str) -> dict[str, Any]:
    """Return the keys before `shards`; canonical JSON has its keys in order."""
    decoder, at = json.JSONDecoder(), 1
    found: dict[str, Any] = {}
    while True:
        key, at = decoder.raw_decode(text, at)
        if key == "shards":
            return found
        found[key], at = decoder.raw_decode(text, at + 1)
        at += 1  # the comma


def _broken(path: Path, error: Exception) -> SealBrokenError:
    return SealBrokenError(f"{path}: broken JSON ({error}): half-copied or altered")
