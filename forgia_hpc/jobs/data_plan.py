"""What a job would be granted of a dataset: composed and judged as a submission is, nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from forgia_hpc.config.check import complete
from forgia_hpc.config.compose import compose_job
from forgia_hpc.data.access.granting import DeniedError, asked_of, granted_inputs
from forgia_hpc.data.access.judging import Asked
from forgia_hpc.data.access.outlook import Outlook, look_ahead
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.errors import InputError
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.job import EvaluateJob, Kind, TrainJob
from forgia_hpc.slurm.cluster import load_cluster

READERS = (Kind.train, Kind.evaluate)  # of the KINDs: those that read datasets


@dataclass(frozen=True, kw_only=True)
class DataPlan:
    """An outlook, and the claim that it was made for."""

    dataset: str  # name@version
    purposes: tuple[str, ...]
    cluster: str
    place: str | None
    walltime: str
    outlook: Outlook


def plan_data(directory: Path, kind: Kind, overrides: Sequence[str]) -> DataPlan:
    """Return what a job of this KIND would be granted of the dataset in `directory`.

    Raises:
        InputError: a config that does not fit, no such contribution.
        SealBrokenError: a policy document that is missing or altered.
    """
    job = compose_job(kind, [f"data.dataset={directory.name}", *overrides])
    assert isinstance(job, TrainJob | EvaluateJob)
    cluster = load_cluster(job.cluster)
    job = replace(job, resources=complete(job.resources, cluster))
    asked = asked_of(job, cluster.country)
    manifest = load_manifest(directory)
    return DataPlan(
        dataset=manifest.identifier,
        purposes=(kind.value, *([job.data.purpose] if job.data.purpose else [])),
        cluster=cluster.name,
        place=cluster.country,
        walltime=job.resources.walltime or "",
        outlook=_whole(look_ahead(manifest, job.data, asked), directory, job.data, asked),
    )


def _whole(outlook: Outlook, directory: Path, data: Data, asked: Asked) -> Outlook:
    """Add what else keeps a job from being submitted: a key, a signature, a file that is not there."""
    try:
        granted_inputs(directory, data, asked)
    except DeniedError:
        return outlook  # it has these clauses
    except InputError as error:
        return replace(outlook, problems=(*outlook.problems, *error.problems))
    return outlook
