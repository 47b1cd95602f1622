"""Which shards a job may read: each by its policy, and all by who is left in the mix."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from forgia_hpc.data.access.policies import Sealed, sealed_policies
from forgia_hpc.data.access.terms import KINDS
from forgia_hpc.data.access.verdict import Claim, Decision, evaluate
from forgia_hpc.data.card import Card, load_card
from forgia_hpc.data.crypto.key_file import key_path
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import Manifest, ShardEntry, flatten
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.data import Data


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a job says of itself; `needed`: the splits that it can't do without."""

    purpose: str = "train"  # its KIND
    walltime_s: int = 0
    place: str | None = None  # country of the cluster
    splits: tuple[Split, ...] = tuple(Split)
    needed: tuple[Split, ...] = tuple(Split)


@dataclass(frozen=True)
class Judged:
    """A shard and what its policy says of it."""

    manifest: Manifest
    card: Card
    entry: ShardEntry
    policy: Sealed
    decision: Decision

    @property
    def name(self) -> str:
        """The contribution's."""
        return self.manifest.name


def judge(
    manifests: Manifest | Sequence[Manifest],
    data: Data,
    asked: Asked,
    now: datetime.datetime | None = None,
) -> list[Judged]:
    """Return every shard that a job asks for, judged; the mix is those that are permitted.

    A contributor who is denied leaves the mix, and so may bring others below the number of contributors
    that they want to be among: they are judged again until nobody leaves.

    Raises:
        InputError: a contribution that is not there, or a declared purpose that is a KIND.
        SealBrokenError: a policy document that is missing or altered.
    """
    if data.purpose in KINDS:
        limit = (
            "the KIND of a job is no purpose to declare: a training would pass for an evaluation"
        )
        fix = "say what the model is for, in a word of the policy, or leave it out"
        raise InputError(Problem(field="data.purpose", got=data.purpose, limit=limit, fix=fix))
    whole = flatten([manifests] if isinstance(manifests, Manifest) else manifests)
    chosen = _chosen(whole, data)
    ends = (now or datetime.datetime.now(datetime.UTC)) + datetime.timedelta(
        seconds=asked.walltime_s
    )
    aims = (asked.purpose, *((data.purpose,) if data.purpose else ()))
    signs = key_path().is_file()  # then the grant is signed, too
    claim = Claim(owner="", purposes=aims, until=ends, place=asked.place, signed=signs)
    judged = [one for manifest in chosen for one in _shards(manifest, asked.splits)]
    while True:
        mix = {one.card.contributor for one in judged if in_mix(one, asked.purpose)}
        again = _judged_again(judged, replace(claim, contributors=len(mix)))
        if again == judged:
            return judged
        judged = again


def _chosen(whole: Sequence[Manifest], data: Data) -> list[Manifest]:
    names = [manifest.name for manifest in whole]
    problems = [
        Problem(
            field="data.contributions",
            got=name,
            limit=f"{data.dataset} has {', '.join(names)}",
            where=f"datasets/{data.dataset}/card.yaml",
            fix="ask for one of these",
        )
        for name in data.contributions
        if name not in names
    ]
    if problems:
        raise InputError(problems)
    return [one for one in whole if not data.contributions or one.name in data.contributions]


def _shards(manifest: Manifest, splits: Sequence[Split]) -> Iterator[Judged]:
    card = load_card(manifest.directory)
    policies = sealed_policies(manifest, card)
    for entry in manifest.shards:
        if entry.split in splits:
            yield Judged(manifest, card, entry, policies[entry.policy], Decision(True))


def in_mix(one: Judged, purpose: str) -> bool:
    """Whether a shard is of the mix that a job learns from, or is about."""
    return one.decision.allowed and (purpose != "train" or one.entry.split is Split.train)


def _judged_again(judged: Sequence[Judged], claim: Claim) -> list[Judged]:
    """Judge what is still permitted: the clause that denied a shard first is the one that is told."""
    decisions: dict[tuple[str, str], Decision] = {}
    found = []
    for one in judged:
        key = (one.name, one.policy.digest)
        if one.decision.allowed and key not in decisions:
            owned = replace(claim, owner=one.manifest.contributor)
            decisions[key] = evaluate(one.policy.words, owned)
        found.append(replace(one, decision=decisions[key]) if one.decision.allowed else one)
    return found
