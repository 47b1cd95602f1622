"""Who vouches for a dataset: DSSE envelopes around in-toto statements, signed with Ed25519.

A contributor signs its own shards and policies; the consortium signs a whole manifest. The envelopes lie in
`signatures/<who>.dsse.json`, beside the manifest and no part of the version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.data.checked import require
from forgia_hpc.data.crypto.key_file import UserKey
from forgia_hpc.data.crypto.public_key import (
    PublicKey,
    from_base64,
    public_line,
    signed_by,
    to_base64,
)
from forgia_hpc.data.crypto.trust import CONSORTIUM, Trust, load_trust
from forgia_hpc.data.manifest import MANIFEST, Manifest
from forgia_hpc.data.sharing import share
from forgia_hpc.digest import canonical_json
from forgia_hpc.rundir import write_whole

FOLDER = "signatures"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://forgia.example/dataset-signature/1"
_POLICIES = "policies/"


@dataclass(frozen=True)
class Signed:
    """One signature of a dataset, checked."""

    who: str  # the contributor it speaks for, or "consortium"
    by: PublicKey | None  # None: it can't be read
    fault: str  # empty: it is right
    trusted: bool
    about: str = ""  # a withdrawal that it is of; empty: the dataset


def pae(payload_type: str, body: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding, version 1: what is really signed."""
    name = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(body), body)


def envelope(payload: bytes, users: list[UserKey], payload_type: str) -> dict[str, Any]:
    """Return a DSSE envelope of these signers; `by` is ours, other readers skip it."""
    encoded = pae(payload_type, payload)
    signatures = [
        {
            "keyid": user.public.fingerprint,
            "sig": to_base64(user.sign(encoded)),
            "by": user.public.text,
        }
        for user in users
    ]
    return {
        "payload": to_base64(payload),
        "payloadType": payload_type,
        "signatures": signatures,
    }


def opened(
    content: dict[str, Any], payload_type: str = PAYLOAD_TYPE
) -> tuple[bytes, list[PublicKey]]:
    """Return the payload of an envelope and who has signed it.

    Raises:
        ValueError: a signature is not that of the key it names, or anything is not as it is written.
    """
    try:
        require(content["payloadType"] == payload_type, "of another type")
        payload = from_base64(content["payload"])
        encoded, people = pae(payload_type, payload), []
        require(content["signatures"], "nobody has signed it")
        for one in content["signatures"]:
            by = public_line(one["by"])
            require(one["keyid"] == by.fingerprint, "a signature names another key than its own")
            require(signed_by(by, from_base64(one["sig"], 64), encoded), "a signature is wrong")
            people.append(by)
    except (LookupError, TypeError) as error:
        raise ValueError(f"no DSSE envelope of ours ({error})") from error
    return payload, people


def sign_bytes(payload_type: str, data: bytes, user: UserKey) -> dict[str, Any]:
    """Return a detached signature of bytes that lie elsewhere: `by` and `sig`, over their PAE."""
    return {"by": user.public.text, "sig": to_base64(user.sign(pae(payload_type, data)))}


def signer_of(signature: dict[str, Any], payload_type: str, data: bytes) -> PublicKey:
    """Return who has signed these bytes; ValueError where it is not so."""
    try:
        by = public_line(signature["by"])
        right = signed_by(by, from_base64(signature["sig"], 64), pae(payload_type, data))
    except (LookupError, TypeError) as error:
        raise ValueError(f"no signature of ours ({error})") from error
    require(right, "the signature is wrong")
    return by


def speaks_for(manifest: Manifest, *, consortium: bool = False) -> str:
    """Return for whom a signature of this dataset speaks."""
    return CONSORTIUM if manifest.members or consortium else manifest.contributor


def statement(manifest: Manifest, who: str) -> dict[str, Any]:
    """Return the in-toto statement of a signer: the manifest, and its own shards and policies or the members."""
    facts: dict[str, Any] = {"dataset": manifest.name, "who": who}
    subject = [_subject(MANIFEST, manifest.version)]  # index, card and all else hang on it
    if who == CONSORTIUM:
        facts["members"] = {one.name: one.version for one in manifest.members}
    else:
        policies = [one for one in manifest.files if one.path.startswith(_POLICIES)]
        subject += [_subject(one.path, one.sha256) for one in (*manifest.shards, *policies)]
        facts["content_ids"] = {one.path: one.content_id for one in manifest.shards}
        facts["policies"] = {one.path: one.policy for one in manifest.shards}
    return {"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": facts}


def _subject(path: str, sha256: str) -> dict[str, Any]:
    return {"name": path, "digest": {"sha256": sha256}}


def sign(manifest: Manifest, user: UserKey, *, consortium: bool = False) -> Path:
    """Sign a dataset and return the envelope's file; another one's signature of the same stays."""
    who = speaks_for(manifest, consortium=consortium)
    payload = canonical_json(statement(manifest, who))
    path = manifest.directory / FOLDER / f"{who}.dsse.json"
    content = envelope(payload, [user], PAYLOAD_TYPE)
    if path.is_file():
        content["signatures"] += _others(path, payload, user)
    path.parent.mkdir(exist_ok=True)
    with write_whole(path) as temporary:
        temporary.write_bytes(canonical_json(content))
    share(path.parent)
    return path


def _others(path: Path, payload: bytes, user: UserKey) -> list[dict[str, Any]]:
    """Return what others have signed of the same payload; what speaks of another version goes."""
    try:
        content = json.loads(path.read_bytes())
        if opened(content)[0] != payload:
            return []
    except ValueError:
        return []
    mine = user.public.fingerprint
    return [one for one in content["signatures"] if one["keyid"] != mine]


def verify(manifest: Manifest, trust: Trust | None = None) -> list[Signed]:
    """Return every signature beside a manifest: who, for whom, right or not, trusted or not."""
    trust = trust or load_trust(manifest.directory)
    found = []
    for path in sorted((manifest.directory / FOLDER).glob("*.dsse.json")):
        who = path.name.removesuffix(".dsse.json")
        try:
            people = _signers(manifest, path, who)
        except (OSError, ValueError) as error:
            found.append(Signed(who, None, f"{path}: {error}", trusted=False))
            continue
        found += [Signed(who, one, "", trusted=trust.trusts(one, who)) for one in people]
    return found


def _signers(manifest: Manifest, path: Path, who: str) -> list[PublicKey]:
    """Return who has signed what the manifest says; ValueError where it is altered or of something else."""
    data = path.read_bytes()
    content = json.loads(data)
    require(data == canonical_json(content), "altered: not canonical JSON")
    payload, people = opened(content)
    # a consortium's manifest may name any contributor as its own: none of them speaks for the members
    parties = (CONSORTIUM,) if manifest.members else (manifest.contributor, CONSORTIUM)
    require(who in parties, f"{who} has no part in {manifest.name}")
    if payload != canonical_json(statement(manifest, who)):
        raise ValueError(f"signs other shards or another version than {manifest.identifier}")
    return people
