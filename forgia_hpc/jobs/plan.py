"""From words to a checked plan: compose → complete → check, every problem at once, nothing written."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc import sources
from forgia_hpc.config.check import check, check_batch, complete
from forgia_hpc.config.compose import compose_job, user_defaults
from forgia_hpc.data.card import load_card
from forgia_hpc.data.ingest.load import prepare_inputs
from forgia_hpc.data.manifest import find_altered, find_faults, flatten, load_manifest
from forgia_hpc.data.policy import make_grant
from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.jobs.kinds import complete_kind
from forgia_hpc.jobs.package import Plan, new_run
from forgia_hpc.jobs.submission import submitted
from forgia_hpc.jobs.track import find_run
from forgia_hpc.rundir import read_json
from forgia_hpc.schema.job import EvaluateJob, Job, Kind, PrepareJob, TrainJob
from forgia_hpc.schema.resources import Resources, parse_walltime
from forgia_hpc.slurm.cluster import is_here, load_cluster
from forgia_hpc.slurm.profile import Cluster, Roots


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the user asked on the command line, beside the config."""

    kind: Kind
    verb: str = "submit"
    overrides: Sequence[str] = ()
    argv: Sequence[str] = ()  # of a command job
    after: str | None = None
    debug: bool = False
    dry: bool = False  # what is missing on a machine that is not the cluster is only told

    @property
    def words(self) -> tuple[str, ...]:
        """The command line that says this again."""
        after = ("--after", self.after) if self.after else ()
        program = ("--", *self.argv) if self.argv else ()
        flags = (*after, "--debug") if self.debug else after
        return ("forgia", self.verb, self.kind.value, *self.overrides, *flags, *program)


def roots(cluster: Cluster | None = None) -> tuple[Path, Path]:
    """Return the roots of runs and data: environment, then the person's file, then the profile, then here."""
    own = user_defaults()
    site = cluster.roots if cluster else Roots()
    runs, data = own.get("runs") or site.runs, own.get("data") or site.data
    return sources.runs_root(_expanded(runs)), sources.data_root(_expanded(data))


def _expanded(path: str | None) -> str | None:
    """Return the profile's path where this machine knows its variables, else None."""
    known = os.path.expandvars(path) if path else None
    return None if known is None or "$" in known else known


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
    job.resources = complete(job.resources, cluster)
    problems = [*check(job, cluster), *check_batch(job), *complete_kind(job, wish.argv, runs)]
    inputs, missing = _inputs(job, data, problems)
    tolerant = wish.dry and not is_here(cluster)
    problems += [] if tolerant else missing
    if problems:
        raise InputError(problems)
    launch = job.launch or cluster.software.launch
    return Plan(
        job=job,
        cluster=cluster,
        run=new_run(wish.kind.value, runs),
        data=inputs,
        launch=launch,
        dependency=_dependency(wish, cluster, runs),
        words=wish.words,
        unchecked=tuple(f"{one.field} {one.got}: {one.limit}" for one in missing),
    )


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
    if found.max_time and job.resources.walltime_seconds > (parse_walltime(found.max_time) or 0):
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
    files = {}
    for path in sorted(folder.iterdir()):
        files[path.name] = sha256_file(path)
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


def price(job: Job, cluster: Cluster) -> dict[str, float] | None:
    """Return what the job may cost at most, in core-h, node-h and GPU-h; None where nothing is billed.

    elapsed hours * nodes * the node's price an hour * the largest requested share of a node
    (the rule of `accounting:` in the profile).
    """
    node, asked = cluster.node_of(job.resources.partition), job.resources
    partition = cluster.partition(asked.partition or "")
    if node is None or not cluster.accounting.per_node_hour or (partition and partition.free):
        return None
    share = max(
        (asked.ranks_per_node or 1) * (asked.cpus_per_rank or 1) / node.cpus,
        (asked.gpus_per_node or 0) / node.gpus if node.gpus else 0.0,
        (asked.mem_gb or 0) * 1024 / node.mem_mb,
    )
    node_hours = asked.walltime_seconds / 3600 * asked.nodes * min(share, 1.0)
    billed = {
        cluster.accounting.unit: round(node_hours * cluster.accounting.per_node_hour, 2),
        "node-h": round(node_hours, 2),
    }
    return {**billed, "GPU-h": round(node_hours * node.gpus, 2)} if asked.gpus_per_node else billed
