"""From words to a checked plan: compose → complete → check, every problem at once, nothing written."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from forgia_hpc.data.card import load_card
from forgia_hpc.data.ingest.load import prepare_inputs
from forgia_hpc.data.manifest import find_altered, find_faults, flatten, load_manifest
from forgia_hpc.data.policy import make_grant
from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.jobs.allocation import allocation_of, check_allocation
from forgia_hpc.jobs.container import container_of
from forgia_hpc.jobs.find import find_run
from forgia_hpc.jobs.kinds import complete_kind
from forgia_hpc.jobs.package import Plan, new_run
from forgia_hpc.jobs.roots import roots
from forgia_hpc.jobs.submission import submitted
from forgia_hpc.rundir import read_json
from forgia_hpc.runtime.container import Container
from forgia_hpc.schema.job import EvaluateJob, Job, Kind, PrepareJob, TrainJob
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
    dry: bool = False  # what is missing on a machine that is not the cluster is only told

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
    if wish.debug:
        job.resources = _debug(job, cluster)
    choice = chosen(job.resources, cluster)
    found = check_job(job, cluster, wish, (runs, data))
    allocation = allocation_of(os.environ, cluster) if wish.verb == "run" else None
    small = check_allocation(job.resources, os.environ) if allocation else []
    if problems := [*found.told(wish, cluster), *small]:
        raise InputError(problems)
    launch = job.launch or cluster.software.launch
    return Plan(
        job=job,
        cluster=cluster,
        run=new_run(wish.kind.value, runs),
        data=found.inputs,
        launch=launch,
        container=found.container,
        allocation=allocation,
        dependency=_dependency(wish, cluster, runs),
        words=wish.words,
        chosen=choice,
        warnings=tuple(warn(job, cluster, (runs, data))),
        unchecked=tuple(f"{one.field} {one.got}: {one.limit}" for one in found.missing),
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
    inputs, missing = _inputs(job, both[1], problems)
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


def _inputs(job: Job, data: Path, problems: list[Problem]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the sealed inputs of dataset and model, and what is wrong with them."""
    inputs: dict[str, Any] = {}
    missing: list[Problem] = []
    for gather in (_data_inputs, _model_inputs, _prepare_inputs):
        try:
            inputs |= gather(job, data, problems)
        except InputError as error:
            missing += error.problems
        except SealBrokenError as error:
            problems += [_half_copied(job, line) for line in str(error).splitlines()]
    return inputs, missing


def _debug(job: Job, cluster: Cluster) -> Resources:
    """Return the resources in the cluster's debug QOS, cut to its walltime."""
    found = next((q for q in cluster.qos if q.debug), None)
    if found is None:
        return job.resources
    walltime = job.resources.walltime
    longest = parse_walltime(found.max_time or "") or 0
    if found.max_time and (walltime is None or job.resources.walltime_seconds > longest):
        walltime = found.max_time
    return dataclasses.replace(job.resources, qos=found.name, walltime=walltime)


def _data_inputs(job: Job, root: Path, problems: list[Problem]) -> dict[str, Any]:
    """Return the sealed inputs of a job that reads a dataset."""
    if not isinstance(job, TrainJob | EvaluateJob):
        return {}
    directory = root / job.data.dataset
    manifest = load_manifest(directory)
    faults = [
        fault
        for one in {one.name: one for one in (manifest, *flatten([manifest]))}.values()
        # index and card are small, and a card holds the policy: no job is sealed over an edited one
        for fault in (*find_faults(one, one.directory), *find_altered(one.files, one.directory))
    ]
    if faults:
        raise InputError([_half_copied(job, fault) for fault in faults])
    grant = make_grant(
        manifest, job.data, purpose=job.kind.value, walltime_s=job.resources.walltime_seconds
    )
    chosen = {entry["contribution"] for entry in grant["contributions"]}
    members = {one.name: one.content for one in flatten([manifest]) if one.name in chosen}
    return {
        "manifest": {"dataset": manifest.content, "contributions": members},
        "grant": {**grant, "identifier": manifest.identifier},
        "card": load_card(directory).as_dict(),
    }


def _half_copied(job: Job, fault: str) -> Problem:
    dataset = job.data.dataset if isinstance(job, TrainJob | EvaluateJob) else job.kind.value
    path, _, what = fault.partition(": ")
    return Problem(
        field="data.dataset",
        got=dataset,
        limit=what,
        where=path,
        fix="copy it again, or forgia data check",
    )


def _model_inputs(job: Job, _root: Path, problems: list[Problem]) -> dict[str, Any]:
    """Return the digests of the model that an evaluate job judges."""
    if not isinstance(job, EvaluateJob) or any(p.field == "evaluate.run" for p in problems):
        return {}
    folder = Path(job.evaluate.run) / "output" / "model"
    # of a member of a chain there is nothing yet: its door checks what its predecessor has left
    listed = sorted(folder.iterdir()) if folder.is_dir() else []
    files = {path.name: sha256_file(path) for path in listed}
    return {"model": {"directory": str(folder), "files": files}}


def _prepare_inputs(job: Job, root: Path, problems: list[Problem]) -> dict[str, Any]:
    """Return the cards and recipes that a prepare job takes along."""
    if not isinstance(job, PrepareJob) or any("prepare" in problem.field for problem in problems):
        return {}
    return {"prepare": prepare_inputs(job.prepare.contributions, root)}


def _dependency(wish: Wish, cluster: Cluster, runs: Path) -> str | None:
    """Return Slurm's dependency on another run; a run that has ended needs none.

    Raises:
        InputError: that run can't be waited for.
    """
    if wish.after is None:
        return None
    before = find_run(wish.after, runs)
    if before.result.exists():
        return None
    told, sealed = submitted(before), read_json(before.job)
    if cluster.slurm and sealed["cluster"] == cluster.name and told.get("job_id"):
        return f"afterok:{told['job_id']}"
    limit = "it has not completed, and Slurm can't wait for it"
    raise InputError(
        Problem(field="--after", got=before.name, limit=limit, fix=f"forgia wait {before.name}")
    )
