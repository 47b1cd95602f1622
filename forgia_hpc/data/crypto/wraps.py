"""The wraps of data keys: `keys/<key_id>.json`, beside the shards and no part of the version.

A wrap is HPKE to one person, bound to key, shard, policy and person; the whole record carries a MAC under the
data key, so that who opens one wrap knows that the others were not altered.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.data.crypto.public_key import (
    PublicKey,
    from_base64,
    public_line,
    seal_to,
    to_base64,
)
from forgia_hpc.data.sharing import share
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.rundir import sync_directory

FORMAT = "forgia.keys/1"
FOLDER = "keys"
KEY_BYTES = 32
WRAP_BYTES = 32 + KEY_BYTES + 16  # X25519 share, the data key, GCM's tag


@dataclass(frozen=True)
class Lock:
    """What one data key opens, as the manifest has it: a wrap is bound to all of it."""

    directory: Path
    path: str
    key_id: str
    shard_id: str
    policy: str

    @property
    def record(self) -> Path:
        """Return the file of the wraps."""
        return self.directory / FOLDER / f"{self.key_id}.json"

    def info(self, fingerprint: str) -> bytes:
        """Return what a wrap is bound to: HPKE's info."""
        bound = [FORMAT, self.key_id, self.shard_id, self.policy, fingerprint]
        return canonical_json(bound)


def derive(key: bytes, what: str, size: int) -> bytes:
    """Return bytes that follow from a data key and don't tell it (HKDF-SHA256, RFC 5869, no salt)."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, f"{FORMAT} {what}".encode() + b"\x01", "sha256")[:size]


def key_id_of(key: bytes) -> str:
    """Return the digest (32 hex) by which the manifest names a data key."""
    return derive(key, "id", 16).hex()


def write_records(records: Iterable[tuple[Lock, bytes, Iterable[PublicKey]]]) -> None:
    """Write the record of each of these locks; durable when it returns.

    Directories are flushed and shared once: with ten thousand keys, each time was minutes.
    """
    folders = set()
    for lock, key, to in records:
        put_record(lock, key, to)
        folders.add(lock.record.parent)
    for folder in folders:
        share(folder)
        sync_directory(folder)


def put_record(lock: Lock, key: bytes, to: Iterable[PublicKey]) -> None:
    """Write `keys/<key_id>.json`, whole: the data key wrapped anew for each; the caller flushes the folder."""
    lock.record.parent.mkdir(exist_ok=True)
    part = lock.record.with_name(f".{lock.record.name}.part")
    with part.open("wb") as out:
        os.fchmod(out.fileno(), 0o640)
        out.write(_record(lock, key, to))
        out.flush()
        os.fsync(out.fileno())
    part.replace(lock.record)


def _record(lock: Lock, key: bytes, to: Iterable[PublicKey]) -> bytes:
    people = {one.fingerprint: one for one in to}
    record = {
        "format": FORMAT,
        "key_id": lock.key_id,
        "path": lock.path,
        "policy": lock.policy,
        "wraps": [
            {"to": one.text, "wrapped": to_base64(seal_to(one, key, lock.info(fingerprint)))}
            for fingerprint, one in sorted(people.items())
        ],
    }
    return canonical_json({**record, "mac": mac_of(key, record)})


def mac_of(key: bytes, record: Mapping[str, Any]) -> str:
    """Return who holds the data key vouches for the whole record, others' wraps too."""
    body = {name: value for name, value in record.items() if name != "mac"}
    return hmac.digest(derive(key, "mac", 32), canonical_json(body), "sha256").hex()


@dataclass(frozen=True)
class Record:
    """The wraps of a data key, as they lie beside the shards."""

    content: dict[str, Any]
    people: dict[str, PublicKey]  # by fingerprint
    wraps: dict[str, str]  # base64, by fingerprint

    @property
    def policy(self) -> str:
        """Return the policy that the wraps are bound to."""
        return str(self.content["policy"])


def read_record(lock: Lock) -> Record:
    """Return the wraps of a lock, of whatever policy.

    Raises:
        InputError: there are none: the key was destroyed, or not copied along.
        SealBrokenError: they are not what a writer leaves, or of another file.
    """
    file = lock.directory / lock.path
    try:
        data = lock.record.read_bytes()
    except OSError as error:
        limit = f"no wraps of its key at {lock.record}: destroyed by a withdrawal, or not copied"
        raise InputError(Problem(field="key", got=str(file), limit=limit)) from error
    try:
        record = _record_from(data)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise SealBrokenError(f"{file}: {lock.record} was altered ({error})") from error
    if (record.content["key_id"], record.content["path"]) != (lock.key_id, lock.path):
        raise SealBrokenError(f"{file}: {lock.record} is that of {record.content['path']}")
    return record


def _record_from(data: bytes) -> Record:
    content: dict[str, Any] = json.loads(data)
    if data != canonical_json(content) or content["format"] != FORMAT:
        raise ValueError(f"no canonical JSON of {FORMAT}")
    if set(content) != {"format", "key_id", "path", "policy", "wraps", "mac"}:
        raise ValueError("other keys than a record has")
    people = [public_line(wrap["to"]) for wrap in content["wraps"]]
    for wrap in content["wraps"]:
        from_base64(wrap["wrapped"], WRAP_BYTES)
    wraps = [str(wrap["wrapped"]) for wrap in content["wraps"]]
    fingerprints = [one.fingerprint for one in people]
    return Record(
        content,
        dict(zip(fingerprints, people, strict=True)),
        dict(zip(fingerprints, wraps, strict=True)),
    )


def check_policy(lock: Lock, record: Record) -> None:
    """Refuse wraps bound to another policy than the manifest names."""
    if record.policy != lock.policy:
        raise SealBrokenError(
            f"{lock.directory / lock.path}: the wraps of its key are bound to policy "
            f"{record.policy[:12] or 'none'}, the manifest says {lock.policy[:12] or 'none'}; "
            "who holds the key wraps it again: forgia data encrypt"
        )
