"""Who may open an encrypted dataset: people are added and taken off, wraps renewed; no data are touched."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from forgia_hpc.data.crypto.key_file import UserKey, load_key
from forgia_hpc.data.crypto.keys import locks_of, open_record
from forgia_hpc.data.crypto.public_key import PublicKey
from forgia_hpc.data.crypto.wraps import Lock, read_record, write_records
from forgia_hpc.data.manifest import Manifest, load_manifest
from forgia_hpc.errors import InputError, Problem

People = dict[str, PublicKey]  # by fingerprint


def wrap_again(
    directory: Path,
    add: Sequence[PublicKey] = (),
    remove: Sequence[PublicKey] = (),
    user: UserKey | None = None,
) -> list[str]:
    """Wrap the data keys of an encrypted dataset again: for more or fewer people, and under today's policies.

    Returns the paths whose wraps were written. No data are rewritten and the version stays. Who is taken off
    can still open what they have opened before: a data key that was unwrapped once may be kept.

    Raises:
        InputError: nothing is encrypted, or a key is not sealed to this person.
        SealBrokenError: a record was altered.
    """
    user = user or load_key()
    gone = {one.fingerprint for one in remove}
    if user.public.fingerprint in gone:
        limit = "your own: another who holds the keys takes you off"
        raise InputError(Problem(field="--remove", got=user.public.name, limit=limit))
    opened = []
    for lock in _locks(
        load_manifest(directory)
    ):  # all first: half of a dataset wrapped helps nobody
        record = read_record(lock)
        key = open_record(replace(lock, policy=record.policy), user)
        people = {**record.people, **{one.fingerprint: one for one in add}}
        opened.append((lock, key, [one for mark, one in people.items() if mark not in gone]))
    write_records(opened)
    return [os.fspath(lock.directory / lock.path) for lock, _, _ in opened]


def people_of(manifest: Manifest) -> People:
    """Return everybody to whom a key of an encrypted dataset is wrapped.

    Raises:
        InputError: nothing is encrypted.
        SealBrokenError: a record was altered.
    """
    found: People = {}
    for lock in _locks(manifest):
        found |= read_record(lock).people
    return found


def person_of(word: str, people: Mapping[str, PublicKey]) -> PublicKey:
    """Return whom a name, a fingerprint or a public line means.

    Raises:
        InputError: nobody, or several.
    """
    found = [one for one in people.values() if word in (one.name, one.fingerprint, one.text)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{one.name} {mark}" for mark, one in sorted(people.items()))
    limit = (
        f"{'several are called so' if found else 'nothing is sealed to them'}; there are {there}"
    )
    raise InputError(Problem(field="--remove", got=word, limit=limit, fix="say the fingerprint"))


def _locks(manifest: Manifest) -> list[Lock]:
    found = [lock for one in manifest.contributions() for lock in locks_of(one)]
    if not found:
        limit = "nothing in it is encrypted"
        raise InputError(Problem(field="dataset", got=manifest.identifier, limit=limit))
    return found
