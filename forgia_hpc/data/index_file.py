"""The bytes of index.pack, plain or encrypted, compared with the manifest's digest."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path

from forgia_hpc.data.crypto.keys import Keyring, keyring
from forgia_hpc.data.manifest import INDEX, FileEntry, Manifest
from forgia_hpc.errors import InputError, Problem, SealBrokenError

SEALED_INDEX = INDEX + ".e"


def index_bytes(manifest: Manifest, ring: Keyring | None = None) -> tuple[Path, bytes]:
    """Return where the index lies, and its plain bytes.

    Raises:
        InputError: the contribution was withdrawn, or its key is not sealed to this person.
        SealBrokenError: it is missing or altered.
    """
    entry = _entry(manifest)
    path = manifest.directory / entry.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SealBrokenError(f"{path}: can't be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise SealBrokenError(f"{path}: altered: its SHA-256 is not the sealed one")
    if not entry.key_id:
        return path, data
    module = import_module(
        "forgia_hpc.data.crypto.sealed_image"
    )  # cryptography, where it is needed
    plain: bytes = module.read_sealed(manifest.directory, ring or keyring(manifest), entry.key_id)
    return path, plain


def _entry(manifest: Manifest) -> FileEntry:
    for entry in manifest.files:
        if entry.path in (INDEX, SEALED_INDEX):
            return entry
    if manifest.tombstones:
        when = manifest.tombstones[-1].get("withdrawn", "")
        limit = f"was withdrawn by {manifest.contributor} ({when}); nothing of it may be read"
        raise InputError(Problem(field="dataset", got=manifest.name, limit=limit))
    raise SealBrokenError(f"{manifest.directory}: the manifest names no {INDEX}")
