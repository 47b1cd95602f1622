"""Seal a job into a run directory: what will run is what stands there."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import forgia_hpc
from forgia_hpc import provenance, sources
from forgia_hpc.config.compose import as_yaml
from forgia_hpc.digest import digest_of, sha256_file, sha256_text
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import FORMAT, RunDir, json_text, new_name, write_json, write_text
from forgia_hpc.schema.job import CommandJob, Job, Launch
from forgia_hpc.slurm.executor import render
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.request import SbatchRequest, sbatch_request

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
    dependency: str | None = None  # Slurm's word for what this job waits for
    unchecked: tuple[str, ...] = ()  # what this machine could not check
    words: tuple[str, ...] = ()  # the command line that asks for this again

    def request(self, digest: str) -> SbatchRequest:
        """Return what Slurm will be asked."""
        return sbatch_request(
            self.job.resources,
            self.cluster,
            run=self.run.path,
            python=sys.executable,
            digest=digest,
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


def code_sources(job: Job) -> dict[str, Path]:
    """Return what is copied: place under code/ → where it is now.

    Our own package, the Python code of every root in $FORGIA_PATH, and a command job's source.
    """
    own = {"forgia_hpc": Path(forgia_hpc.__file__).resolve().parent}
    for root in os.environ.get("FORGIA_PATH", "").split(os.pathsep):
        if root:
            own |= _python_of(Path(root).resolve())
    if isinstance(job, CommandJob) and job.command.source:
        own["source"] = Path(job.command.source).expanduser().resolve()
    return own


def _python_of(root: Path) -> dict[str, Path]:
    if not root.is_dir():
        raise InputError(
            Problem(field="FORGIA_PATH", got=str(root), limit="an existing directory is needed")
        )
    found = {}
    for path in sorted(root.iterdir()):
        package = path.is_dir() and (path / "__init__.py").exists()
        if (package and path.name not in sources.FOLDERS) or path.suffix == ".py":
            found[path.name] = path
    return found


def parts(plan: Plan, code: dict[str, str]) -> dict[str, Any]:
    """Return what the job digest is taken over: equal for two submissions of the same thing.

    The manifest keeps exactly these parts, so that the node can take the digest again.
    """
    script = render(plan.request(DIGEST)) if plan.cluster.slurm else ""
    return {
        "files": {name: sha256_text(text) for name, text in sorted(texts(plan).items())},
        "start": {
            "launch": plan.launch.value,
            "accelerator": plan.cluster.accelerator,
            "slurm": plan.cluster.slurm,
            "resources": dataclasses.asdict(plan.job.resources),
        },
        "sbatch": provenance.script_digest(script, plan.run.path, DIGEST),
        "code": code,
        "environment": provenance.environment(),
    }


def texts(plan: Plan) -> dict[str, str]:
    """Return the text files of the seal by their place: the config and the inputs."""
    found = {
        "config.yaml": as_yaml(plan.job),
        "inputs/cluster.yaml": _yaml(_cluster_facts(plan.cluster)),
    }
    for name, content in plan.data.items():
        if name == "card":
            found["inputs/card.yaml"] = _yaml(content)
        else:
            found[f"inputs/{name}.json"] = json_text(content)
    return found


def _yaml(content: object) -> str:
    """Return plain data as YAML; through JSON, so that no tuple becomes a Python tag."""
    return yaml.safe_dump(json.loads(json.dumps(content)), sort_keys=True, allow_unicode=True)


def _cluster_facts(cluster: Cluster) -> dict[str, Any]:
    facts = dataclasses.asdict(cluster)
    facts["software"]["launch"] = cluster.software.launch.value
    return facts


def seal(plan: Plan) -> Sealed:
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


def _fill(plan: Plan, work: RunDir) -> Sealed:
    for folder in (work.inputs, work.logs, work.checkpoints, work.output, work.path / "stop"):
        folder.mkdir()
    left_out = _copy_code(plan.job, work.code)
    made_of = parts(plan, provenance.tree_digests(work.code))
    digest = digest_of(made_of)
    text = render(plan.request(digest)) if plan.cluster.slurm else ""
    for place, content in texts(plan).items():
        write_text(work.path / place, content)
    if text:
        write_text(work.path / "job.sbatch", text)
    manifest = {"format": FORMAT, "digest": digest, **made_of, "left_out": left_out}
    write_json(work.manifest, manifest)
    write_json(work.job, _record(plan))
    return Sealed(run=plan.run, digest=digest, text=text, left_out=left_out)


def _record(plan: Plan) -> dict[str, Any]:
    """Return what belongs to this one run: it is in no digest."""
    return {
        "format": FORMAT,
        "name": plan.run.name,
        "path": str(plan.run.path),
        "kind": plan.job.kind.value,
        "cluster": plan.cluster.name,
        "label": plan.job.label,
        "command": list(plan.words),
        "slurm": plan.cluster.slurm,
        "slurm_environment": plan.cluster.environment(),
        "launch": plan.launch.value,
        "accelerator": plan.cluster.accelerator,
        "resources": dataclasses.asdict(plan.job.resources),
        "python": sys.executable,
        "version": forgia_hpc.__version__,
    }


def gather_code(job: Job) -> tuple[dict[str, Path], dict[str, str]]:
    """Return each file of the seal by its place under code/, and what stays out and why.

    Raises:
        InputError: a source that is no directory.
    """
    files: dict[str, Path] = {}
    left_out: dict[str, str] = {}
    for name, origin in code_sources(job).items():
        if origin.is_file() and origin.name == name:  # a module in a root of $FORGIA_PATH
            files[name] = origin
            continue
        if not origin.is_dir():
            limit = "an existing directory is needed"
            raise InputError(Problem(field="command.source", got=str(origin), limit=limit))
        kept, missed = provenance.files_to_seal(origin)
        files |= {f"{name}/{path.relative_to(origin)}": path for path in kept}
        left_out |= {f"{name}/{path}": why for path, why in missed.items()}
    return files, left_out


def _copy_code(job: Job, into: Path) -> dict[str, str]:
    """Copy every source under `into`; return what was left out and why."""
    files, left_out = gather_code(job)
    for place, origin in files.items():
        copy = into / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, copy)
        copy.chmod((origin.stat().st_mode & 0o750) | 0o600)
    return left_out


def job_digest(plan: Plan) -> str:
    """Return the digest that sealing this plan now would give; nothing is written."""
    files, _ = gather_code(plan.job)
    code = {place: sha256_file(origin) for place, origin in sorted(files.items())}
    return digest_of(parts(plan, code))
