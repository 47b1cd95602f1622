"""Make the encrypted version of a sealed dataset.

The encrypted version has the same values, content ids and order of windows; its shards and its index are
other files, so its version is another. What stays readable for everybody: manifest.json and the card.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

from forgia_hpc.data import index as index_
from forgia_hpc.data.crypto.keys import lock_of
from forgia_hpc.data.crypto.public_key import PublicKey
from forgia_hpc.data.crypto.sealed_file import SUFFIX, encrypt_stream
from forgia_hpc.data.crypto.wraps import FOLDER, KEY_BYTES, key_id_of, put_record
from forgia_hpc.data.fields import index as field_index
from forgia_hpc.data.fields.layout import FORMAT as FIELDS
from forgia_hpc.data.index_file import SEALED_INDEX
from forgia_hpc.data.layout import FORMAT as TELEMETRY
from forgia_hpc.data.manifest import (
    INDEX,
    MANIFEST,
    FileEntry,
    Manifest,
    ShardEntry,
    load_manifest,
    version_of,
)
from forgia_hpc.data.presence import verify_files
from forgia_hpc.data.writer import refuse_frozen, seal_again
from forgia_hpc.data.writing.appear import appearing, write_file
from forgia_hpc.digest import canonical_json, sha256_file
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.rundir import sync_directory

PACKED = {TELEMETRY: index_, FIELDS: field_index}  # layout → what knows its index.pack


def encrypt(
    directory: Path, to: Sequence[PublicKey], root: Path, *, overwrite: bool = False
) -> dict[str, str]:
    """Write the encrypted version of a dataset below another root; return name → version.

    A consortium's members are encrypted, and it is sealed again over their new versions.

    Raises:
        InputError: it is encrypted already, of a layout that can't be, or something is in the way.
        SealBrokenError: a file is missing or altered.
    """
    manifest = load_manifest(directory)
    refuse_frozen(manifest)
    members = manifest.contributions() if manifest.members else []
    for one in members or [manifest]:
        _check(one)
    if not members:
        into = root / manifest.name
        return {manifest.name: _encrypt(manifest, to, into, overwrite=overwrite)}
    found: dict[str, str] = {}
    for one in members:
        found |= encrypt(one.directory, to, root, overwrite=overwrite)
    found[manifest.name] = seal_again(manifest, root, overwrite=overwrite)
    return found


def _check(manifest: Manifest) -> None:
    problems = [
        _problem(manifest, entry.path, "is encrypted already", "forgia data encrypt --add")
        for entry in manifest.shards
        if entry.key_id
    ]
    if manifest.layout not in PACKED:
        limit = f"only {' and '.join(PACKED)} can be"
        problems.append(_problem(manifest, manifest.layout, limit, ""))
    if problems:
        raise InputError(problems[:1])
    if faults := verify_files(manifest, manifest.directory):
        raise SealBrokenError("\n".join(faults))


def _problem(manifest: Manifest, got: str, limit: str, fix: str) -> Problem:
    return Problem(field="dataset", got=f"{manifest.name}, {got}", limit=limit, fix=fix)


def _encrypt(manifest: Manifest, to: Sequence[PublicKey], into: Path, *, overwrite: bool) -> str:
    with appearing(into, overwrite=overwrite) as temporary:
        pairs = zip(manifest.shards, manifest.content["shards"], strict=True)
        shards = [
            {**listed, **_encrypt_shard(manifest, entry, temporary, to)} for entry, listed in pairs
        ]
        files = [
            _encrypt_index(manifest, shards, temporary, to)
            if entry.path == INDEX
            else _copy(manifest, entry, temporary)
            for entry in manifest.files
        ]
        for folder in {(temporary / one["path"]).parent for one in shards} | {temporary / FOLDER}:
            sync_directory(folder)
        content = {
            **manifest.content,
            "files": files,
            "shards": shards,
            "encrypted_from": manifest.version,
        }
        write_file(temporary, MANIFEST, canonical_json(content))
    return version_of(content)


def _encrypt_shard(
    manifest: Manifest, entry: ShardEntry, directory: Path, to: Sequence[PublicKey]
) -> dict[str, Any]:
    """Encrypt one shard under a fresh key; return what is new in its entry."""
    renamed = replace(entry, path=entry.path + SUFFIX)
    with (manifest.directory / entry.path).open("rb") as plain:
        return _seal(manifest, renamed, plain, entry.bytes, directory, to)


def _encrypt_index(
    manifest: Manifest, entries: list[dict[str, Any]], directory: Path, to: Sequence[PublicKey]
) -> dict[str, Any]:
    """Encrypt index.pack: it holds channel names, assets, marks and statistics."""
    where = manifest.directory / INDEX
    form: Any = PACKED[manifest.layout]
    index = form.unpack(where.read_bytes(), where=str(where))
    shards = index.shards.copy()
    width = shards.dtype["path"].itemsize
    for row, entry in enumerate(entries):
        if len(entry["path"]) > width:
            limit = f"at most {width} bytes of a path fit index.pack"
            raise InputError(_problem(manifest, entry["path"], limit, ""))
        shards["path"][row] = entry["path"].encode()
        # of a cold shard the index says how long it is when it is hot, and plain
        shards["bytes"][row] = entry.get("hot_bytes", entry["bytes"])
    return seal_index(manifest, form.pack(replace(index, shards=shards)), directory, to)


def seal_index(
    manifest: Manifest, data: bytes, directory: Path, to: Sequence[PublicKey]
) -> dict[str, Any]:
    """Write the bytes of an index, encrypted under a fresh key; return the manifest's entry."""
    entry = FileEntry(path=SEALED_INDEX, bytes=len(data), sha256="")
    facts = _seal(manifest, entry, io.BytesIO(data), len(data), directory, to)
    sync_directory(directory / FOLDER)
    return facts


def _seal(
    manifest: Manifest,
    entry: FileEntry,
    plain: BinaryIO,
    size: int,
    directory: Path,
    to: Sequence[PublicKey],
) -> dict[str, Any]:
    """Write one encrypted file and the wraps of its key; return path, bytes, sha256 and key_id."""
    key = secrets.token_bytes(KEY_BYTES)
    whole = replace(manifest, directory=directory)
    lock = lock_of(whole, replace(entry, key_id=key_id_of(key)))
    path = directory / entry.path
    path.parent.mkdir(exist_ok=True)
    encrypt_stream(plain, size, path, key, lock)
    put_record(lock, key, to)
    return {
        "path": entry.path,
        "bytes": path.stat().st_size,
        "sha256": sha256_file(path),
        "key_id": lock.key_id,
    }


def _copy(manifest: Manifest, entry: FileEntry, directory: Path) -> dict[str, Any]:
    path = directory / entry.path
    path.parent.mkdir(exist_ok=True)
    data = (manifest.directory / entry.path).read_bytes()
    return {**_listed(entry), **write_file(directory, entry.path, data)}


def _listed(entry: FileEntry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if value != ""}
