"""A dataset that another member of the chain makes: admitted at the door, once it is there.

Nothing could be granted when the job was sealed. At the first start the door asks the maker's own result which
version it has made, checks that this is what lies there, and writes manifest, grant and card to `inputs/`. Their
digests go into the event `admitted`, and later attempts must find the same files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from forgia_hpc.data.access.granting import asked_of, granted_inputs
from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import InputError, JobFailedError, SealBrokenError
from forgia_hpc.rundir import RunDir, json_text, read_json, write_text
from forgia_hpc.schema.job import EvaluateJob, TrainJob
from forgia_hpc.schema.load import load_job
from forgia_hpc.sweepdir import completed

_FILES = {"manifest": "manifest.json", "grant": "grant.json", "card": "card.yaml"}


def admit(run: RunDir) -> None:
    """Write the inputs of an awaited dataset at the first start; nothing to do for any other run.

    Raises:
        JobFailedError: its maker has not made it, or it cannot be granted.
        SealBrokenError: what lies there is not what the maker has made.
    """
    path = run.inputs / "awaited.json"
    if not path.is_file() or run.events("admitted"):
        return
    awaited, job = read_json(path), load_job(run.config)
    assert isinstance(job, TrainJob | EvaluateJob)
    try:
        asked = asked_of(job, awaited["place"])
        made = granted_inputs(Path(awaited["directory"]), job.data, asked)
    except InputError as error:
        raise JobFailedError(f"dataset {awaited['dataset']} is not granted: {error}") from error
    _require_made(awaited, made["grant"]["identifier"])
    for name, content in made.items():
        text = yaml.safe_dump(content, allow_unicode=True) if name == "card" else json_text(content)
        write_text(run.inputs / _FILES[name], text)
    files = {f"inputs/{name}": sha256_file(run.inputs / name) for name in _FILES.values()}
    run.event("admitted", dataset=made["grant"]["identifier"], files=files)


def admitted_files(run: RunDir) -> dict[str, str]:
    """Return the digests of what the door has written, by place; empty where it has written nothing."""
    told = run.events("admitted")
    return dict(told[-1].facts["files"]) if told else {}


def half_admitted(run: RunDir) -> set[str]:
    """Return what a start that was killed at its door may have left; the next one writes it anew."""
    waits = (run.inputs / "awaited.json").is_file() and not run.events("admitted")
    return {f"inputs/{name}" for name in _FILES.values()} if waits else set()


def _require_made(awaited: dict[str, Any], found: str) -> None:
    """Compare what lies there with the version that the maker's result names."""
    maker = RunDir(Path(awaited["maker"]))
    version = _version_made(completed(maker) or {}, awaited["dataset"])
    if version is None:
        raise JobFailedError(f"{maker.path} has left no result that names {awaited['dataset']}")
    if found != f"{awaited['dataset']}@{version[:12]}":
        made = f"{maker.name} made version {version[:12]}"
        raise SealBrokenError(f"{awaited['directory']}: it is {found}, {made}")


def _version_made(result: dict[str, Any], dataset: str) -> str | None:
    """Return the version of a dataset that a result names: of recipes, or of a campaign."""
    told = result.get("prepare", {})
    one = told.get("contributions", {}).get(dataset, {})
    campaign = result.get("simulate", {})
    own = campaign.get("dataset", "").partition("@")[0] == dataset
    version = one.get("version") or told.get("consortia", {}).get(dataset)
    return str(version) if version else campaign.get("version") if own else None
