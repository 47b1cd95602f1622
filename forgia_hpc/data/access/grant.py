"""A grant: what one job may read. Written on the login node, read by every rank; nothing else is opened."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from pathlib import Path
from typing import Any

from forgia_hpc.data.access.odrl import read_document
from forgia_hpc.data.access.verdict import Claim, evaluate
from forgia_hpc.data.crypto.key_file import key_path, load_key
from forgia_hpc.data.crypto.signatures import sign_bytes, signer_of
from forgia_hpc.data.manifest import Manifest, ShardEntry, load_manifest
from forgia_hpc.digest import digest_of
from forgia_hpc.errors import InputError, Problem, SealBrokenError

GRANT_FORMAT = "forgia.grant/2"
GRANT_TYPE = "application/vnd.forgia.grant+json"
_UNSEALED = ("digest", "signature")

Granted = list[tuple[Manifest, Collection[str]]]  # each contribution, and the paths of its shards


def grant_digest(grant: dict[str, Any]) -> str:
    """Return the SHA-256 of a grant's canonical JSON, without its digest and signature."""
    return digest_of({key: value for key, value in grant.items() if key not in _UNSEALED})


def sign_grant(grant: dict[str, Any]) -> dict[str, Any]:
    """Return the grant with the user's signature, where the user has a key to sign with."""
    if not key_path().is_file():
        return grant
    return {**grant, "signature": sign_bytes(GRANT_TYPE, grant["digest"].encode(), load_key())}


def _check_signature(grant: dict[str, Any]) -> None:
    """Refuse a grant whose signature is wrong.

    One without is as good as the run directory it lies in; policies that demand a signature then deny.
    """
    if "signature" not in grant:
        return
    try:
        signer_of(grant["signature"], GRANT_TYPE, grant["digest"].encode())
    except ValueError as error:
        raise SealBrokenError(f"grant.json: altered: {error}") from error


def read_grant(grant: dict[str, Any], now: datetime.datetime | None = None) -> Granted:
    """Return what a grant lists, after comparing it with what lies in the directories.

    Raises:
        InputError: another format, or it has ended.
        SealBrokenError: an altered grant, another version, a shard or policy that the manifest does not have so.
    """
    if not isinstance(grant, dict) or grant.get("format") != GRANT_FORMAT:
        limit = f"must be {GRANT_FORMAT}"
        got = grant.get("format") if isinstance(grant, dict) else grant
        fix = "submit the job again"
        raise InputError(Problem(field="grant.format", got=got, limit=limit, fix=fix))
    if grant_digest(grant) != grant.get("digest"):
        raise SealBrokenError("grant.json: altered: its content does not give its own digest")
    try:
        _check_signature(grant)
        refuse_ended(grant, now)
        return _compared(grant, now or datetime.datetime.now(datetime.UTC))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise SealBrokenError(f"grant.json: altered: {error!r}") from error


def _compared(grant: dict[str, Any], now: datetime.datetime) -> Granted:
    """Return the manifests of a grant and its shards, where all of it is as the directories and policies say."""
    found: Granted = []
    faults: list[str] = []
    for entry in grant["contributions"]:
        manifest = load_manifest(Path(entry["directory"]))
        wanted = f"{entry['contribution']}@{entry['version'][:12]}"
        if (manifest.name, manifest.version) != (entry["contribution"], entry["version"]):
            faults.append(f"{manifest.directory}: is {manifest.identifier}, granted was {wanted}")
            continue
        sealed = {one.path: one for one in manifest.shards}
        faults += [
            f"{manifest.directory / one['path']}: {fault}"
            for one in entry["shards"]
            if (fault := _fault(one, sealed.get(one["path"]), grant["policies"]))
        ]
        faults += _denials(grant, manifest, entry["shards"], now)
        found.append((manifest, {one["path"] for one in entry["shards"]}))
    if faults:
        raise SealBrokenError("\n".join(faults))
    return found


def _denials(
    grant: dict[str, Any], manifest: Manifest, shards: list[Any], now: datetime.datetime
) -> list[str]:
    """Judge what is granted again: whoever alters a grant can also give it another digest."""
    said = grant["claim"]
    claim = Claim(
        owner=manifest.contributor,
        purposes=tuple(said["purposes"]),
        until=now,
        place=said["place"],
        contributors=said["contributors"],
        signed="signature" in grant,
    )
    faults = []
    for digest in dict.fromkeys(one["policy"] for one in shards):
        content = grant["policies"].get(digest)
        decision = evaluate(read_document(content), claim)
        if content is not None and digest_of(content) != digest:
            faults.append(f"{manifest.directory}: policy {digest[:12]} of the grant was altered")
        elif content is not None and not decision.allowed:
            faults.append(f"{manifest.directory}: granted, but its policy denies: {decision.why}")
    return faults


def ends_of(grant: dict[str, Any]) -> datetime.datetime | None:
    """Return the moment from which nothing may be read any more, or None."""
    ends = grant.get("expires", "")
    return datetime.datetime.fromisoformat(ends) if ends else None


def refuse_ended(grant: dict[str, Any], now: datetime.datetime | None = None) -> None:
    """Raise InputError where a grant has ended."""
    ends, now = ends_of(grant), now or datetime.datetime.now(datetime.UTC)
    if ends and ends <= now:
        limit = f"it is {now.isoformat(timespec='seconds')} now"
        fix = "submit again without what has ended (forgia data plan)"
        raise InputError(Problem(field="grant.expires", got=ends.isoformat(), limit=limit, fix=fix))


def _fault(one: dict[str, Any], entry: ShardEntry | None, policies: dict[str, Any]) -> str:
    """Say what differs between a granted shard and the manifest's, or return an empty text."""
    if entry is None or (one["bytes"], one["sha256"]) != (entry.bytes, entry.sha256):
        return "granted, but the manifest lists no such shard"
    if one["policy"] not in policies or (entry.policy and entry.policy != one["policy"]):
        sealed = entry.policy[:12] or "the card's"
        return f"granted under policy {one['policy'][:12]}, sealed under {sealed}"
    return ""
