"""Data keys: one for each encrypted file, wrapped for each person who may open it.

`keys/<key_id>.json` lies beside the shards and is no part of the version: a person is added, or a policy
renewed, by wrapping again. The key_id stands in the manifest and is a digest of the key, so no other key can
take its place. A plain data key is only ever in memory.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from forgia_hpc.data.crypto.key_file import UserKey, key_path, load_key
from forgia_hpc.data.crypto.public_key import PublicKey, from_base64
from forgia_hpc.data.crypto.wraps import (
    FORMAT,
    WRAP_BYTES,
    Lock,
    Record,
    check_policy,
    key_id_of,
    mac_of,
    read_record,
)
from forgia_hpc.data.manifest import FileEntry, Manifest, ShardEntry
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, Problem, SealBrokenError


def shard_id(contribution: str, path: str, content_id: str) -> str:
    """Return which shard an encrypted file is (64 hex): no other's blocks authenticate in its place."""
    return hashlib.sha256(canonical_json([FORMAT, contribution, path, content_id])).hexdigest()


def lock_of(manifest: Manifest, entry: FileEntry) -> Lock:
    """Return the lock of an encrypted file of a contribution."""
    content_id = entry.content_id if isinstance(entry, ShardEntry) else ""
    policy = entry.policy if isinstance(entry, ShardEntry) else ""
    identity = shard_id(manifest.name, entry.path, content_id)
    return Lock(manifest.directory, entry.path, entry.key_id, identity, policy)


def locks_of(manifest: Manifest, entries: Iterable[FileEntry] | None = None) -> list[Lock]:
    """Return the locks of these files, all of the contribution's unless given."""
    listed = (*manifest.files, *manifest.shards) if entries is None else entries
    return [lock_of(manifest, entry) for entry in listed if entry.key_id]


def open_record(lock: Lock, user: UserKey) -> bytes:
    """Return the data key, once the whole record is known to be what a holder of it wrote."""
    record = read_record(lock)
    check_policy(lock, record)
    wrapped = record.wraps.get(user.public.fingerprint)
    if wrapped is None:
        raise InputError(_not_for(lock, user.public, record))
    key = open_wrap(lock, user, wrapped)
    if not hmac.compare_digest(
        mac_of(key, record.content).encode(), str(record.content["mac"]).encode()
    ):
        raise SealBrokenError(f"{lock.directory / lock.path}: {lock.record} was altered (MAC)")
    return key


def open_wrap(lock: Lock, user: UserKey, wrapped: str) -> bytes:
    """Return the data key in one wrap; SealBrokenError where it is not this lock's."""
    try:
        key = user.unseal(from_base64(wrapped, WRAP_BYTES), lock.info(user.public.fingerprint))
    except ValueError as error:
        raise SealBrokenError(
            f"{lock.directory / lock.path}: the wrap of its key does not open ({error}): another "
            "shard, policy or person"
        ) from error
    if key_id_of(key) != lock.key_id:
        raise SealBrokenError(f"{lock.directory / lock.path}: its wrap holds another key")
    return key


def _not_for(lock: Lock, public: PublicKey, record: Record) -> Problem:
    people = [f"{one.name} {fingerprint}" for fingerprint, one in record.people.items()]
    return Problem(
        field="key",
        got=f"{public.name} {public.fingerprint}",
        limit=f"{lock.directory / lock.path} is sealed to {', '.join(people) or 'nobody'}",
        where=str(key_path()),
        fix="mail the line of forgia data keygen --public to who holds the key",
    )


class Keyring:
    """Opens the data keys of a contribution with a person's own key, when they are first asked for."""

    def __init__(
        self,
        locks: Callable[[], Sequence[Lock]],
        wrapped: Mapping[str, str] | None = None,
        user: Callable[[], UserKey] = load_key,
    ) -> None:
        """Take what gives the locks, a grant's wraps by key_id, and what opens the person's key file."""
        self._find = locks
        self._wrapped = wrapped or {}
        self._load = user
        self._keys: dict[str, bytes] = {}
        self.caches: dict[int, Any] = {}  # decrypted blocks that the shards of this ring share

    def __repr__(self) -> str:
        """Say how many, never which."""
        return f"Keyring({len(self._keys)} open)"

    @cached_property
    def _locks(self) -> dict[str, Lock]:
        """Every lock by key_id; looked for when the first is asked for: a plain dataset has none."""
        return {lock.key_id: lock for lock in self._find()}

    @cached_property
    def _user(self) -> UserKey:
        """The person's key, read when it is first needed."""
        return self._load()

    def lock(self, key_id: str) -> Lock:
        """Return what a key opens."""
        return self._locks[key_id]

    def key_of(self, key_id: str) -> bytes:
        """Return a plain data key.

        Raises:
            InputError: the person has no key file, or it is not among those sealed to.
            SealBrokenError: a wrap is altered, or of another shard, policy or person.
        """
        if key_id not in self._keys:
            lock = self._locks[key_id]
            user, wrapped = self._user, self._wrapped.get(key_id)
            self._keys[key_id] = (
                open_wrap(lock, user, wrapped) if wrapped else open_record(lock, user)
            )
        return self._keys[key_id]


def keyring(manifest: Manifest, grant: Mapping[str, Any] | None = None) -> Keyring:
    """Return the keyring of a contribution, with a grant's wraps; it asks for no key where none is needed."""
    granted = grant or {}
    place = granted.get("key_file")
    user = partial(load_key, Path(place) if place else None)
    return Keyring(partial(locks_of, manifest), granted.get("wrapped_keys"), user)


def wrap_for_grant(manifest: Manifest, entries: Sequence[ShardEntry]) -> dict[str, str]:
    """Return the wraps of these shards and their index that are this person's: key_id → base64.

    Raises:
        InputError: every shard that is not sealed to this person, or there is no key file.
    """
    own = [entry for entry in manifest.files if entry.key_id]
    locks = locks_of(manifest, [*own, *entries])
    if not locks:
        return {}
    public = load_key().public
    found, problems = {}, []
    for lock in locks:
        record = read_record(lock)
        check_policy(lock, record)
        if public.fingerprint in record.wraps:
            found[lock.key_id] = record.wraps[public.fingerprint]
        else:
            problems.append(_not_for(lock, public, record))
    if problems:
        raise InputError(problems)
    return found


def keys_for_grant(parts: Iterable[tuple[Manifest, Sequence[ShardEntry]]]) -> dict[str, Any]:
    """Return what a grant of these shards says of keys: this person's wraps, and where the key file is.

    A rank has not its user's environment: it opens what is encrypted, and signs the ledger of use, with that file.
    """
    found: dict[str, str] = {}
    for manifest, entries in parts:
        found |= wrap_for_grant(manifest, entries)
    place = {"key_file": str(key_path().absolute())} if key_path().is_file() else {}
    return {"wrapped_keys": found, **place}
