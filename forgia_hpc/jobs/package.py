"""Seal a job into a run directory: what will run is what stands there."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import forgia_hpc
from forgia_hpc import provenance
from forgia_hpc.config.compose import as_yaml
from forgia_hpc.config.defaults import user_defaults
from forgia_hpc.digest import digest_of, sha256_file, sha256_text
from forgia_hpc.errors import Problem
from forgia_hpc.jobs.code import code_sources, copy_code, gather_code
from forgia_hpc.jobs.commit import commit_of
from forgia_hpc.jobs.sealable import Sealable
from forgia_hpc.rundir import FORMAT, RunDir, json_text, new_name, write_json, write_text
from forgia_hpc.runtime.container import Container
from forgia_hpc.schema.job import Job, Launch
from forgia_hpc.slurm.executor import render
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.request import BatchStep, SbatchRequest, sbatch_request
from forgia_hpc.stopwatch import lap

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as quick
DIGEST = "0" * 64  # stands in the script for the job digest, which is taken over the script too


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A checked job with everything that will be sealed, before anything is written."""

    job: Job
    cluster: Cluster
    run: RunDir
    data: dict[
        str, Any
    ]  # inputs/manifest.json and inputs/grant.json; empty where a job reads no dataset
    launch: Launch
    container: Container | None = None  # the image that the ranks run in
    allocation: str | None = (
        None  # the job of the shell that runs it, which Slurm need not be asked for
    )
    dependency: str | None = None  # Slurm's word for what this job waits for
    unchecked: tuple[str, ...] = ()  # what this machine could not check
    words: tuple[str, ...] = ()  # the command line that asks for this again
    chosen: str = ""  # which partition or QOS was chosen, and why
    warnings: tuple[Problem, ...] = ()  # what will run, but wastes hours or loses files
    member_of: tuple[str, str] | None = None  # the chain's run, and the name in it

    @property
    def sources(self) -> dict[str, Path]:
        """What is copied, by its place under code/."""
        return code_sources(self.job)

    def texts(self) -> dict[str, str]:
        """Return the text files of the seal by their place: the config and the inputs."""
        return {
            "config.yaml": as_yaml(self.job),
            **input_texts(self.cluster, self.data, "inputs"),
        }

    def scripts(self, digest: str) -> dict[str, str]:
        """Return the batch scripts by their place; none without Slurm."""
        return {"job.sbatch": render(self.request(digest))} if self.cluster.slurm else {}

    def start(self) -> dict[str, Any]:
        """Return what the batch step needs to start the ranks."""
        return start_facts(self.job, self.cluster, self.launch)

    def record(self) -> dict[str, Any]:
        """Return what belongs to this one run: it is in no digest."""
        own = {"slurm": False, "allocation": self.allocation} if self.allocation else {}
        chain = dict(zip(("chain", "member"), self.member_of or (), strict=False))
        return {**record_of(self, self.job.kind.value, self.job.label), **own, **chain}

    def request(self, digest: str) -> SbatchRequest:
        """Return what Slurm will be asked."""
        return sbatch_request(
            self.job.resources,
            self.cluster,
            BatchStep(python=sys.executable, digest=digest, launch=self.launch),
            run=self.run.path,
            dependency=self.dependency,
        )


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A run directory as it was sealed."""

    run: RunDir
    digest: str
    text: str  # the sbatch script; empty without Slurm
    left_out: dict[str, str]


def new_run(kind: str, root: Path) -> RunDir:
    """Return a fresh run directory's handle; nothing is written."""
    return RunDir(root / new_name(kind))


def parts(plan: Sealable, code: dict[str, str], texts: dict[str, str]) -> dict[str, Any]:
    """Return what the job digest is taken over: equal for two submissions of the same thing.

    The manifest keeps exactly these parts, so that the node can take the digest again.
    """
    script = "".join(plan.scripts(DIGEST).values())
    container = plan.container
    return {
        "files": {name: sha256_text(text) for name, text in sorted(texts.items())},
        "start": {
            **plan.start(),
            **({"container": dataclasses.asdict(container)} if container else {}),
        },
        "sbatch": provenance.script_digest(script, plan.run.path, DIGEST),
        "code": code,
        # in a container the image is the environment
        "environment": {"image": container.sha256} if container else provenance.environment(),
    }


def start_facts(job: Job, cluster: Cluster, launch: Launch) -> dict[str, Any]:
    """Return what the batch step needs to start the ranks of a job."""
    return {
        "launch": launch.value,
        "accelerator": cluster.accelerator,
        "slurm": cluster.slurm,
        "resources": dataclasses.asdict(job.resources),
    }


def input_texts(cluster: Cluster, data: dict[str, Any], folder: str) -> dict[str, str]:
    """Return the files of an input folder by their place: the cluster's facts, and what the job reads."""
    found = {f"{folder}/cluster.yaml": _yaml(_cluster_facts(cluster))}
    for name, content in data.items():
        if name == "card":
            found[f"{folder}/card.yaml"] = _yaml(content)
        else:
            found[f"{folder}/{name}.json"] = json_text(content)
    return found


def _yaml(content: object) -> str:
    """Return plain data as YAML; through JSON, so that no tuple becomes a Python tag."""
    plain = json.loads(json.dumps(content))
    text: str = yaml.dump(plain, Dumper=_DUMPER, sort_keys=True, allow_unicode=True)
    return text


def _cluster_facts(cluster: Cluster) -> dict[str, Any]:
    facts = dataclasses.asdict(cluster)
    facts["software"]["launch"] = cluster.software.launch.value
    return facts


@lap("seal")
def seal(plan: Sealable) -> Sealed:
    """Write the run directory. A failure or Ctrl-C half way leaves no run behind.

    Raises:
        InputError: a source that cannot be sealed.
    """
    final, work = plan.run.path, plan.run.path.with_name(f".{plan.run.name}.part")
    work.mkdir(parents=True, mode=0o750)
    try:
        sealed = _fill(plan, RunDir(work))
        work.rename(final)
    except BaseException:  # Ctrl-C too: nothing half-written stays
        shutil.rmtree(work, ignore_errors=True)
        raise
    plan.run.event("sealed", digest=sealed.digest, left_out=sealed.left_out)
    return sealed


def _fill(plan: Sealable, work: RunDir) -> Sealed:
    for folder in (work.inputs, work.logs, work.checkpoints, work.output, work.path / "stop"):
        folder.mkdir()
    left_out = copy_code(plan.sources, work.code)
    texts = plan.texts()
    made_of = parts(plan, provenance.tree_digests(work.code), texts)
    digest = digest_of(made_of)
    scripts = plan.scripts(digest)
    for place, content in {**texts, **scripts}.items():
        (work.path / place).parent.mkdir(exist_ok=True)
        write_text(work.path / place, content)
    commit = commit_of(plan.sources["source"]) if "source" in plan.sources else {}
    source = {"source": commit} if commit else {}
    manifest = {"format": FORMAT, "digest": digest, **made_of, "left_out": left_out, **source}
    write_json(work.manifest, manifest)
    write_json(work.job, plan.record())
    text = next(iter(scripts.values()), "")
    return Sealed(run=plan.run, digest=digest, text=text, left_out=left_out)


def record_of(plan: Sealable, kind: str, label: str) -> dict[str, Any]:
    """Return what job.json says of every run."""
    start = plan.start()
    return {
        "format": FORMAT,
        "name": plan.run.name,
        "path": str(plan.run.path),
        "kind": kind,
        "cluster": plan.cluster.name,
        "label": label,
        "command": list(plan.words),
        "slurm": plan.cluster.slurm,
        "slurm_environment": plan.cluster.environment(),
        "launch": start["launch"],
        "accelerator": plan.cluster.accelerator,
        "resources": start["resources"],
        "python": sys.executable,
        "version": forgia_hpc.__version__,
        **_told(plan.cluster),
    }


def _told(cluster: Cluster) -> dict[str, Any]:
    """Return who is told of the end: in no digest, for it is the person's and not the job's."""
    own = user_defaults()
    mail = own.get("mail") if cluster.scheduler.mail is not False else None
    return {"notify": list(own.get("notify", [])), "mail": mail}


@lap("seal")
def job_digest(plan: Sealable) -> str:
    """Return the digest that sealing this plan now would give; nothing is written."""
    files, _ = gather_code(plan.sources)
    code = {place: sha256_file(origin) for place, origin in sorted(files.items())}
    return digest_of(parts(plan, code, plan.texts()))
