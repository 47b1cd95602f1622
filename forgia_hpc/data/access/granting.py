"""Admission: the grant of a job, made on the login node from the policies of what it asks for."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from forgia_hpc.data.access.grant import GRANT_FORMAT, grant_digest, sign_grant
from forgia_hpc.data.access.judging import Asked, Judged, in_mix, judge
from forgia_hpc.data.access.odrl import USE
from forgia_hpc.data.access.verdict import Failure
from forgia_hpc.data.crypto.key_file import key_path
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import Manifest
from forgia_hpc.digest import digest_of
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.data import Data

_FIELDS = {"purposes": "purpose", "until": "resources.walltime", "place": "cluster"}


class DeniedError(InputError):
    """Policies deny what a job needs."""


def make_grant(
    manifests: Manifest | Sequence[Manifest],
    data: Data,
    *,
    purpose: str = "train",
    walltime_s: int = 0,
    splits: Sequence[Split] = tuple(Split),
    now: datetime.datetime | None = None,
    place: str | None = None,
) -> dict[str, Any]:
    """Return the grant of a job that ends at most `walltime_s` after `now` and can't do without these splits.

    Raises:
        InputError: a contribution that is not there.
        DeniedError: every clause that denies what is needed.
        SealBrokenError: a policy document that is missing or altered.
    """
    every = tuple(splits)
    asked = Asked(purpose=purpose, walltime_s=walltime_s, place=place, splits=every, needed=every)
    return grant_of(manifests, data, asked, now)


def grant_of(
    manifests: Manifest | Sequence[Manifest],
    data: Data,
    asked: Asked,
    now: datetime.datetime | None = None,
) -> dict[str, Any]:
    """Return the grant of a job; raises as `make_grant` does."""
    whole = [manifests] if isinstance(manifests, Manifest) else list(manifests)
    judged = judge(whole, data, asked, now)
    if problems := refusals(judged, data, asked):
        raise DeniedError(problems)
    permitted = [one for one in judged if one.decision.allowed]
    versions = [one.version for one in whole]
    content = {
        "format": GRANT_FORMAT,
        "dataset": data.dataset,
        "identifier": "+".join(one.identifier for one in whole),
        "version": versions[0] if len(versions) == 1 else digest_of(versions),
        "claim": {
            "purposes": [asked.purpose, *([data.purpose] if data.purpose else [])],
            "place": asked.place,
            "walltime_s": asked.walltime_s,
            "contributors": len({one.card.contributor for one in permitted}),
        },
        "expires": _expires(permitted),
        "partial": data.partial,
        "policies": {one.policy.digest: one.policy.content for one in judged},
        "contributions": list(_contributions(permitted)),
        "denied": [
            {"contribution": one.name, **_shard(one), "why": one.decision.why}
            for one in judged
            if not one.decision.allowed
        ],
        **_keys(permitted),
    }
    return sign_grant({**content, "digest": grant_digest(content)})


def refusals(judged: Sequence[Judged], data: Data, asked: Asked) -> list[Problem]:
    """Return why the job may not be submitted: what it needs is denied, or with `data.partial=allow` all of it.

    Whoever asks for five contributions expects a model of five. One of four is another model, and people would
    compare the two: so that must be asked for.
    """
    denied = [one for one in judged if not one.decision.allowed and one.entry.split in asked.needed]
    mix = [one for one in judged if in_mix(one, asked.purpose)]
    if data.partial == "allow" and mix:
        return []
    return list(_problems(denied, judged))


def _problems(denied: Sequence[Judged], judged: Sequence[Judged]) -> Iterator[Problem]:
    """Yield a problem for each clause of each policy that denies, with how many shards it is about."""
    counted: dict[tuple[str, str, Failure], int] = {}
    for one in denied:
        for failure in one.decision.failures:
            key = (one.name, one.policy.words.uid, failure)
            counted[key] = counted.get(key, 0) + 1
    shards = {name: sum(one.name == name for one in judged) for name in {j.name for j in judged}}
    owners = {one.name: one.card.contributor for one in judged}
    for (name, uid, failure), count in counted.items():
        some = f", {count} of its {shards[name]} shards" if count < shards[name] else ""
        named = f": {uid}" if uid else ""
        rest = ", or say data.partial=allow" if some else ""
        yield Problem(
            field=_FIELDS.get(failure.fact, "policy"),
            got=failure.got.removeprefix("asked: ") or name,
            limit=failure.limit,
            where=f"policy of {name}{some}{named}",
            fix=f"leave {name} out of data.contributions, or ask {owners[name]}{rest}",
        )


def _expires(permitted: Sequence[Judged]) -> str:
    """Return the moment at which the first policy ends, or an empty text."""
    ends = [
        constraint.right
        for one in permitted
        for rule in one.policy.words.permissions
        if rule.action == USE
        for constraint in rule.constraints
        if constraint.fact == "until"
    ]
    return min(ends).isoformat() if ends else ""


def _contributions(permitted: Sequence[Judged]) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys(one.name for one in permitted):
        mine = [one for one in permitted if one.name == name]
        manifest, card = mine[0].manifest, mine[0].card
        yield {
            "contribution": name,
            "version": manifest.version,
            "directory": str(manifest.directory.resolve()),
            "contributor": card.contributor,
            "title": card.title,
            "licence": card.licence,
            "citation": card.citation,
            "source": card.source,
            "shards": [_shard(one) for one in mine],
        }


def _shard(one: Judged) -> dict[str, Any]:
    entry = one.entry
    content = {"path": entry.path, "bytes": entry.bytes, "sha256": entry.sha256}
    keyed = {"key_id": entry.key_id} if entry.key_id else {}
    return {**content, "split": entry.split.value, "policy": one.policy.digest, **keyed}


def _keys(permitted: Sequence[Judged]) -> dict[str, Any]:
    """Return the data keys of what is encrypted, each wrapped for this person, and where the key file is."""
    if not any(entry.key_id for one in permitted for entry in (one.entry, *one.manifest.files)):
        return {"wrapped_keys": {}}
    from forgia_hpc.data.crypto.keys import wrap_for_grant  # noqa: PLC0415  # cryptography, where needed

    found: dict[str, str] = {}
    for name in dict.fromkeys(one.name for one in permitted):
        mine = [one for one in permitted if one.name == name]
        found |= wrap_for_grant(mine[0].manifest, [one.entry for one in mine])
    # a rank has not its user's environment: the grant tells where the key file is
    return {"wrapped_keys": found, "key_file": str(key_path().absolute())}
