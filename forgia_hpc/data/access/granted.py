"""What a job is granted of a dataset, as it stands in `inputs/`: manifests, the shards that it may read, the card.

Made when the job is sealed; for a member of a chain whose dataset another member makes, at its door on the node.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forgia_hpc.data.access.granting import grant_of
from forgia_hpc.data.access.judging import Asked
from forgia_hpc.data.card import load_card
from forgia_hpc.data.crypto.signatures import require_signatures
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import flatten, load_manifest
from forgia_hpc.data.order.caps import caps_of
from forgia_hpc.data.presence import find_altered, find_faults
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.job import EvaluateJob, TrainJob


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
