"""`data.require_signatures`: a dataset for which nobody vouches whom this person trusts is refused."""

from __future__ import annotations

from forgia_hpc.data.crypto.signatures import Signed, verify
from forgia_hpc.data.crypto.stones import verify_stones
from forgia_hpc.data.crypto.trust import Trust, load_trust, own_trust
from forgia_hpc.data.manifest import Manifest
from forgia_hpc.errors import InputError, Problem, SealBrokenError

_FIELD = "data.require_signatures"


def require_signatures(manifest: Manifest) -> None:
    """Refuse a dataset unless the consortium has signed it, or each contribution is signed, by trusted keys.

    Its withdrawals too: who can write to a directory could else leave out shards in a contributor's name.
    A trust.yaml beside the dataset doesn't count: who can alter the data can alter it too.

    Raises:
        InputError: every contribution, and every withdrawal of one, without a trusted signature.
        SealBrokenError: every signature that is wrong.
    """
    trust = load_trust()
    signed = verify(manifest, trust)
    if manifest.members and any(one.trusted for one in signed):
        return  # the versions of all members stand in the manifest
    parts = manifest.contributions()
    by_part = {one.name: verify(one, trust) for one in parts}
    stones = {one.name: verify_stones(one, trust) for one in parts}
    every = [
        *signed,
        *(one for found in (by_part, stones) for all_ in found.values() for one in all_),
    ]
    if faults := [one.fault for one in every if one.fault]:
        raise SealBrokenError("\n".join(dict.fromkeys(faults)))
    problems = [
        _unsigned(one, by_part[one.name], trust)
        for one in parts
        if not any(each.trusted for each in by_part[one.name])
    ]
    problems += [
        _foreign(one, stone, trust)
        for one in parts
        for stone in stones[one.name]
        if not stone.trusted
    ]
    if problems:
        raise InputError(problems)


def _unsigned(manifest: Manifest, signed: list[Signed], trust: Trust) -> Problem:
    by = ", ".join(f"{one.by.name} {one.by.fingerprint}" for one in signed if one.by)
    return Problem(
        field=_FIELD,
        got=manifest.identifier,
        limit=f"no trusted signature for {manifest.contributor}; signed by: {by or 'nobody'}",
        where=trust.where or f"you have no {own_trust()}",
        fix=f"forgia data sign {manifest.name}, or list the signer's key in {own_trust()}",
    )


def _foreign(manifest: Manifest, stone: Signed, trust: Trust) -> Problem:
    by = f"{stone.by.name} {stone.by.fingerprint}" if stone.by else "nobody"
    return Problem(
        field=_FIELD,
        got=manifest.identifier,
        limit=f"{stone.about}: no trusted signature for {stone.who}; signed by: {by}",
        where=trust.where or f"you have no {own_trust()}",
        fix=f"ask {stone.who}, or list the signer's key in {own_trust()}",
    )
