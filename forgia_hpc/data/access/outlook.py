"""What a job would be granted of a dataset, before there is a job: each shard's verdict, and the shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from forgia_hpc.data.access.granting import refusals
from forgia_hpc.data.access.judging import Asked, Judged, judge
from forgia_hpc.data.layout import FORMAT as TELEMETRY
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import Manifest
from forgia_hpc.data.order.caps import caps_of
from forgia_hpc.data.order.mixture import CYCLE, quotas
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.data import Data, Order

Windows = dict[tuple[str, str], int]  # contribution, shard → how many


@dataclass(frozen=True, kw_only=True)
class ShardOutlook:
    """A shard: what is in it, and whether a job may read it."""

    contribution: str
    contributor: str
    path: str
    split: str
    policy: str  # its @id
    policy_sha256: str
    steps: int
    windows: int | None  # None: not telemetry
    allowed: bool
    why: str


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """All shards, each contribution's share of the training mix, and what keeps the job from being submitted."""

    shards: tuple[ShardOutlook, ...]
    shares: dict[str, float]
    problems: tuple[Problem, ...]


def look_ahead(manifest: Manifest, data: Data, asked: Asked) -> Outlook:
    """Return what a job would be granted; raises as `judge` does."""
    judged = judge(manifest, data, asked)
    telemetry = {one.name: None for one in judged if one.manifest.layout == TELEMETRY}
    windows = _windows(manifest, data, list(telemetry))
    shards = tuple(_shard(one, windows) for one in judged)
    return Outlook(
        shards=shards,
        shares=_shares(shards, data),
        problems=tuple(refusals(judged, data, asked)),
    )


def _windows(manifest: Manifest, data: Data, names: Sequence[str]) -> Windows:
    """Return how many windows lie in each shard of these contributions; unknown where an index is encrypted."""
    if not names:
        return {}
    asked, found = replace(data, contributions=list(names)), Windows()
    try:
        with open_dataset(manifest.directory, verify=False) as dataset:
            for index in (dataset.windows(split, asked) for split in Split):
                for number, name in enumerate(index.names):
                    shards = [one.path for one in dataset.source(name).manifest.shards]
                    for path, count in zip(shards, index.per_shard(number).tolist(), strict=True):
                        found[name, path] = found.get((name, path), 0) + count
    except InputError:
        if any(one.key_id for part in manifest.contributions() for one in part.files):
            return {}
        raise
    return found


def _shard(one: Judged, windows: Windows) -> ShardOutlook:
    return ShardOutlook(
        contribution=one.name,
        contributor=one.card.contributor,
        path=one.entry.path,
        split=one.entry.split.value,
        policy=one.policy.words.uid,
        policy_sha256=one.policy.digest,
        steps=one.entry.steps,
        windows=windows.get((one.name, one.entry.path)),
        allowed=one.decision.allowed,
        why=one.decision.why,
    )


def _shares(shards: Sequence[ShardOutlook], data: Data) -> dict[str, float]:
    """Return the share of each contribution in the training mix; empty where there is nothing to learn from."""
    owners = {one.contribution: one.contributor for one in shards}
    counts = dict.fromkeys(owners, 0)
    for one in shards:
        if one.allowed and one.split == Split.train.value:
            counts[one.contribution] += one.windows or 0
    total = sum(counts.values())
    if not total:
        return {}
    if data.order is Order.epoch:
        return {name: count / total for name, count in counts.items()}
    caps = caps_of(data.shares, list(owners), list(owners.values()))
    dealt = quotas(tuple(counts.values()), data.temperature, caps)
    return {name: int(turns) / CYCLE for name, turns in zip(counts, dealt, strict=True)}
