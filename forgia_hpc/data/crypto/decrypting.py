"""Make an encrypted dataset plain again, for who holds its keys.

Shards and index become the bytes that were encrypted. Where nothing was withdrawn or renewed since, the manifest
is the one it was, so the version is, too: that is compared, and holds every byte. Otherwise what comes out is
checked as `forgia data check` does before it appears.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from forgia_hpc.data.crypto.encrypting import PACKED
from forgia_hpc.data.crypto.keys import Keyring, keyring
from forgia_hpc.data.crypto.sealed_file import SUFFIX
from forgia_hpc.data.crypto.sealed_image import open_sealed
from forgia_hpc.data.index_file import SEALED_INDEX, index_bytes
from forgia_hpc.data.manifest import INDEX, MANIFEST, Manifest, load_manifest, version_of
from forgia_hpc.data.presence import verify_files
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import refuse_frozen, seal_again
from forgia_hpc.data.writing.appear import appearing, write_file
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.rundir import sync_directory

FROM = "encrypted_from"


@dataclass(frozen=True)
class Plain:
    """A dataset made plain again; `same`: it is the version that was encrypted."""

    version: str
    same: bool


def decrypt(directory: Path, root: Path, *, overwrite: bool = False) -> dict[str, Plain]:
    """Write the plain version of an encrypted dataset below another root; of a consortium, with its members.

    Raises:
        InputError: it is not encrypted, not to this person, or something is in the way.
        SealBrokenError: a file is missing or altered, or what comes out is not sound.
    """
    manifest = load_manifest(directory)
    refuse_frozen(manifest)
    members = manifest.contributions() if manifest.members else []
    for one in members or [manifest]:
        _check(one)
    if not members:
        return {manifest.name: _decrypt(manifest, root / manifest.name, overwrite=overwrite)}
    found: dict[str, Plain] = {}
    for one in members:
        found |= decrypt(one.directory, root, overwrite=overwrite)
    version = seal_again(manifest, root, overwrite=overwrite)
    found[manifest.name] = Plain(version, all(one.same for one in found.values()))
    return found


def _check(manifest: Manifest) -> None:
    if not any(one.key_id for one in (*manifest.files, *manifest.shards)):
        limit = "nothing in it is encrypted"
        raise InputError(Problem(field="dataset", got=manifest.identifier, limit=limit))
    if faults := verify_files(manifest, manifest.directory):
        raise SealBrokenError("\n".join(faults))


def _decrypt(manifest: Manifest, into: Path, *, overwrite: bool) -> Plain:
    ring = keyring(manifest)
    with appearing(into, overwrite=overwrite) as temporary:
        shards = [_shard(manifest, ring, one, temporary) for one in manifest.content["shards"]]
        files = [
            _index(manifest, ring, shards, temporary)
            if one["path"] == SEALED_INDEX
            else _copy(manifest, one, temporary)
            for one in manifest.content["files"]
        ]
        for folder in {(temporary / one["path"]).parent for one in (*shards, *files)}:
            sync_directory(folder)
        content = {**manifest.content, "files": files, "shards": shards}
        before = content.pop(FROM, "")
        write_file(temporary, MANIFEST, canonical_json(content))
        version = version_of(content)
        if version != before and (faults := check(temporary)):
            raise SealBrokenError("\n".join(faults))
    return Plain(version, version == before)


def _shard(
    manifest: Manifest, ring: Keyring, listed: dict[str, Any], directory: Path
) -> dict[str, Any]:
    """Write one shard plain; return its entry."""
    if not listed.get("key_id"):
        return _copy(manifest, listed, directory)
    path = listed["path"].removesuffix(SUFFIX)
    digest = hashlib.sha256()
    file = open_sealed(manifest.directory, ring, listed["key_id"], mapped=False)
    (directory / path).parent.mkdir(exist_ok=True)
    block = memoryview(bytearray(file.header.block_bytes))
    try:
        with (directory / path).open("xb") as out:
            for number in range(file.header.blocks):
                plain = block[: file.size_of(number)]
                file.decrypt_into(number, plain)
                digest.update(plain)
                out.write(plain)
            out.flush()
            os.fsync(out.fileno())
    finally:
        file.close()
    facts = {"path": path, "bytes": file.header.plain_bytes, "sha256": digest.hexdigest()}
    return {**{key: value for key, value in listed.items() if key != "key_id"}, **facts}


def _index(
    manifest: Manifest, ring: Keyring, entries: list[dict[str, Any]], directory: Path
) -> dict[str, Any]:
    """Write index.pack with the plain shards' paths and sizes."""
    form: Any = PACKED[manifest.layout]
    where, data = index_bytes(manifest, ring)
    index = form.unpack(data, where=str(where))
    shards = index.shards.copy()
    for row, entry in enumerate(entries):
        shards["path"][row] = entry["path"].encode()
        shards["bytes"][row] = entry.get("hot_bytes", entry["bytes"])
    return write_file(directory, INDEX, form.pack(replace(index, shards=shards)))


def _copy(manifest: Manifest, listed: dict[str, Any], directory: Path) -> dict[str, Any]:
    path = directory / listed["path"]
    path.parent.mkdir(exist_ok=True)
    shutil.copyfile(manifest.directory / listed["path"], path)
    with path.open("rb") as written:
        os.fsync(written.fileno())
    return listed
