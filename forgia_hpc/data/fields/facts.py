"""What a shard says of its trajectories beside their numbers: each one's provenance."""

from __future__ import annotations

import json
from typing import Any

from forgia_hpc.data.crypto.check_sealed import open_shard
from forgia_hpc.data.fields.opened import OpenFields
from forgia_hpc.data.layout import Split


def provenance_of(source: OpenFields, split: Split) -> dict[str, dict[str, Any]]:
    """Return member → provenance, of the granted trajectories of a split; none where nobody sealed them."""
    found: dict[str, dict[str, Any]] = {}
    for shard in sorted(source.granted):
        entry = source.manifest.shards[shard]
        if source.index.split_of(shard) is not split or not entry.sha256:
            continue
        with open_shard(source.manifest, entry, source.access.keyring) as file:
            rows = file["index/trajectories"][()]
        for row in rows:
            found[row["member"].decode()] = json.loads(row["provenance"].decode())
    return found
