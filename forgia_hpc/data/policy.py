"""What one job may read: a closed world. What a grant does not list, the reader does not open."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from forgia_hpc.data.card import Card, load_card
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import GRANT_FORMAT, Manifest, flatten
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.data import Data


def make_grant(
    manifests: Manifest | Sequence[Manifest],
    data: Data,
    *,
    purpose: str = "train",
    walltime_s: int = 0,
    splits: Sequence[Split] = tuple(Split),
    now: datetime.datetime | None = None,
) -> dict[str, Any]:
    """Return the grant of a job that ends at most `walltime_s` after `now`.

    Raises:
        InputError: every contribution that is not there, or whose policy refuses purpose or time.

    """
    now = now or datetime.datetime.now(datetime.UTC)
    ends = now + datetime.timedelta(seconds=walltime_s)
    whole = flatten([manifests] if isinstance(manifests, Manifest) else manifests)
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
    chosen = [one for one in whole if not data.contributions or one.name in data.contributions]
    cards = [load_card(manifest.directory) for manifest in chosen]
    for card in cards:
        problems += _refusals(card, purpose, ends)
    if problems:
        raise InputError(problems)
    limits = [card.policy.ends for card in cards if card.policy.ends]
    return {
        "format": GRANT_FORMAT,
        "dataset": data.dataset,
        "purpose": purpose,
        "expires": min(limits).isoformat() if limits else "",
        "contributions": [_entry(manifest, splits) for manifest in chosen],
    }


def _refusals(card: Card, purpose: str, ends: datetime.datetime) -> Iterator[Problem]:
    where = f"policy of {card.name}"
    allowed = card.policy.purposes
    if allowed and purpose not in allowed:
        limit = f"allowed: {', '.join(allowed)}"
        fix = f"leave {card.name} out of data.contributions, or ask {card.contributor}"
        yield Problem(field="purpose", got=purpose, limit=limit, where=where, fix=fix)
    if card.policy.ends and ends > card.policy.ends:
        yield Problem(
            field="resources.walltime",
            got=f"a job that may last until {ends.isoformat(timespec='minutes')}",
            limit=f"the data may be read up to {card.policy.expires}",
            where=where,
            fix=f"ask for less, leave {card.name} out, or ask {card.contributor}",
        )


def _entry(manifest: Manifest, splits: Sequence[Split]) -> dict[str, Any]:
    shards = [entry for entry in manifest.shards if entry.split in splits]
    return {
        "contribution": manifest.name,
        "version": manifest.version,
        "directory": str(manifest.directory.resolve()),
        "shards": [
            {"path": one.path, "bytes": one.bytes, "sha256": one.sha256, "split": one.split.value}
            for one in shards
        ],
    }
