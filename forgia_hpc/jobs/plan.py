"""From words to a checked plan: compose → complete → check, every problem at once, nothing written."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from forgia_hpc.config.check import (
    check,
    check_asked,
    check_batch,
    check_here,
    chosen,
    complete,
    warn,
)
from forgia_hpc.config.compose import compose_job
from forgia_hpc.data.access.granting import (
    DeniedError,
    asked_of,
    granted_inputs,
    half_copied,
    left_out,
)
from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.jobs.allocation import allocation_of, check_allocation
from forgia_hpc.jobs.container import container_of
from forgia_hpc.jobs.edge import dependency
from forgia_hpc.jobs.judged import take_its_data
from forgia_hpc.jobs.kind_inputs import ensemble_of, member_warnings, programs_gone, recipes_of
from forgia_hpc.jobs.kinds import complete_kind
from forgia_hpc.jobs.package import Plan, new_run
from forgia_hpc.jobs.roots import roots
from forgia_hpc.models.names import layout_problems
from forgia_hpc.runtime.container import Container
from forgia_hpc.schema.job import EvaluateJob, Job, Kind, TrainJob
from forgia_hpc.schema.resources import Resources, parse_walltime
from forgia_hpc.slurm.cluster import is_here, load_cluster
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.stopwatch import lap


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the user asked on the command line, beside the config."""

    kind: Kind
    verb: str = "submit"
    overrides: Sequence[str] = ()
    argv: Sequence[str] = ()  # of a command job
    after: str | None = None
    debug: bool = False
    force: bool = False  # submit what wastes what it pays for, or would pend for ever
    coming: frozenset[str] = frozenset()  # runs of a chain that this one will find when it starts
    making: Mapping[str, Path] = field(default_factory=dict)  # datasets that such a run makes
    dry: bool = False  # what is missing on a machine that is not the cluster is only told
    place: str | None = None  # the country of the cluster, which policies ask for

    @property
    def words(self) -> tuple[str, ...]:
        """The command line that says this again."""
        after = ("--after", self.after) if self.after else ()
        program = ("--", *self.argv) if self.argv else ()
        flags = (*after, "--debug") if self.debug else after
        return ("forgia", self.verb, self.kind.value, *self.overrides, *flags, *program)


def make_plan(wish: Wish) -> Plan:
    """Return the plan of a job.

    Raises:
        InputError: everything that does not fit: config, cluster, data.
    """
    job = _composed(wish)
    cluster = load_cluster(job.cluster)
    runs, data = roots(cluster)
    take_its_data(job, wish.overrides, runs)
    if wish.debug:
        job.resources = in_debug(job.resources, cluster)
    choice = chosen(job.resources, cluster)
    found = check_job(job, cluster, wish, (runs, data))
    allocation = allocation_of(os.environ, cluster) if wish.verb == "run" else None
    small = check_allocation(job.resources, os.environ) if allocation else []
    gone = programs_gone(job)
    if problems := [*found.told(wish, cluster), *small, *([] if cluster.slurm else gone)]:
        raise InputError(problems)
    notes = left_out(found.inputs.get("grant", {}))
    notes += member_warnings(job, found.inputs, wish.overrides)
    return Plan(
        job=job,
        cluster=cluster,
        run=new_run(wish.kind.value, runs),
        data=found.inputs,
        launch=job.launch or cluster.software.launch,
        container=found.container,
        allocation=allocation,
        dependency=dependency(wish.after, cluster, runs) if wish.after else None,
        words=wish.words,
        chosen=choice,
        warnings=(*warn(job, cluster, (runs, data)), *notes),
        unchecked=tuple(f"{one.field} {one.got}: {one.limit}" for one in (*found.missing, *gone)),
    )


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a job needs sealed beside its config, and what is wrong with it.

    missing: what another machine may have, and a dry run there only tells.
    """

    inputs: dict[str, Any]
    container: Container | None
    problems: list[Problem]
    missing: list[Problem]

    def told(self, wish: Wish, cluster: Cluster) -> list[Problem]:
        """Return what keeps the job from being sealed."""
        tolerant = wish.dry and not is_here(cluster)
        return self.problems if tolerant else [*self.problems, *self.missing]


@lap("check")
def check_job(
    job: Job,
    cluster: Cluster,
    wish: Wish,
    both: tuple[Path, Path],
    known: Checked | None = None,
) -> Checked:
    """Complete the job's resources in place and check it.

    Args:
        job: the job.
        cluster: where it is to run.
        wish: what was asked.
        both: the roots of runs and data.
        known: of a job that reads the same: its inputs are not gathered again.
    """
    asked = check_asked(job, cluster)
    job.resources = complete(job.resources, cluster)
    kind = complete_kind(job, wish.argv, both[0], coming=wish.coming)
    problems = [*asked, *check(job, cluster, force=wish.force), *check_batch(job), *kind]
    problems += check_here(job, cluster, both) if is_here(cluster) else []
    if known is not None:
        return replace(known, problems=problems)
    inputs, missing = _inputs(job, both[1], replace(wish, place=cluster.country), problems)
    container, absent = _container(job, cluster, both)
    return Checked(
        inputs=inputs, container=container, problems=problems, missing=[*missing, *absent]
    )


def _container(
    job: Job, cluster: Cluster, both: tuple[Path, Path]
) -> tuple[Container | None, list[Problem]]:
    try:
        return container_of(job, cluster, both), []
    except InputError as error:
        return None, list(error.problems)


@lap("compose")
def _composed(wish: Wish) -> Job:
    """Return the composed job; where that fails, an unknown cluster is told along with the rest."""
    try:
        return compose_job(wish.kind, wish.overrides)
    except InputError as error:
        problems = list(error.problems)
        for name in (text[8:] for text in wish.overrides if text.startswith("cluster=")):
            try:
                load_cluster(name)
            except InputError as found:
                problems += found.problems
        raise InputError(problems) from error


def _inputs(
    job: Job, data: Path, wish: Wish, problems: list[Problem]
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the sealed inputs of dataset and model, and what is wrong with them."""
    inputs: dict[str, Any] = {}
    missing: list[Problem] = []
    for gather in (_data_inputs, _model_inputs, recipes_of, ensemble_of):
        try:
            inputs |= gather(job, data, wish, problems)
        except DeniedError as error:
            problems += error.problems
        except InputError as error:
            missing += error.problems
        except SealBrokenError as error:
            problems += [half_copied(_dataset(job), line) for line in str(error).splitlines()]
    return inputs, missing


def in_debug(resources: Resources, cluster: Cluster) -> Resources:
    """Return the resources in the cluster's debug QOS, cut to its walltime.

    Raises:
        InputError: the cluster has none.
    """
    found = next((q for q in cluster.qos if q.debug and not q.gone), None)
    if found is None:
        limit, where = "it has no debug QOS", f"slurm/clusters/{cluster.name}.yaml"
        fix = "leave --debug out"
        raise InputError(
            Problem(field="--debug", got=cluster.name, limit=limit, where=where, fix=fix)
        )
    walltime = resources.walltime
    longest = parse_walltime(found.max_time or "") or 0
    if found.max_time and (walltime is None or resources.walltime_seconds > longest):
        walltime = found.max_time
    return dataclasses.replace(resources, qos=found.name, walltime=walltime)


def _data_inputs(job: Job, root: Path, wish: Wish, problems: list[Problem]) -> dict[str, Any]:
    """Return the sealed inputs of a job that reads a dataset."""
    if not isinstance(job, TrainJob | EvaluateJob):
        return {}
    directory = root / job.data.dataset
    if maker := wish.making.get(
        job.data.dataset
    ):  # nothing to grant yet: the door does (node/admission.py)
        awaited = {"dataset": job.data.dataset, "directory": str(directory), "maker": str(maker)}
        return {"awaited": {"format": "forgia.awaited/1", **awaited, "place": wish.place}}
    inputs = granted_inputs(directory, job.data, asked_of(job, wish.place))
    if isinstance(job, TrainJob):
        granted = inputs["manifest"]["contributions"].values()
        layouts = {content["layout"] for content in granted}
        problems += layout_problems(job.model.family, layouts, job.data.dataset)
    return inputs


def _dataset(job: Job) -> str:
    return job.data.dataset if isinstance(job, TrainJob | EvaluateJob) else job.kind.value


def _model_inputs(job: Job, _root: Path, _wish: Wish, problems: list[Problem]) -> dict[str, Any]:
    """Return the digests of the model that an evaluate job judges."""
    if not isinstance(job, EvaluateJob) or any(p.field == "evaluate.run" for p in problems):
        return {}
    folder = Path(job.evaluate.run) / "output" / "model"
    # of a member of a chain there is nothing yet: its door checks what its predecessor has left
    listed = sorted(folder.iterdir()) if folder.is_dir() else []
    files = {path.name: sha256_file(path) for path in listed}
    return {"model": {"directory": str(folder), "files": files}}
