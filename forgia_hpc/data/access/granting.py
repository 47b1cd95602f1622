"""Admission: what a job is granted of a dataset, from the policies of what it asks for, as it stands in `inputs/`.

Made on the login node when the job is sealed; for a member of a chain whose dataset another member makes, at its
door on the node.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from forgia_hpc.data.access.grant import GRANT_FORMAT, grant_digest, sign_grant
from forgia_hpc.data.access.judging import Asked, Judged, in_mix, judge
from forgia_hpc.data.access.odrl import USE
from forgia_hpc.data.access.verdict import Failure
from forgia_hpc.data.card import load_card
from forgia_hpc.data.crypto.demands import require_signatures
from forgia_hpc.data.crypto.keys import keys_for_grant
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import Manifest, ShardEntry, flatten, load_manifest
from forgia_hpc.data.order.caps import caps_of
from forgia_hpc.data.presence import find_altered, find_faults
from forgia_hpc.digest import digest_of
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.job import EvaluateJob, TrainJob

_FIELDS = {
    "purposes": "purpose",
    "until": "resources.walltime",
    "place": "cluster",
    "signed": "key",
}


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
        **keys_for_grant(_parts(permitted)),
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
        own = "forgia data keygen, or " if failure.fact == "signed" else ""
        yield Problem(
            field=_FIELDS.get(failure.fact, "policy"),
            got=failure.got.removeprefix("asked: ") or name,
            limit=failure.limit,
            where=f"policy of {name}{some}{named}",
            fix=f"{own}leave {name} out of data.contributions, or ask {owners[name]}{rest}",
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


def _parts(permitted: Sequence[Judged]) -> list[tuple[Manifest, list[ShardEntry]]]:
    """Return the contributions and their shards."""
    names = dict.fromkeys(one.name for one in permitted)
    mine = [[one for one in permitted if one.name == name] for name in names]
    return [(some[0].manifest, [one.entry for one in some]) for some in mine]


def asked_of(job: TrainJob | EvaluateJob, place: str | None) -> Asked:
    """Return what a job claims: a training can't do without what it learns from and what it is judged on."""
    names = {split.value for split in Split}
    judged = isinstance(job, EvaluateJob) or job.evaluate.enabled
    needed = [Split(name) for name in job.evaluate.splits if judged and name in names]
    return Asked(
        purpose=job.kind.value,
        walltime_s=job.resources.walltime_seconds,
        place=place,
        needed=(*needed, Split.train) if isinstance(job, TrainJob) else tuple(needed),
    )


def granted_inputs(directory: Path, data: Data, asked: Asked) -> dict[str, dict[str, Any]]:
    """Return manifest, grant and card of the dataset in `directory`, each under its name.

    Raises:
        InputError: it is not there or half copied, a policy refuses, or its shares can't be kept.
        SealBrokenError: a manifest that can't be read.
    """
    manifest = load_manifest(directory)
    faults = [
        fault
        for one in {one.name: one for one in (manifest, *flatten([manifest]))}.values()
        # index and card are small, and a card holds the policy: no job is sealed over an edited one
        for fault in (*find_faults(one, one.directory), *find_altered(one.files, one.directory))
    ]
    if faults:
        raise InputError([half_copied(data.dataset, fault) for fault in faults])
    if data.require_signatures:
        require_signatures(manifest)
    grant = grant_of(manifest, data, asked)
    chosen = {entry["contribution"] for entry in grant["contributions"]}
    mixed = [one for one in flatten([manifest]) if one.name in chosen]
    caps_of(data.shares, [one.name for one in mixed], [one.contributor for one in mixed])
    members = {one.name: one.content for one in mixed}
    return {
        "manifest": {"dataset": manifest.content, "contributions": members},
        "grant": grant,
        "card": load_card(directory).as_dict(),
    }


def left_out(grant: dict[str, Any]) -> list[Problem]:
    """Return what policies keep out of a job that goes on without it, a line for each reason."""
    shards: dict[tuple[str, str], int] = {}
    for one in grant.get("denied", []):
        key = (one["contribution"], one["why"])
        shards[key] = shards.get(key, 0) + 1
    return [
        Problem(
            field="data.contributions",
            got=name,
            limit=f"{count} shard{'s' * (count > 1)} left out: {why}",
            where=f"policy of {name}",
        )
        for (name, why), count in shards.items()
    ]


def half_copied(dataset: str, fault: str) -> Problem:
    """Return a line about a dataset (`path: what is wrong`) as a problem of the job that wants it."""
    path, _, what = fault.partition(": ")
    fix = "copy it again, or forgia data check"
    return Problem(field="data.dataset", got=dataset, limit=what, where=path, fix=fix)
