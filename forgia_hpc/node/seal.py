"""The door check: what stands in the run directory is what was sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forgia_hpc import provenance
from forgia_hpc.digest import digest_of, sha256_file
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.node.admission import admitted_files, half_admitted
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.sweepdir import SweepDir, check_point

PARTS = (
    "files",
    "start",
    "sbatch",
    "code",
    "environment",
)  # of the manifest: what the job digest is taken over


def check_seal(run: RunDir, digest: str | None) -> dict[str, Any]:
    """Check config, inputs and code against the manifest, and the directory against its own record.

    Returns the run's manifest.

    Raises:
        SealBrokenError: names every file that was edited, added or lost, or the place it was moved from.
    """
    try:
        manifest, job = read_json(run.manifest), read_json(run.job)
    except InputError as error:
        raise SealBrokenError(f"{run.path}: not a whole run directory ({error})") from error
    if "point" in job:
        sweep = SweepDir(run.path.parent.parent)
        check_point(sweep, int(job["point"]))
        return check_seal(sweep, digest)
    if Path(job["path"]) != run.path:
        raise SealBrokenError(
            f"{run.path}: moved; it was sealed as {job['path']}. Move it back, or submit again"
        )
    _check_digest(run, manifest, digest)
    problems = provenance.compare(manifest["code"], provenance.tree_digests(run.code))
    sealed = {**admitted_files(run), **manifest["files"]}  # the record may add, never change
    found = {name: sha256_file(run.path / name) for name in sealed if (run.path / name).is_file()}
    known = {*sealed, *half_admitted(run)}
    added = {
        str(p.relative_to(run.path)): ""
        for p in run.inputs.rglob("*")
        if p.is_file() and str(p.relative_to(run.path)) not in known
    }
    problems += provenance.compare(sealed, {**found, **added})
    if problems:
        raise SealBrokenError(f"{run.path}: {'; '.join(problems)}")
    return dict(manifest)


def _check_digest(run: RunDir, manifest: dict[str, Any], submitted: str | None) -> None:
    """Take the job digest again: an edit that mends the manifest too must not pass."""
    sealed = manifest.get("digest", "")
    made_of = {name: manifest.get(name) for name in PARTS}
    first = run.events("sealed")
    known = {submitted, first[0].facts["digest"] if first else None} - {None}
    if digest_of(made_of) != sealed or known - {sealed}:
        raise SealBrokenError(
            f"{run.manifest}: its parts do not give the digest that was submitted"
        )
    scripts = sorted(run.path.glob("job*.sbatch"))  # of a sweep: one for each of its resources
    text = "".join(script.read_text(encoding="utf-8") for script in scripts)
    if provenance.script_digest(text, run.path, sealed) != manifest["sbatch"]:
        names = ", ".join(script.name for script in scripts) or "job.sbatch"
        raise SealBrokenError(f"{run.path}: {names}: content differs from the seal")


def check_data(run: RunDir) -> int:
    """Check every granted shard against its SHA-256 in the sealed grant; return the bytes read.

    Raises:
        SealBrokenError: names every shard that is gone, cut or edited.
    """
    shards = granted_shards(run)
    troubles = {file: _shard_trouble(file, shard, content=True) for file, shard in shards.items()}
    problems = [f"{file}: {trouble}" for file, trouble in troubles.items() if trouble]
    if problems:
        raise SealBrokenError(f"data changed since the submission: {'; '.join(problems)}")
    return sum(shard["bytes"] for shard in shards.values())


def cut_shards(run: RunDir) -> list[str]:
    """Return a line for each granted shard whose size changed: what a rank that died of SIGBUS was reading."""
    troubles = {
        file: _shard_trouble(file, shard, content=False)
        for file, shard in granted_shards(run).items()
    }
    return [f"{file}: {trouble}" for file, trouble in troubles.items() if trouble]


def granted_shards(run: RunDir) -> dict[Path, dict[str, Any]]:
    """Return the shards that the job may read, by file."""
    path = run.inputs / "grant.json"
    granted = read_json(path)["contributions"] if path.exists() else []
    return {
        Path(one["directory"]) / shard["path"]: shard for one in granted for shard in one["shards"]
    }


def _shard_trouble(file: Path, shard: dict[str, Any], *, content: bool) -> str | None:
    try:
        size = file.stat().st_size
        if size != shard["bytes"]:
            return f"{size} bytes, sealed with {shard['bytes']}"
        same = not content or sha256_file(file) == shard["sha256"]
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if same else "content differs from the seal"
