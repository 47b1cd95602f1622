"""Which image a job runs in: found, hashed and matched with the cluster before anything is sealed."""

from __future__ import annotations

from pathlib import Path

from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.runtime.container import Container
from forgia_hpc.schema.job import CommandJob, EvaluateJob, Job, PrepareJob
from forgia_hpc.slurm.profile import Cluster


def container_of(job: Job, cluster: Cluster, roots: tuple[Path, Path]) -> Container | None:
    """Return the image that `job.container` names, with its digest; None where it names none.

    roots: of runs and data; what a job reads and writes is shown inside at its own path.

    Raises:
        InputError: no such file, or a cluster that is not known to run containers.
    """
    asked, site = job.container, cluster.software.container
    if not asked.image:
        return None
    path = Path(asked.image).expanduser().absolute()
    if not site.runtime:
        raise InputError(
            Problem(
                field="container.image",
                got=asked.image,
                limit="how containers run on this cluster is not established",
                where=f"slurm/clusters/{cluster.name}.yaml: software.container.runtime",
                fix="a profile of your own that names apptainer or singularity",
            )
        )
    if not path.is_file():
        raise InputError(
            Problem(
                field="container.image",
                got=str(path),
                limit="an image file is needed: compute nodes pull nothing",
                fix=f"{site.runtime} pull {path.name} docker://…, on a machine that is online",
            )
        )
    uses_gpus = cluster.accelerator != "cpu" and bool(job.resources.gpus_per_node)
    return Container(
        image=str(path),
        sha256=sha256_file(path),
        runtime=site.runtime,
        python=asked.python,
        program_only=isinstance(job, CommandJob),
        flags=(site.gpu_flag,) if uses_gpus and site.gpu_flag else (),
        binds=_binds(job, roots, site.binds),
    )


def _binds(job: Job, roots: tuple[Path, Path], site: tuple[str, ...]) -> tuple[str, ...]:
    own = [str(Path(each).expanduser().absolute()) for each in job.container.binds]
    read = [job.evaluate.run] if isinstance(job, EvaluateJob) else []
    read += [job.prepare.raw] if isinstance(job, PrepareJob) and job.prepare.raw else []
    # a place that is not there could not be shown, and the runtime would refuse to start
    there = [each for each in (str(roots[1]), *site, *read) if Path(each).exists()]
    return tuple(dict.fromkeys([str(roots[0]), *there, *own]))
