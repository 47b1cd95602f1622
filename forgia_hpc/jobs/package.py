"""Seal a job into a run directory: what will run is what stands there."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import forgia_hpc
from forgia_hpc import provenance, sources
from forgia_hpc.config.compose import as_yaml
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import FORMAT, RunDir, new_name, write_json, write_text
from forgia_hpc.schema.job import CommandJob, Job, Launch
from forgia_hpc.slurm.cluster import Cluster
from forgia_hpc.slurm.executor import render
from forgia_hpc.slurm.request import SbatchRequest, sbatch_request

# What stands in the canonical form for whatever belongs to one run only.
RUN_PATH, RUN_NAME, DIGEST = "{run}", "{name}", "{digest}"


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


def canonical(plan: Plan, code: dict[str, str], environment: dict[str, Any]) -> dict[str, Any]:
    """Return what the job digest is taken over: equal for two submissions of the same thing."""
    text = render(plan.request(DIGEST)) if plan.cluster.slurm else ""
    return {
        "config": as_yaml(plan.job),
        "cluster": _cluster_facts(plan.cluster),
        "launch": plan.launch.value,
        "sbatch": text.replace(str(plan.run.path), RUN_PATH).replace(plan.run.name, RUN_NAME),
        "data": plan.data,
        "code": code,
        "environment": environment,
    }


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
    left_out = _copy_code(plan.job, work.code)
    code = provenance.tree_digests(work.code)
    environment = provenance.environment()
    content = canonical(plan, code, environment)
    digest = provenance.digest_of(content)
    request = plan.request(digest)
    text = render(request) if plan.cluster.slurm else ""
    for folder in (work.inputs, work.logs, work.checkpoints, work.output, work.path / "stop"):
        folder.mkdir()
    write_text(work.config, content["config"])
    write_text(work.inputs / "cluster.yaml", _yaml(content["cluster"]))
    for name, inputs in plan.data.items():
        if name == "card":
            write_text(work.inputs / "card.yaml", _yaml(inputs))
        else:
            write_json(work.inputs / f"{name}.json", inputs)
    if text:
        write_text(work.path / "job.sbatch", text)
    files = {
        str(path.relative_to(work.path)): provenance.sha256_file(path)
        for path in sorted([work.config, *work.inputs.iterdir()])
    }
    write_json(
        work.manifest,
        {
            "format": FORMAT,
            "digest": digest,
            "files": files,
            "code": code,
            "environment": environment,
            "left_out": left_out,
        },
    )
    write_json(
        work.job,
        {
            "format": FORMAT,
            "name": plan.run.name,
            "path": str(plan.run.path),
            "kind": plan.job.kind.value,
            "cluster": plan.cluster.name,
            "label": plan.job.label,
            "command": list(plan.words),
            "slurm": plan.cluster.slurm,
            "slurm_environment": plan.cluster.environment(),
            "token": secrets.token_hex(8),
            "launch": plan.launch.value,
            "accelerator": plan.cluster.accelerator,
            "resources": dataclasses.asdict(plan.job.resources),
            "python": sys.executable,
            "version": forgia_hpc.__version__,
        },
    )
    return Sealed(run=plan.run, digest=digest, text=text, left_out=left_out)


def gather_code(job: Job) -> tuple[dict[str, Path], dict[str, str]]:
    """Return each file of the seal by its place under code/, and what stays out and why.

    Raises:
        InputError: a source that is no directory.
    """
    files: dict[str, Path] = {}
    left_out: dict[str, str] = {}
    for name, origin in code_sources(job).items():
        if origin.is_file():
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
    code = {place: provenance.sha256_file(origin) for place, origin in sorted(files.items())}
    return provenance.digest_of(canonical(plan, code, provenance.environment()))
